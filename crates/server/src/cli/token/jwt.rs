//! JWTs and other JOSE tokens, of whoever made them: read leniently to be shown, and then held against what a strict reader
//! would want (RFC 7515, 7516, 7519, 8725, 9068).

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::jose::jwt::MAX_AHEAD;
use gateward_kernel::jose::{
    self, Claims, ContentEncryption, KeyManagementAlgorithm, Limits, Malformed, SignatureAlgorithm,
};
use gateward_kernel::time::Moment;
use serde_json::Value;

use super::inspect::{Report, words};

/// Clocks may be so far apart.
const SKEW: Duration = Duration::from_secs(60);
/// What a token that cannot be revoked should not live longer than.
const LONG: Duration = Duration::from_secs(24 * 3600);
/// Times that are given in seconds, in the order of their telling.
const TIMES: [&str; 5] = ["iat", "nbf", "auth_time", "exp", "updated_at"];
/// What an access token must have (RFC 9068 §2.2).
const ACCESS_CLAIMS: [&str; 7] = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];

/// Looks at a text that may be a JOSE token in compact form. `None` when it is none at all.
pub(super) fn inspect(text: &str, now: Moment) -> Option<Report> {
    let parts: Vec<&str> = text.split('.').collect();
    let header = decoded(parts.first()?)?;
    let mut report = match parts.as_slice() {
        [_, payload, signature] => signed(text, &header, payload, signature, now),
        [_, rest @ ..] if rest.len() == 4 => encrypted(&header, rest),
        _ => return None,
    };
    named_keys(&header, &mut report);
    report.header = Some(header);
    Some(report)
}

/// JSON in base64url. Padding and stray bits are forgiven here and told elsewhere.
fn decoded(part: &str) -> Option<Value> {
    let bare = part.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let bytes = BASE64URL_NOPAD.decode(bare.as_bytes()).ok()?;
    serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
}

fn text_in<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn signed(text: &str, header: &Value, payload: &str, signature: &str, now: Moment) -> Report {
    let alg = text_in(header, "alg").unwrap_or_default();
    let typ = text_in(header, "typ").map(|typ| typ.trim_start_matches("application/").to_ascii_lowercase());
    let kind = match typ.as_deref() {
        Some("at+jwt") => "an access token (RFC 9068)",
        Some("command+jwt") => "a one-time command of Gateward",
        Some("statuslist+jwt") => "a status list",
        Some("logout+jwt") => "a logout token (OpenID Connect)",
        Some("dpop+jwt") => "a DPoP proof (RFC 9449)",
        _ => "a JSON Web Token (RFC 7519)",
    };
    let mut report = Report { kind: "jwt", what: format!("{kind}, signed with {alg}"), ..Report::default() };
    if alg.eq_ignore_ascii_case("none") || alg.is_empty() {
        report.what = format!("{kind}, not signed");
    }
    about_algorithm(header, signature, &mut report);
    if text_in(header, "typ").is_none() {
        report.notes.push(
            "typ is missing: a token of one kind could be taken for one of another (RFC 8725 §3.11)".into(),
        );
    }
    match jose::parse(text, Limits { token: text.len(), ..Limits::default() }) {
        // Told already, in more words.
        Ok(_) | Err(Malformed::Algorithm) => {}
        Err(Malformed::Parts) if signature.is_empty() => {}
        Err(malformed) => report.problems.push(format!("no strict reader takes it: {malformed}")),
    }
    if text.len() > Limits::default().token {
        report
            .problems
            .push(format!("it has {} characters, and few readers take more than 16384", text.len()));
    }
    match decoded(payload) {
        Some(claims) => {
            about_claims(&claims, payload, typ.as_deref() == Some("at+jwt"), now, &mut report);
            report.claims = Some(claims);
        }
        None => report.problems.push("its content is no JSON object, so it has no claims".into()),
    }
    report.notes.push("its signature was not checked: anybody can write all of this".into());
    report
}

fn about_algorithm(header: &Value, signature: &str, report: &mut Report) {
    let Some(alg) = text_in(header, "alg") else {
        report.problems.push("alg is missing: it does not say how it is signed".into());
        return;
    };
    if alg.eq_ignore_ascii_case("none") {
        report.problems.push("alg is none: it is not signed, and anybody can have written it".into());
        return;
    }
    match alg.parse::<SignatureAlgorithm>() {
        Err(_) => {
            report.problems.push(format!("alg {alg:?} is unknown here; names are exact, also in their case"))
        }
        Ok(known) if known.is_hmac() => {
            report
                .notes
                .push(format!("{alg} has one secret key: whoever can check such a token can make one, too"));
        }
        Ok(_) => {}
    }
    if signature.is_empty() {
        report.problems.push("the signature is missing".into());
    }
}

/// What makes a reader look elsewhere for keys: attackers like to name their own.
fn named_keys(header: &Value, report: &mut Report) {
    for name in ["jwk", "jku", "x5u", "x5c"] {
        if header.get(name).is_some() {
            report.problems.push(format!(
                "{name} names a key of its own choice: no reader may use that (RFC 8725 §3.10)"
            ));
        }
    }
}

fn about_claims(claims: &Value, payload: &str, is_access_token: bool, now: Moment, report: &mut Report) {
    let bytes = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap_or_default();
    if !bytes.is_empty()
        && let Err(bad) = Claims::read(&bytes)
    {
        report.problems.push(format!("no strict reader takes it: {bad}"));
    }
    for name in TIMES {
        match claims.get(name).map(|value| (value, moment(value))) {
            None => {}
            Some((_, Some(at))) => report.times.push((name, at)),
            Some((value, None)) if value.as_f64().is_some_and(|number| number > 1e11) => {
                report.problems.push(format!("{name} seems to be in milliseconds; it must be in seconds"));
            }
            Some(_) => report.problems.push(format!("{name} is no time: a number of seconds since 1970")),
        }
    }
    about_times(report, now);
    let required: &[&str] = if is_access_token { &ACCESS_CLAIMS } else { &["iss", "aud"] };
    let why = |name: &str| match name {
        "aud" => "aud is missing: it does not say who may accept it, so that everybody could",
        "iss" => "iss is missing: it does not say who issued it",
        _ => "",
    };
    for name in required.iter().filter(|name| **name != "exp" && claims.get(name).is_none()) {
        report.problems.push(match why(name) {
            "" => format!("{name} is missing, which an access token must have (RFC 9068 §2.2)"),
            why => why.to_owned(),
        });
    }
    about_life(claims, report);
}

fn about_times(report: &mut Report, now: Moment) {
    let time = |name: &str| report.times.iter().find(|(own, _)| *own == name).map(|(_, at)| *at);
    let mut found = Vec::new();
    if let Some(exp) = time("exp") {
        if exp <= now {
            found.push(format!("it expired {}", words(exp, now)));
        } else if exp > now + MAX_AHEAD {
            found.push("exp is more than ten years ahead".to_owned());
        }
    }
    if let Some(nbf) = time("nbf").filter(|nbf| *nbf > now + SKEW) {
        found.push(format!("it is not valid yet, but {}", words(nbf, now)));
    }
    if let Some(iat) = time("iat").filter(|iat| *iat > now + SKEW) {
        found.push(format!("it was issued in the future, {}: a clock is wrong", words(iat, now)));
    }
    report.problems.extend(found);
}

/// How long it counts, and whether anything can end it before.
fn about_life(claims: &Value, report: &mut Report) {
    let time = |name: &str| report.times.iter().find(|(own, _)| *own == name).map(|(_, at)| *at);
    if claims.get("exp").is_none() {
        report.problems.push("exp is missing: it never expires".into());
    }
    match claims.pointer("/status/status_list/uri").and_then(Value::as_str) {
        Some(uri) => report.notes.push(format!("whether it was revoked stands in the status list at {uri}")),
        None => {
            let is_long = time("exp").zip(time("iat")).is_some_and(|(exp, iat)| exp.since(iat) > LONG);
            if is_long {
                let advice =
                    "it has no status, and so counts until it expires, whatever happens: for more than a day";
                report.notes.push(advice.into());
            }
        }
    }
}

/// Seconds since 1970 (RFC 7519 §2), before the year 10000.
fn moment(value: &Value) -> Option<Moment> {
    let seconds = value.as_f64().filter(|seconds| (0.0..253_402_300_800.0).contains(seconds))?;
    #[expect(clippy::cast_possible_truncation, reason = "it is below 2^53")]
    Some(Moment::from_micros((seconds * 1e6) as i64))
}

fn encrypted(header: &Value, rest: &[&str]) -> Report {
    let (alg, enc) = (text_in(header, "alg").unwrap_or_default(), text_in(header, "enc").unwrap_or_default());
    let mut report = Report {
        kind: "jwe",
        what: format!("an encrypted token (JWE, RFC 7516): {alg} with {enc}"),
        notes: vec!["what it says can be read only with its key".into()],
        ..Report::default()
    };
    if alg == "RSA1_5" {
        report.problems.push("alg is RSA1_5: its padding can be attacked (RFC 8725 §3.2)".into());
    } else if alg.parse::<KeyManagementAlgorithm>().is_err() {
        report.problems.push(format!("alg {alg:?} is unknown here"));
    }
    if enc.parse::<ContentEncryption>().is_err() {
        report.problems.push(format!("enc {enc:?} is unknown here"));
    }
    if header.get("zip").is_some() {
        report
            .problems
            .push("zip: it is compressed, which readers refuse, because little can become much".into());
    }
    if header.get("crit").is_some() {
        report.problems.push("crit demands an extension, and no reader here knows any".into());
    }
    let odd = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).is_err();
    if rest.iter().any(|part| odd(part)) {
        report.problems.push("a part is not base64url without padding".into());
    }
    let has_key = rest.first().is_some_and(|part| !part.is_empty());
    if has_key == matches!(alg, "dir" | "ECDH-ES") {
        report.problems.push(format!(
            "with alg {alg:?} its second part must {}be empty",
            if has_key { "" } else { "not " }
        ));
    }
    if rest.iter().skip(1).any(|part| part.is_empty()) {
        report.problems.push("its vector, content or tag is missing".into());
    }
    if text_in(header, "cty").is_some_and(|cty| cty.eq_ignore_ascii_case("JWT")) {
        report.notes.push("another token is inside (cty JWT)".into());
    }
    report
}

#[cfg(test)]
mod tests;

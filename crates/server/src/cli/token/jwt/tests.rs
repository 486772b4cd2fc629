use serde_json::json;

use super::*;

const NOW: Moment = Moment::from_micros(1_800_000_000_000_000);
const SECONDS: i64 = 1_800_000_000;

fn encode(text: &str) -> String {
    BASE64URL_NOPAD.encode(text.as_bytes())
}

fn token(header: &Value, claims: &Value) -> String {
    format!("{}.{}.{}", encode(&header.to_string()), encode(&claims.to_string()), encode("signature"))
}

fn good_header() -> Value {
    json!({"alg": "ES256", "typ": "at+jwt", "kid": "k"})
}

fn good_claims() -> Value {
    json!({
        "iss": "https://login.example.com", "aud": "https://api.example.com", "sub": "s", "client_id": "c", "jti": "j",
        "iat": SECONDS - 60, "exp": SECONDS + 240,
        "status": {"status_list": {"idx": 1, "uri": "https://login.example.com/oauth/status/x"}},
    })
}

fn look(text: &str) -> Report {
    inspect(text, NOW).unwrap()
}

/// The claims with one of them changed; null takes it away.
fn with(name: &str, value: Value) -> Value {
    let mut claims = good_claims();
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(name),
        value => claims.as_object_mut().unwrap().insert(name.into(), value),
    };
    claims
}

#[test]
fn a_good_token_has_nothing_wrong_with_it() {
    let report = look(&token(&good_header(), &good_claims()));
    assert_eq!(report.problems, [""; 0]);
    assert_eq!(report.what, "an access token (RFC 9068), signed with ES256");
    assert_eq!((report.header, report.claims), (Some(good_header()), Some(good_claims())));
    let at = |seconds: i64| Moment::from_micros((SECONDS + seconds) * 1_000_000);
    assert_eq!(report.times, [("iat", at(-60)), ("exp", at(240))]);
    assert!(report.notes.iter().any(|note| note.contains("https://login.example.com/oauth/status/x")));
    assert!(report.notes.iter().any(|note| note.contains("was not checked")));
}

#[test]
fn what_is_wrong_with_the_claims_is_said() {
    for (claims, problem) in [
        (with("exp", Value::Null), "exp is missing: it never expires"),
        (with("exp", json!(SECONDS)), "it expired now"),
        (with("exp", json!(SECONDS - 7_200)), "it expired 2 hours ago"),
        (with("exp", json!(SECONDS + 10 * 365 * 86_400 + 1)), "exp is more than ten years ahead"),
        (with("exp", json!(SECONDS * 1000)), "exp seems to be in milliseconds; it must be in seconds"),
        (with("exp", json!("soon")), "exp is no time: a number of seconds since 1970"),
        (with("nbf", json!(SECONDS + 3_600)), "it is not valid yet, but in 60 minutes"),
        (with("iat", json!(SECONDS + 61)), "it was issued in the future, in 61 seconds: a clock is wrong"),
        (
            with("aud", Value::Null),
            "aud is missing: it does not say who may accept it, so that everybody could",
        ),
        (with("iss", Value::Null), "iss is missing: it does not say who issued it"),
        (with("jti", Value::Null), "jti is missing, which an access token must have (RFC 9068 §2.2)"),
        (
            with("sub", json!(7)),
            "no strict reader takes it: the token's claim `sub` has the wrong type or form",
        ),
    ] {
        let problems = look(&token(&good_header(), &claims)).problems;
        assert!(problems.iter().any(|own| own == problem), "{problem}: {problems:?}");
    }
    // Right up to the edge.
    for claims in [
        with("exp", json!(SECONDS + 1)),
        with("exp", json!(SECONDS + 10 * 365 * 86_400)),
        with("nbf", json!(SECONDS + 60)),
        with("iat", json!(SECONDS + 60)),
        with("exp", json!(SECONDS as f64 + 0.5)),
    ] {
        assert_eq!(look(&token(&good_header(), &claims)).problems, [""; 0], "{claims}");
    }
    let long = json!({"iss": "i", "aud": "a", "iat": SECONDS, "exp": SECONDS + 86_401});
    let notes = look(&token(&json!({"alg": "HS256"}), &long)).notes;
    for part in ["typ is missing", "one secret key", "counts until it expires"] {
        assert!(notes.iter().any(|note| note.contains(part)), "{part}: {notes:?}");
    }
}

#[test]
fn what_is_wrong_with_the_form_is_said() {
    let unsigned = |header: Value| {
        let text = token(&header, &good_claims());
        text[..=text.rfind('.').unwrap()].to_owned()
    };
    let twice =
        format!("{}.{}.AAAA", encode(r#"{"alg":"ES256","typ":"at+jwt"}"#), encode(r#"{"exp":1,"exp":2}"#));
    for (text, problem) in [
        (unsigned(json!({"alg": "none"})), "alg is none: it is not signed, and anybody can have written it"),
        (unsigned(json!({"alg": "NoNe"})), "alg is none: it is not signed, and anybody can have written it"),
        (token(&json!({"typ": "JWT"}), &good_claims()), "alg is missing: it does not say how it is signed"),
        (
            token(&json!({"alg": "es256"}), &good_claims()),
            "alg \"es256\" is unknown here; names are exact, also in their case",
        ),
        (unsigned(good_header()), "the signature is missing"),
        (
            token(&json!({"alg": "ES256", "crit": ["b64"], "b64": false}), &good_claims()),
            "no strict reader takes it: the token's header demands an extension that is not supported",
        ),
        (
            token(&json!({"alg": "ES256", "jku": "https://evil.example"}), &good_claims()),
            "jku names a key of its own choice: no reader may use that (RFC 8725 §3.10)",
        ),
        (
            format!("{}=.{}.AAAA", encode("{\"alg\":\"ES256\"}"), encode("{}")),
            "no strict reader takes it: a part of the token is not base64url",
        ),
        (
            format!("{}.{}.AAAA", encode("{\"alg\":\"ES256\"}"), encode("text")),
            "its content is no JSON object, so it has no claims",
        ),
        (
            twice,
            "no strict reader takes it: the token's claims are not a single JSON object with every member named once and at most 16 levels",
        ),
        (
            token(&good_header(), &with("x", json!("y".repeat(20_000)))),
            "and few readers take more than 16384",
        ),
    ] {
        let problems = look(&text).problems;
        assert!(problems.iter().any(|own| own.ends_with(problem)), "{problem}: {problems:?}");
    }
    for none in ["", "a.b.c", "x", "eyJ9.e30.", "..", &format!("{}.a.b.c", encode("{}")), &encode("{}")] {
        assert!(inspect(none, NOW).is_none(), "{none}");
    }
}

#[test]
fn encrypted_tokens_say_how_and_no_more() {
    let jwe = |header: Value, key: &str| format!("{}.{key}.AAAA.AAAA.AAAA", encode(&header.to_string()));
    let good = look(&jwe(json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}), "AAAA"));
    assert_eq!((good.kind, good.problems.len(), good.claims), ("jwe", 0, None));
    assert!(good.notes.iter().any(|note| note.contains("another token is inside")));
    assert_eq!(look(&jwe(json!({"alg": "dir", "enc": "A128CBC-HS256"}), "")).problems, [""; 0]);
    for (text, problem) in [
        (jwe(json!({"alg": "RSA1_5", "enc": "A256GCM"}), "AAAA"), "alg is RSA1_5"),
        (jwe(json!({"alg": "PBES2", "enc": "A256GCM"}), "AAAA"), "alg \"PBES2\" is unknown here"),
        (jwe(json!({"alg": "A256KW", "enc": "A1"}), "AAAA"), "enc \"A1\" is unknown here"),
        (jwe(json!({"alg": "A256KW", "enc": "A256GCM", "zip": "DEF"}), "AAAA"), "it is compressed"),
        (jwe(json!({"alg": "dir", "enc": "A256GCM"}), "AAAA"), "its second part must be empty"),
        (jwe(json!({"alg": "A256KW", "enc": "A256GCM"}), ""), "its second part must not be empty"),
        (
            format!("{}..AAAA..AAAA", encode(r#"{"alg":"dir","enc":"A256GCM"}"#)),
            "its vector, content or tag is missing",
        ),
        (format!("{}..AAAA.A+==.AAAA", encode(r#"{"alg":"dir","enc":"A256GCM"}"#)), "not base64url"),
    ] {
        let problems = look(&text).problems;
        assert!(problems.len() == 1 && problems[0].contains(problem), "{problem}: {problems:?}");
    }
}

//! Claims: the type of each, then its value, at the moments around each limit.

use std::time::Duration;

use gateward_kernel::jose::jwt::{MAX_AHEAD, MAX_AUDIENCES, verify};
use gateward_kernel::jose::{
    Audience, BadClaims, Claims, Expectations, Header, Invalid, Limits, Malformed, NotStrict, Refused,
    SignatureAlgorithm::{EdDsa, Es256},
    parse,
};
use gateward_kernel::time::Moment;
use serde_json::{Value, json};

use crate::forge::{encoded, forged, honest, key, set};

const NOW: i64 = 1_800_000_000;

fn now() -> Moment {
    Moment::from_micros(NOW * 1_000_000)
}

fn header(json: &str) -> Header {
    parse(&format!("{}.e30.AAAA", encoded(json.as_bytes())), Limits::default()).unwrap().header().clone()
}

fn expectations() -> Expectations<'static> {
    Expectations::new(&["at+jwt"], &["https://api.example"], now()).from("https://id.example")
}

fn check(expected: &Expectations<'_>, claims: &Value) -> Result<(), BadClaims> {
    let header = header(r#"{"alg":"ES256","typ":"at+jwt"}"#);
    Claims::read(claims.to_string().as_bytes()).and_then(|claims| expected.check(&header, &claims))
}

fn good() -> Value {
    json!({ "iss": "https://id.example", "aud": "https://api.example", "exp": NOW + 300, "iat": NOW })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = good();
    claims[name] = value.into();
    claims
}

#[test]
fn claims_have_the_type_the_rfc_gives_them() {
    for name in ["iss", "sub", "jti"] {
        for wrong in [json!(null), json!(1), json!(["a"]), json!({}), json!(true)] {
            let read = Claims::read(with(name, wrong.clone()).to_string().as_bytes());
            assert_eq!(read.unwrap_err(), BadClaims::Type(name), "{wrong}");
        }
    }
    for name in ["exp", "nbf", "iat"] {
        for wrong in [
            json!(null),
            json!("1800000300"),
            json!([NOW]),
            json!({}),
            json!(true),
            json!(-1),
            json!(-0.5),
            json!(253_402_300_800_i64),
            json!(1e15),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1e300),
        ] {
            let read = Claims::read(with(name, wrong.clone()).to_string().as_bytes());
            assert_eq!(read.unwrap_err(), BadClaims::Type(name), "{wrong}");
        }
        for right in [json!(0), json!(0.5), json!(NOW), json!(253_402_300_799_i64), json!(1.8e9)] {
            assert!(Claims::read(with(name, right.clone()).to_string().as_bytes()).is_ok(), "{right}");
        }
    }
    for wrong in [json!(null), json!(1), json!({}), json!([]), json!(["a", 1]), json!([["a"]]), json!([null])]
    {
        let read = Claims::read(with("aud", wrong.clone()).to_string().as_bytes());
        assert_eq!(read.unwrap_err(), BadClaims::Type("aud"), "{wrong}");
    }
    for (count, fits) in [(1, true), (MAX_AUDIENCES, true), (MAX_AUDIENCES + 1, false)] {
        let claims = with("aud", vec!["a"; count]).to_string();
        assert_eq!(Claims::read(claims.as_bytes()).is_ok(), fits, "{count}");
    }
}

#[test]
fn claims_are_one_strict_object() {
    for text in [
        "",
        "null",
        "[]",
        "1",
        "{}{}",
        "{\"exp\":1,\"exp\":2}",
        "{\"iss\":\"a\",\"\\u0069ss\":\"b\"}",
        "{\"a\":{\"b\":1,\"b\":2}}",
        "{\"exp\":1e999}",
        "{\"exp\":0x10}",
        "{\"exp\":01}",
    ] {
        assert_eq!(Claims::read(text.as_bytes()).unwrap_err(), BadClaims::NotJson(NotStrict), "{text}");
    }
    let claims =
        Claims::read(br#"{"exp":1800000000.25,"scope":"a b","auth_time":5,"n":1,"aud":["x","y"]}"#).unwrap();
    assert_eq!(claims.expires, Some(Moment::from_micros(1_800_000_000_250_000)));
    assert_eq!(claims.audiences, ["x", "y"]);
    assert_eq!(claims.text("scope"), Ok(Some("a b")));
    assert_eq!(claims.text("n"), Err(BadClaims::Type("n")));
    assert_eq!(claims.text("missing"), Ok(None));
    assert_eq!(claims.time("auth_time"), Ok(Some(Moment::from_micros(5_000_000))));
    assert_eq!(claims.time("scope"), Err(BadClaims::Type("scope")));
}

#[test]
fn times_count_at_the_limit() {
    let skew = 60;
    let far = i64::try_from(MAX_AHEAD.as_secs()).unwrap();
    let expected = expectations();
    for (name, at, outcome) in [
        ("exp", NOW - skew - 1, Err(BadClaims::Expired)),
        ("exp", NOW - skew, Err(BadClaims::Expired)),
        ("exp", NOW - skew + 1, Ok(())),
        ("exp", NOW + far, Ok(())),
        ("exp", NOW + far + 1, Err(BadClaims::FarFuture("exp"))),
        ("exp", NOW * 1_000, Err(BadClaims::Type("exp"))),
        ("exp", 0, Err(BadClaims::Expired)),
        ("nbf", NOW + skew, Ok(())),
        ("nbf", NOW + skew + 1, Err(BadClaims::NotYet)),
        ("nbf", NOW + far + 1, Err(BadClaims::FarFuture("nbf"))),
        ("iat", NOW + skew, Ok(())),
        ("iat", NOW + skew + 1, Err(BadClaims::FromTheFuture)),
        ("iat", NOW + far + 1, Err(BadClaims::FarFuture("iat"))),
        ("iat", 0, Ok(())),
    ] {
        assert_eq!(check(&expected, &with(name, at)), outcome, "{name} {}", at - NOW);
    }
    // Fractions count: half a second before and after the limit.
    assert_eq!(check(&expected, &with("exp", 1_799_999_940.5)), Ok(()));
    assert_eq!(check(&expected, &with("exp", 1_799_999_939.5)), Err(BadClaims::Expired));

    let recent = Expectations { max_age: Some(Duration::from_secs(100)), ..expected };
    for (age, outcome) in [(0, Ok(())), (160, Ok(())), (161, Err(BadClaims::TooOld))] {
        assert_eq!(check(&recent, &with("iat", NOW - age)), outcome, "{age}");
    }
    let mut undated = good();
    undated.as_object_mut().unwrap().remove("iat");
    assert_eq!(check(&recent, &undated), Err(BadClaims::Missing("iat")));
    assert_eq!(check(&expected, &undated), Ok(()));

    let mut endless = good();
    endless.as_object_mut().unwrap().remove("exp");
    assert_eq!(check(&expected, &endless), Err(BadClaims::Missing("exp")));
    let lenient = Expectations { expires: false, ..expected };
    assert_eq!(check(&lenient, &endless), Ok(()));
    assert_eq!(check(&lenient, &with("exp", NOW - 61)), Err(BadClaims::Expired));
    // Without skew, to the second.
    let exact = Expectations { skew: Duration::ZERO, ..expected };
    assert_eq!(check(&exact, &with("exp", NOW)), Err(BadClaims::Expired));
    assert_eq!(check(&exact, &with("exp", NOW + 1)), Ok(()));
}

#[test]
fn issuer_and_audience_are_compared_exactly() {
    let expected = expectations();
    for (issuer, outcome) in [
        (json!("https://id.example"), Ok(())),
        (json!("https://id.example/"), Err(BadClaims::Issuer)),
        (json!("https://ID.example"), Err(BadClaims::Issuer)),
        (json!(""), Err(BadClaims::Issuer)),
    ] {
        assert_eq!(check(&expected, &with("iss", issuer.clone())), outcome, "{issuer}");
    }
    for (audience, outcome) in [
        (json!("https://api.example"), Ok(())),
        (json!(["https://api.example"]), Ok(())),
        (json!(["https://other.example", "https://api.example"]), Ok(())),
        (json!("https://other.example"), Err(BadClaims::Audience)),
        (json!("https://api.example/"), Err(BadClaims::Audience)),
        (json!("https://api.example https://other.example"), Err(BadClaims::Audience)),
        (json!("*"), Err(BadClaims::Audience)),
        (json!(""), Err(BadClaims::Audience)),
    ] {
        assert_eq!(check(&expected, &with("aud", audience.clone())), outcome, "{audience}");
    }
    for (name, missing) in [("iss", BadClaims::Missing("iss")), ("aud", BadClaims::Missing("aud"))] {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(check(&expected, &claims), Err(missing));
    }
    // A verifier that expects no audience at all is believed by nobody's token.
    let nobody = Expectations { audience: Audience::OneOf(&[]), ..expected };
    assert_eq!(check(&nobody, &good()), Err(BadClaims::Audience));
    let anybody = Expectations { audience: Audience::Anybody, ..expected };
    let mut unaddressed = good();
    unaddressed.as_object_mut().unwrap().remove("aud");
    assert_eq!(check(&anybody, &unaddressed), Ok(()));
}

#[test]
fn a_token_of_one_type_is_not_one_of_another() {
    let claims = Claims::read(good().to_string().as_bytes()).unwrap();
    let expected = expectations();
    for (typ, fits) in [
        (r#","typ":"at+jwt""#, true),
        (r#","typ":"AT+JWT""#, true),
        (r#","typ":"application/at+jwt""#, true),
        (r#","typ":"Application/At+Jwt""#, true),
        ("", false),
        (r#","typ":"""#, false),
        (r#","typ":"JWT""#, false),
        (r#","typ":"logout+jwt""#, false),
        (r#","typ":"at+jwt ""#, false),
        (r#","typ":"text/at+jwt""#, false),
        (r#","typ":"application/application/at+jwt""#, false),
        (r#","typ":"application/""#, false),
    ] {
        let header = header(&format!(r#"{{"alg":"ES256"{typ}}}"#));
        assert_eq!(expected.check(&header, &claims).is_ok(), fits, "{typ}");
        let untyped = Expectations { untyped: true, ..expected };
        assert_eq!(untyped.check(&header, &claims).is_ok(), fits || typ.is_empty(), "{typ}");
    }
}

/// No claim is looked at before the signature is right.
#[test]
fn the_signature_comes_first() {
    let (signing, stranger) = (key(Es256, "a"), key(EdDsa, "a"));
    let keys = set(&[(&signing, Es256)]);
    let typ = r#"{"alg":"ES256","kid":"a","typ":"at+jwt"}"#;
    let outcome = |token: &str| verify(token, Limits::default(), &keys, &[Es256], &expectations());
    let good = good().to_string();
    assert_eq!(outcome(&forged(typ, good.as_bytes(), &signing, Es256)).unwrap().audiences.len(), 1);
    let expired = with("exp", 1).to_string();
    let token = forged(typ, expired.as_bytes(), &signing, Es256);
    assert_eq!(outcome(&token), Err(Refused::Claims(BadClaims::Expired)));
    let (signed, _) = token.rsplit_once('.').unwrap();
    let unsigned = format!("{signed}.{}", encoded(&[1; 64]));
    assert_eq!(outcome(&unsigned), Err(Refused::Invalid(Invalid::Signature)));
    assert_eq!(outcome("x"), Err(Refused::Malformed(Malformed::Parts)));
    let token = honest(&stranger, EdDsa, good.as_bytes());
    assert_eq!(outcome(&token), Err(Refused::Invalid(Invalid::NotAllowed)));
    let not_json = forged(typ, b"hello", &signing, Es256);
    assert_eq!(outcome(&not_json), Err(Refused::Claims(BadClaims::NotJson(NotStrict))));
}

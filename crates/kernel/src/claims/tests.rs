use serde_json::json;

use super::*;
use crate::id::PersonId;
use crate::person::Email;
use crate::time::Moment;

const EVERYTHING: &str = "openid profile email address phone groups";

/// Somebody who has filled everything.
fn ada() -> Person {
    let mut ada = Person::new(PersonId::from_bytes([1; 16]), "ada".parse().unwrap(), Moment::from_micros(0));
    ada.changed = Moment::from_micros(1_800_000_000_999_999);
    ada.display_name = Some("Ada Lovelace".into());
    ada.set_email(Some(Email::parse("ada@example.com").unwrap()));
    ada.verify_email(true);
    ada.groups = vec!["analysts".into(), "staff".into()];
    for detail in Detail::ALL {
        let typed = match detail {
            Detail::PhoneNumber => "+44 20 7946 0000",
            Detail::StreetAddress => "12 St James’s Square",
            Detail::Locality => "London",
            Detail::Region => "Greater London",
            Detail::PostalCode => "SW1Y 4JH",
            Detail::Country => "United Kingdom",
            Detail::Profile | Detail::Picture | Detail::Website => "https://example.com/ada",
            Detail::Birthdate => "1815-12-10",
            Detail::Zoneinfo => "Europe/London",
            Detail::Locale => "en-GB",
            _ => detail.name(),
        };
        ada.profile.set(detail, typed).unwrap();
    }
    let claims = json!({
        "floor": 3, "desk": "C", "secret": "kept", "nothing": null,
        "email": "root@example.com", "sub": "root", "nonce": "forged"
    });
    ada.claims = claims.as_object().unwrap().clone();
    ada
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn told(person: &Person, scope: &str, request: &Value, place: Place) -> Value {
    let (always, on_request) = (names(&["floor", "nothing", "email", "sub", "nonce"]), names(&["desk"]));
    let custom = Custom { always: &always, on_request: &on_request };
    let request = ClaimsRequest::parse(&request.to_string(), custom).unwrap();
    claims_of(person, &scope.parse().unwrap(), &request, custom, place).into()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn scopes_and_claims_have_their_names() {
    for claim in Claim::ALL {
        assert_eq!(Claim::named(claim.name()), Some(claim));
        assert!(claim.scope().claims().any(|own| own == claim));
    }
    for scope in StandardScope::ALL {
        assert_eq!(StandardScope::named(scope.name()), Some(scope));
    }
    let whole: usize = StandardScope::ALL.iter().map(|scope| scope.claims().count()).sum();
    assert_eq!(whole, Claim::ALL.len());
    assert_eq!(StandardScope::Profile.claims().count(), 14, "those of §5.4");
    assert_eq!(StandardScope::OpenId.claims().count() + StandardScope::OfflineAccess.claims().count(), 0);
    let details = Detail::ALL.iter().filter(|detail| !detail.is_of_address());
    assert!(details.clone().all(|detail| Claim::ALL.contains(&Claim::Detail(*detail))));
    assert_eq!(details.count(), Claim::ALL.iter().filter(|claim| matches!(claim, Claim::Detail(_))).count());
    assert_eq!(Claim::named("street_address"), None);
}

#[test]
fn a_full_person_has_every_standard_claim() {
    let expected = json!({
        "name": "Ada Lovelace", "given_name": "given_name", "middle_name": "middle_name", "family_name": "family_name",
        "nickname": "nickname", "preferred_username": "ada", "profile": "https://example.com/ada",
        "picture": "https://example.com/ada", "website": "https://example.com/ada", "gender": "gender",
        "birthdate": "1815-12-10", "zoneinfo": "Europe/London", "locale": "en-GB", "updated_at": 1_800_000_000,
        "email": "ada@example.com", "email_verified": true,
        "address": {
            "street_address": "12 St James’s Square", "locality": "London", "region": "Greater London",
            "postal_code": "SW1Y 4JH", "country": "United Kingdom",
            "formatted": "12 St James’s Square\nSW1Y 4JH London\nGreater London\nUnited Kingdom"
        },
        "phone_number": "+442079460000", "phone_number_verified": false,
        "groups": ["analysts", "staff"], "floor": 3
    });
    assert_eq!(told(&ada(), EVERYTHING, &json!({}), Place::UserInfo), expected);
    assert_eq!(told(&ada(), EVERYTHING, &json!({}), Place::IdTokenAlone), expected);
    assert_eq!(told(&ada(), EVERYTHING, &json!({}), Place::IdToken), json!({}));
}

#[test]
fn each_scope_yields_its_own_and_nothing_else() {
    let of = |scope: &str| told(&ada(), scope, &json!({}), Place::UserInfo);
    assert_eq!(of("openid"), json!({"floor": 3}));
    assert_eq!(of("openid offline_access unknown"), json!({"floor": 3}));
    assert_eq!(of("openid email"), json!({"email": "ada@example.com", "email_verified": true, "floor": 3}));
    assert_eq!(keys(&of("openid address")), ["address", "floor"]);
    assert_eq!(keys(&of("openid phone")), ["floor", "phone_number", "phone_number_verified"]);
    assert_eq!(keys(&of("openid groups")), ["floor", "groups"]);
    assert_eq!(keys(&of("openid profile")).len(), 15);
    assert_eq!(of("profile email address phone groups"), json!({}), "nothing without openid");
    let everything = json!({"userinfo": {"email": null}});
    assert_eq!(told(&ada(), "profile", &everything, Place::UserInfo), json!({}));
}

#[test]
fn who_has_said_nothing_has_no_empty_claims() {
    let bare = Person::new(PersonId::from_bytes([1; 16]), "Ann".parse().unwrap(), Moment::from_micros(0));
    assert_eq!(
        told(&bare, EVERYTHING, &json!({}), Place::UserInfo),
        json!({"name": "Ann", "preferred_username": "Ann", "updated_at": 0})
    );
    let mut named = bare;
    named.profile.set(Detail::GivenName, "Ann").unwrap();
    named.profile.set(Detail::FamilyName, "Weber").unwrap();
    assert_eq!(told(&named, EVERYTHING, &json!({}), Place::UserInfo)["name"], "Ann Weber");
}

#[test]
fn what_is_asked_for_is_told_where_it_is_asked() {
    let request = json!({
        "userinfo": {"given_name": {"essential": true}, "desk": null, "secret": null, "family_name#de": null, "unknown": null},
        "id_token": {"email": null, "auth_time": {"essential": true}, "floor": null}
    });
    let at = |place| told(&ada(), "openid", &request, place);
    assert_eq!(at(Place::UserInfo), json!({"given_name": "given_name", "desk": "C", "floor": 3}));
    assert_eq!(at(Place::IdToken), json!({"email": "ada@example.com", "floor": 3}));
    assert_eq!(at(Place::IdTokenAlone), json!({"email": "ada@example.com", "floor": 3}));
    let without = told(&ada(), "openid email", &json!({"id_token": {"groups": null}}), Place::IdToken);
    assert_eq!(without, json!({"groups": ["analysts", "staff"]}));
}

#[test]
fn another_value_than_the_wanted_is_left_out() {
    let asked = |wish: Value| told(&ada(), "openid", &json!({"id_token": {"locale": wish}}), Place::IdToken);
    for wish in [
        json!({"value": "en-GB"}),
        json!({"values": ["de", "en-GB"]}),
        json!({"values": []}),
        json!({"value": null}),
    ] {
        assert_eq!(asked(wish), json!({"locale": "en-GB"}));
    }
    for wish in
        [json!({"value": "de"}), json!({"essential": true, "values": ["de", 7]}), json!({"value": true})]
    {
        assert_eq!(asked(wish), json!({}));
    }
    let scoped =
        told(&ada(), "openid profile", &json!({"userinfo": {"locale": {"value": "de"}}}), Place::UserInfo);
    assert_eq!(scoped["locale"], "en-GB", "the scope asks without a value");
}

fn parsed(text: &str) -> Result<ClaimsRequest, NotAClaimsRequest> {
    ClaimsRequest::parse(text, Custom::default())
}

#[test]
fn the_example_of_the_standard_is_understood() {
    // §5.5
    let request = parsed(
        r#"{"userinfo": {"given_name": {"essential": true}, "nickname": null, "email": {"essential": true},
             "email_verified": {"essential": true}, "picture": null, "http://example.info/claims/groups": null},
            "id_token": {"auth_time": {"essential": true}, "acr": {"values": ["urn:mace:incommon:iap:silver"]}}}"#,
    )
    .unwrap();
    assert!(request.userinfo.get("given_name").unwrap().essential);
    assert!(!request.userinfo.get("nickname").unwrap().essential);
    assert_eq!(request.userinfo.get("http://example.info/claims/groups"), None, "nobody knows it");
    assert!(request.wants_auth_time());
    assert_eq!(request.acr(), Some(Acr { essential: false, values: vec!["urn:mace:incommon:iap:silver"] }));
    assert_eq!(request.scopes().collect::<Vec<_>>(), [StandardScope::Profile, StandardScope::Email]);
    let stored = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<ClaimsRequest>(&stored).unwrap(), request);
    assert!(request.weight() > 0 && ClaimsRequest::default().weight() == 0);
    assert_eq!(serde_json::to_string(&ClaimsRequest::default()).unwrap(), "{}");
}

#[test]
fn what_is_asked_of_the_sign_in_is_told_apart() {
    let none = parsed("{}").unwrap();
    assert!(none.is_empty() && !none.wants_auth_time() && none.acr().is_none() && none.allows_subject("ada"));
    let asked = |text: &str| parsed(text).unwrap();
    assert!(!asked(r#"{"userinfo": {"auth_time": null, "acr": null}}"#).wants_auth_time());
    assert_eq!(asked(r#"{"userinfo": {"acr": {"value": "2"}}}"#).acr(), None);
    let acr = asked(r#"{"id_token": {"acr": {"essential": true, "value": "2"}}}"#);
    assert_eq!(acr.acr(), Some(Acr { essential: true, values: vec!["2"] }));
    for at in ["userinfo", "id_token"] {
        let sub = asked(&format!(r#"{{"{at}": {{"sub": {{"value": "ada"}}}}}}"#));
        assert!(sub.allows_subject("ada") && !sub.allows_subject("eve") && !sub.allows_subject(""));
    }
    let both = asked(r#"{"userinfo": {"sub": {"value": "ada"}}, "id_token": {"sub": {"values": ["eve"]}}}"#);
    assert!(!both.allows_subject("ada") && !both.allows_subject("eve"));
    assert!(asked(r#"{"id_token": {"sub": null}}"#).allows_subject("ada"));
}

#[test]
fn what_is_not_granted_is_dropped() {
    let on_request = names(&["desk"]);
    let custom = Custom { always: &[], on_request: &on_request };
    let text = r#"{"userinfo": {"email": null, "name": null, "desk": null, "sub": {"value": "ada"}}, "id_token": {"email_verified": null}}"#;
    let request = ClaimsRequest::parse(text, custom).unwrap().within(&"openid profile".parse().unwrap());
    assert!(request.id_token.is_empty() && request.userinfo.get("email").is_none());
    assert!(request.userinfo.get("name").is_some() && request.userinfo.get("desk").is_some());
    assert!(!request.allows_subject("eve"), "what binds the sign-in is no claim to be narrowed");
}

#[test]
fn a_claim_the_settings_no_longer_give_is_told_no_longer() {
    let on_request = names(&["desk"]);
    let text = r#"{"userinfo": {"desk": null}}"#;
    let request = ClaimsRequest::parse(text, Custom { always: &[], on_request: &on_request }).unwrap();
    assert!(
        claims_of(&ada(), &"openid".parse().unwrap(), &request, Custom::default(), Place::UserInfo)
            .is_empty()
    );
}

#[test]
fn other_shapes_are_refused_for_what_is_odd() {
    use NotAClaimsRequest::{NotJson, NotText, Place, Wish};
    for (text, problem) in [
        ("", NotJson),
        ("null", NotJson),
        ("[]", NotJson),
        ("{}{}", NotJson),
        (r#"{"userinfo": {}, "userinfo": {}}"#, NotJson),
        (r#"{"userinfo": {"email": null, "email": null}}"#, NotJson),
        (r#"{"userinfo": []}"#, Place),
        (r#"{"id_token": "email"}"#, Place),
        (r#"{"id_token": true}"#, Place),
        (r#"{"userinfo": {"email": true}}"#, Wish),
        (r#"{"userinfo": {"email": []}}"#, Wish),
        (r#"{"userinfo": {"unknown": "x"}}"#, Wish),
        (r#"{"userinfo": {"email": {"essential": "true"}}}"#, Wish),
        (r#"{"userinfo": {"email": {"values": "a"}}}"#, Wish),
        (r#"{"userinfo": {"email": {"value": "a", "values": ["a"]}}}"#, Wish),
        (r#"{"id_token": {"sub": {"value": 7}}}"#, NotText),
        (r#"{"id_token": {"acr": {"values": ["1", 2]}}}"#, NotText),
    ] {
        assert_eq!(parsed(text), Err(problem), "{text}");
    }
    let nested = |depth: usize| format!(r#"{{"x": {}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(parsed(&nested(10)).unwrap().is_empty());
    assert_eq!(parsed(&nested(1000)), Err(NotJson));
}

#[test]
fn what_is_not_understood_is_read_past() {
    for text in [
        r#"{"later": 7, "userinfo": null}"#,
        r#"{"userinfo": {"unknown": {"essential": true}, "family_name#de": null, "iss": null}}"#,
        r#"{"id_token": {"unknown": {"purpose": "x"}}}"#,
    ] {
        assert!(parsed(text).unwrap().is_empty(), "{text}");
    }
    let wish = parsed(r#"{"id_token": {"email": {"purpose": "x", "essential": null}}}"#).unwrap();
    assert_eq!(wish.id_token.get("email"), Some(&Wish::default()));
}

#[test]
fn sizes_at_below_and_above_their_limits() {
    let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
    assert!(parsed(&padded(MAX_REQUEST - 1)).is_ok() && parsed(&padded(MAX_REQUEST)).is_ok());
    assert_eq!(parsed(&padded(MAX_REQUEST + 1)), Err(NotAClaimsRequest::TooLong));
    for place in ["userinfo", "id_token"] {
        let many = |count: usize| {
            let wishes: Map<String, Value> = (0..count).map(|n| (format!("c{n}"), Value::Null)).collect();
            parsed(&json!({place: wishes}).to_string())
        };
        assert!(many(MAX_WISHES - 1).is_ok() && many(MAX_WISHES).is_ok());
        assert_eq!(many(MAX_WISHES + 1), Err(NotAClaimsRequest::TooMany));
    }
}

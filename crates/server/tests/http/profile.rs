//! What people say of themselves: on their account page, on the page of administrators, and on the command line.

use gateward_kernel::claims::{ClaimsRequest, Custom, Place, claims_of};
use gateward_kernel::person::{Detail, Email, MAX_DETAIL_TEXT, MAX_WEB_ADDRESS};
use serde_json::{Value, json};

use crate::house::House;
use crate::machine::Machine;

/// Every field with what is typed, and what is kept of it.
const FILLED: [(&str, &str, &str); 17] = [
    ("given_name", " Ann ", "Ann"),
    ("middle_name", "B.", "B."),
    ("family_name", "Weber & <Söhne>", "Weber & <Söhne>"),
    ("nickname", "Annie", "Annie"),
    ("phone_number", "+43 (1) 234-5678", "+4312345678"),
    ("street_address", "c/o Ada\r\nRing 1", "c/o Ada\nRing 1"),
    ("locality", "Wien", "Wien"),
    ("region", "Wien", "Wien"),
    ("postal_code", "1010", "1010"),
    ("country", "Österreich", "Österreich"),
    ("profile", "https://example.com/ann", "https://example.com/ann"),
    ("picture", "https://example.com/ann.jpg", "https://example.com/ann.jpg"),
    ("website", "HTTP://ann.example.com", "http://ann.example.com/"),
    ("gender", "female", "female"),
    ("birthdate", "0000-05-17", "0000-05-17"),
    ("zoneinfo", "Europe/Vienna", "Europe/Vienna"),
    ("locale", "de_at", "de-AT"),
];

fn fields<'a>(changed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let names = [("display_name", "Ann W."), ("email", "ann@example.org")];
    let all = names.into_iter().chain(FILLED.map(|(name, typed, _)| (name, typed)));
    all.map(|(name, typed)| {
        (name, changed.iter().find(|(other, _)| *other == name).map_or(typed, |(_, other)| *other))
    })
    .collect()
}

#[tokio::test]
async fn a_person_fills_every_standard_claim() {
    let house = House::new().await;
    house.person("ann").await;
    let mut ann = house.signed_in("ann").await;
    let page = ann.get("/account").await.expect(200).text();
    assert!(page.contains("<details class=\"more\" id=\"more\">"), "closed");
    let done = ann.fill("/account", "/account/profile", &fields(&[])).await.expect(303);
    assert_eq!(done.header("location"), Some("/account?done=profile"));
    let stored = house.stored("ann").await;
    for (name, _, kept) in FILLED {
        assert_eq!(stored.profile.get(Detail::named(name).unwrap()), Some(kept), "{name}");
    }
    let scope = "openid profile email address phone".parse().unwrap();
    let told = claims_of(&stored, &scope, &ClaimsRequest::default(), Custom::default(), Place::UserInfo);
    assert_eq!(told.len(), 19, "every standard claim but sub: {told:?}");
    let page = ann.get("/account").await.expect(200).text();
    assert!(page.contains("value=\"Weber &amp; &lt;Söhne&gt;\""));
    assert!(page.contains(">c/o Ada\nRing 1</textarea>"));

    // What a form leaves out stays; what is emptied is taken away.
    ann.fill("/account", "/account/profile", &[("display_name", "Ann"), ("nickname", " ")]).await.expect(303);
    let stored = house.stored("ann").await;
    assert_eq!(stored.profile.iter().count(), 16);
    assert_eq!((stored.profile.get(Detail::Nickname), stored.email), (None, None));
}

#[tokio::test]
async fn what_is_refused_is_told_at_its_field_and_changes_nothing() {
    let house = House::new().await;
    house.person("ann").await;
    let mut ann = house.signed_in("ann").await;
    let (long, address) =
        ("a".repeat(MAX_DETAIL_TEXT + 1), format!("https://example.com/{}", "a".repeat(MAX_WEB_ADDRESS)));
    let refused = [
        ("given_name", long.as_str(), "too long"),
        ("family_name", "a\u{1b}b", "cannot be shown"),
        ("street_address", "a\nb\nc\nd\ne", "at most four"),
        ("profile", "javascript:alert(1)", "web address"),
        ("picture", address.as_str(), "too long"),
        ("website", "example.com", "web address"),
        ("birthdate", "17.5.1990", "date of birth"),
        ("zoneinfo", "Vienna, Austria", "time zone"),
        ("locale", "German (Austria)", "language tag"),
        ("phone_number", "01 2345678", "telephone number"),
        ("display_name", long.as_str(), "too long"),
        ("email", "nonsense", "e-mail address"),
    ];
    let before = house.stored("ann").await;
    for (name, typed, words) in refused {
        let page =
            ann.fill("/account", "/account/profile", &fields(&[(name, typed)])).await.expect(422).text();
        let (_, problems) =
            page.split_once(&format!("id=\"{name}-problems\"")).unwrap_or_else(|| panic!("{name}"));
        assert!(problems.split("</ul>").next().unwrap().contains(words), "{name}");
        assert_eq!(page.matches("-problems\"><li>").count(), 1, "{name}");
        let is_detail = Detail::named(name).is_some();
        assert_eq!(page.contains("id=\"more\" open>"), is_detail, "{name}: the field is to be seen");
    }
    let all: Vec<_> = refused.iter().map(|(name, typed, _)| (*name, *typed)).collect();
    let page = ann.fill("/account", "/account/profile", &fields(&all)).await.expect(422).text();
    assert_eq!(page.matches("-problems\"><li>").count(), refused.len(), "all at once");
    assert!(page.contains("value=\"17.5.1990\""), "what was typed is there to be mended");
    assert_eq!(house.stored("ann").await, before);
}

#[tokio::test]
async fn whoever_changes_what_was_verified_has_it_verified_no_longer() {
    let house = House::new().await;
    house
        .person_like("ann", |ann| {
            ann.set_email(Some(Email::parse("ann@example.org").unwrap()));
            ann.verify_email(true);
            ann.profile.set(Detail::PhoneNumber, "+4312345678").unwrap();
            ann.profile.verify_phone(true);
        })
        .await;
    let root = house.admin("root").await;
    let mut ann = house.signed_in("ann").await;
    let page = ann.get("/account").await.expect(200).text();
    assert_eq!(page.matches("Verified. Another").count(), 2);
    let verified = async || {
        let ann = house.stored("ann").await;
        (ann.email_verified(), ann.profile.phone_verified())
    };
    // The same, in another spelling; and what nobody but an administrator may say.
    let same = [("email", "Ann@Example.org"), ("phone_number", "+43 1 2345678"), ("email_verified", "false")];
    ann.fill("/account", "/account/profile", &same).await.expect(303);
    assert_eq!(verified().await, (true, true));
    let other = [
        ("email", "eve@example.org"),
        ("phone_number", "+43 1 2345679"),
        ("email_verified", "true"),
        ("phone_verified", "true"),
    ];
    ann.fill("/account", "/account/profile", &other).await.expect(303);
    assert_eq!(verified().await, (false, false));
    ann.fill("/account", "/account/profile", &same).await.expect(303);
    assert_eq!(verified().await, (false, false), "it has to be verified anew");

    house.change("ann", |ann| ann.profile.verify_phone(true)).await;
    let id = house.stored("ann").await.id;
    assert_ne!(id, root);
    let mut admin = house.signed_in("root").await;
    let page = admin.get(&format!("/admin/people/{id}")).await.expect(200).text();
    assert!(page.contains(
        "<dt>Telephone</dt><dd class=\"lines\">+4312345678 <span class=\"badge badge-good\">verified"
    ));
    assert_eq!(page.matches(">verified<").count(), 1);
}

#[tokio::test]
async fn administrators_give_a_profile_by_a_file() {
    let machine = Machine::new();
    machine.add(&["ann", "--email", "ann@example.org"]).await;
    let give = async |profile: &Value, more: &[&str]| {
        std::fs::write(machine.folder.path().join("ann.json"), profile.to_string()).unwrap();
        machine.run(&[&["user", "change", "ann", "--json", "--profile", "ann.json"], more].concat()).await
    };
    let (mut whole, mut address) = (json!({}), json!({}));
    for (name, _, kept) in FILLED {
        let is_of_address = Detail::named(name).unwrap().is_of_address();
        (if is_of_address { &mut address } else { &mut whole })[name] = kept.into();
    }
    whole["address"] = address;
    assert!(give(&whole, &["--email-verified", "--phone-verified"]).await.status.success());
    let shown = machine.json(&["user", "show", "ann"]).await;
    assert_eq!(shown["profile"], whole, "it is shown as it is given");
    assert_eq!((&shown["email_verified"], &shown["phone_verified"]), (&json!(true), &json!(true)));
    let nothing = json!({"nickname": null, "address": {"region": ""}});
    assert!(give(&nothing, &["--email-verified=false"]).await.status.success());
    let shown = machine.json(&["user", "show", "ann"]).await;
    assert_eq!(
        (&shown["profile"]["nickname"], &shown["profile"]["address"]["region"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(shown["profile"]["address"]["country"], "Österreich");
    assert_eq!((&shown["email_verified"], &shown["phone_verified"]), (&json!(false), &json!(true)));

    for (profile, more, words) in [
        (json!([]), &[][..], "no JSON object"),
        (json!({"star_sign": "x"}), &[], "no standard claim"),
        (json!({"email": "a@b.example"}), &[], "--email"),
        (json!({"phone_number_verified": true}), &[], "--phone-verified"),
        (json!({"locality": "Wien"}), &[], "member of \"address\""),
        (json!({"address": {"formatted": "x"}}), &[], "made of the other members"),
        (json!({"address": {"nickname": "x"}}), &[], "no standard claim"),
        (json!({"address": "x"}), &[], "no JSON object"),
        (json!({"nickname": 7}), &[], "no text"),
        (json!({"birthdate": "1990-02-30"}), &[], "no date of birth"),
        (json!({"nickname": "a".repeat(129)}), &[], "longer than 128 bytes"),
        (json!({"nickname": "a".repeat(33_000)}), &[], "larger than"),
        (json!({"phone_number": ""}), &["--phone-verified"], "none that could be verified"),
        (json!({}), &["--no-email", "--email-verified"], "none that could be verified"),
    ] {
        let output = give(&profile, more).await;
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(words), "{profile}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    assert_eq!(machine.json(&["user", "show", "ann"]).await, shown, "what is refused changes nothing");
}

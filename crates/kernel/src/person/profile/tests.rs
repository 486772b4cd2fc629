use super::*;

fn read(detail: Detail, typed: &str) -> Result<String, DetailProblem> {
    detail.read(typed).map(|told| told.text.map(String::from).unwrap_or_default())
}

/// A web address of exactly so many bytes.
fn address(length: usize) -> String {
    let start = "https://example.com/";
    format!("{start}{}", "a".repeat(length - start.len()))
}

#[test]
fn every_detail_has_its_name() {
    for detail in Detail::ALL {
        assert_eq!(Detail::named(detail.name()), Some(detail));
        assert_eq!(serde_json::to_value(detail).unwrap(), detail.name());
    }
    assert_eq!(Detail::named("email"), None);
    let mut sorted = Detail::ALL;
    sorted.sort_unstable();
    assert_eq!(sorted, Detail::ALL, "they are shown in their order");
}

#[test]
fn nothing_is_nothing() {
    for detail in Detail::ALL {
        assert_eq!(detail.read(" \t\r\n "), Ok(Told { detail, text: None }), "{detail:?}");
    }
}

#[test]
fn lines_at_below_and_above_their_limits() {
    use Detail::*;
    let lines = [
        (GivenName, MAX_DETAIL_TEXT),
        (MiddleName, MAX_DETAIL_TEXT),
        (FamilyName, MAX_DETAIL_TEXT),
        (Nickname, MAX_DETAIL_TEXT),
        (Gender, MAX_DETAIL_TEXT),
        (Locality, MAX_DETAIL_TEXT),
        (Region, MAX_DETAIL_TEXT),
        (Country, MAX_DETAIL_TEXT),
        (PostalCode, MAX_POSTAL_CODE),
        (StreetAddress, MAX_STREET),
    ];
    for (detail, max) in lines {
        for length in [max - 1, max] {
            assert_eq!(read(detail, &"a".repeat(length)).unwrap().len(), length, "{detail:?}");
        }
        for length in [max + 1, max * 4, max * 4 + 1, 1 << 20] {
            assert_eq!(read(detail, &"a".repeat(length)), Err(DetailProblem::TooLong(max)), "{detail:?}");
        }
        // Bytes are counted after composition: two each instead of three.
        assert!(read(detail, &"e\u{301}".repeat(max / 2)).is_ok(), "{detail:?}");
        for odd in ["a\u{0}b", "a\u{1b}[1mb", "a\u{2028}b", "a\u{7f}"] {
            assert_eq!(read(detail, odd), Err(DetailProblem::Characters), "{detail:?} {odd:?}");
        }
        assert_eq!(read(detail, "  Ada  ").unwrap(), "Ada");
        if detail != StreetAddress {
            assert_eq!(read(detail, "a\nb"), Err(DetailProblem::Characters), "{detail:?}");
        }
    }
}

#[test]
fn a_street_address_has_lines() {
    let street = |typed: &str| read(Detail::StreetAddress, typed);
    assert_eq!(
        street("c/o Babbage\r\n\r\n 12 St James’s Square \r\n").unwrap(),
        "c/o Babbage\n12 St James’s Square"
    );
    assert_eq!(street("a\nb\nc\nd").unwrap().lines().count(), MAX_STREET_LINES);
    assert_eq!(street("a\nb\nc\nd\ne"), Err(DetailProblem::Lines));
    assert_eq!(street("a\rb"), Err(DetailProblem::Characters));
}

#[test]
fn web_addresses_lead_to_the_web_and_nowhere_else() {
    for detail in [Detail::Profile, Detail::Picture, Detail::Website] {
        for (typed, normal) in [
            ("https://example.com", "https://example.com/"),
            ("HTTP://Example.COM/A?b=c#d", "http://example.com/A?b=c#d"),
            (" https://bücher.example/ä ", "https://xn--bcher-kva.example/%C3%A4"),
        ] {
            assert_eq!(read(detail, typed).unwrap(), normal);
        }
        for odd in [
            "example.com",
            "/ada",
            "//example.com/",
            "ftp://example.com/",
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "https://",
            "https://ada@example.com/",
            "https://ada:secret@example.com/",
            "https://exa mple.com/",
            "https://example.com/a b",
            "https://example.com/\u{0}",
        ] {
            assert_eq!(read(detail, odd), Err(DetailProblem::WebAddress), "{odd:?}");
        }
        for length in [MAX_WEB_ADDRESS - 1, MAX_WEB_ADDRESS] {
            assert_eq!(read(detail, &address(length)).unwrap().len(), length);
        }
        let too_long = Err(DetailProblem::TooLong(MAX_WEB_ADDRESS));
        assert_eq!(read(detail, &address(MAX_WEB_ADDRESS + 1)), too_long);
        // Its normal form is longer than what was typed.
        assert_eq!(read(detail, &format!("https://example.com/{}", "ä".repeat(400))), too_long);
    }
}

#[test]
fn births_are_days_of_the_calendar() {
    let birth = |typed: &str| read(Detail::Birthdate, typed);
    for fine in [
        "1815-12-10",
        "0000-12-10",
        "1815",
        "2000-02-29",
        "0000-02-29",
        "0001",
        "9999",
        "0001-01-01",
        "9999-12-31",
    ] {
        assert_eq!(birth(fine).unwrap(), fine);
    }
    for odd in [
        "0000",
        "1900-02-29",
        "1815-13-01",
        "1815-00-10",
        "1815-12-00",
        "1815-12-32",
        "1815-12",
        "1815-12-10-01",
        "1815-1-1",
        "10.12.1815",
        "181",
        "18155",
        "+815",
        "-815-12-10",
        "1815-12-10T00:00:00Z",
        "１８１５",
    ] {
        assert_eq!(birth(odd), Err(DetailProblem::Birthdate), "{odd:?}");
    }
}

#[test]
fn zones_have_the_form_of_the_database() {
    let zone = |typed: &str| read(Detail::Zoneinfo, typed);
    for fine in [
        "Europe/Berlin",
        "UTC",
        "Etc/GMT+8",
        "America/Argentina/Buenos_Aires",
        "America/Port-au-Prince",
        "EST5EDT",
    ] {
        assert_eq!(zone(fine).unwrap(), fine);
    }
    for odd in [
        "/etc/passwd",
        "Europe/",
        "Europe//Berlin",
        "../UTC",
        "a/b/c/d",
        "Europe/Ber lin",
        "+01:00",
        "Zürich",
        "1",
    ] {
        assert_eq!(zone(odd), Err(DetailProblem::Zone), "{odd:?}");
    }
    assert!(zone(&"a".repeat(MAX_ZONE - 1)).is_ok() && zone(&"a".repeat(MAX_ZONE)).is_ok());
    assert_eq!(zone(&"a".repeat(MAX_ZONE + 1)), Err(DetailProblem::Zone));
}

#[test]
fn locales_are_tags_in_their_usual_case() {
    let locale = |typed: &str| read(Detail::Locale, typed);
    for (typed, normal) in [
        ("de", "de"),
        ("EN-us", "en-US"),
        ("en_GB", "en-GB"),
        ("ZH-hant-tw", "zh-Hant-TW"),
        ("de-ch-1996", "de-CH-1996"),
        ("es-419", "es-419"),
        ("en-u-ca-gregory", "en-u-ca-gregory"),
        ("de-x-ab", "de-x-ab"),
        ("de-x-a-b", "de-x-a-b"),
    ] {
        assert_eq!(locale(typed).unwrap(), normal);
    }
    for odd in [
        "d",
        "de-",
        "-de",
        "de--AT",
        "german language",
        "abcdefghi",
        "de-abcdefghi",
        "d1",
        "de-x",
        "en-u-x",
        "dé",
        "*",
    ] {
        assert_eq!(locale(odd), Err(DetailProblem::Locale), "{odd:?}");
    }
    let tag =
        |length: usize| format!("de-{}", ["abcdefgh"; 4].join("-")).chars().take(length).collect::<String>();
    assert!(locale(&tag(MAX_LOCALE - 1)).is_ok() && locale(&tag(MAX_LOCALE)).is_ok());
    assert_eq!(locale(&tag(MAX_LOCALE + 1)), Err(DetailProblem::Locale));
}

#[test]
fn telephone_numbers_are_international() {
    let phone = |typed: &str| read(Detail::PhoneNumber, typed);
    for typed in ["+49301234567", "+49 30 1234567", "+49 (30) 123-45.67", "+49\u{a0}30/1234567"] {
        assert_eq!(phone(typed).unwrap(), "+49301234567");
    }
    for (digits, is_fine) in
        [(6, false), (7, true), (8, true), (14, true), (15, true), (16, false), (4000, false)]
    {
        let typed = format!("+{}", "1".repeat(digits));
        assert_eq!(phone(&typed).is_ok(), is_fine, "{digits}");
    }
    for odd in [
        "030 1234567",
        "0049301234567",
        "+049301234567",
        "+49 (0)30 1234567",
        "+49 30 CALLME",
        "++49301234567",
        "+49301234567;ext=8",
        "+",
    ] {
        assert_eq!(phone(odd), Err(DetailProblem::Phone), "{odd:?}");
    }
}

#[test]
fn what_was_verified_counts_for_that_number_alone() {
    let mut profile = Profile::default();
    profile.verify_phone(true);
    assert!(!profile.phone_verified() && profile.is_empty(), "there is no number");
    profile.set(Detail::PhoneNumber, "+49301234567").unwrap();
    assert!(!profile.phone_verified());
    profile.verify_phone(true);
    assert!(profile.phone_verified());
    profile.set(Detail::PhoneNumber, "+49 30 1234567").unwrap();
    profile.set(Detail::Nickname, "Ada").unwrap();
    assert!(profile.phone_verified(), "it is the same number");
    assert_eq!(profile.set(Detail::PhoneNumber, "nonsense"), Err(DetailProblem::Phone));
    assert!(profile.phone_verified(), "a refused change changes nothing");
    profile.set(Detail::PhoneNumber, "+49307654321").unwrap();
    assert!(!profile.phone_verified());
    profile.set(Detail::PhoneNumber, "+49301234567").unwrap();
    assert!(!profile.phone_verified(), "it has to be verified anew");
    profile.verify_phone(true);
    profile.verify_phone(false);
    assert!(!profile.phone_verified());
}

#[test]
fn an_address_is_written_as_on_a_letter() {
    let mut profile = Profile::default();
    assert_eq!(profile.formatted_address(), None);
    profile.set(Detail::Country, "Austria").unwrap();
    assert_eq!(profile.formatted_address().unwrap(), "Austria");
    profile.set(Detail::StreetAddress, "c/o Weber\nRing 1").unwrap();
    profile.set(Detail::PostalCode, "1010").unwrap();
    profile.set(Detail::Locality, "Wien").unwrap();
    assert_eq!(profile.formatted_address().unwrap(), "c/o Weber\nRing 1\n1010 Wien\nAustria");
}

#[test]
fn what_a_newer_version_knows_is_read_past() {
    let mut profile = Profile::default();
    profile.set(Detail::GivenName, "Ada").unwrap();
    let mut stored = serde_json::to_value(&profile).unwrap();
    stored["details"]["star_sign"] = "Sagittarius".into();
    stored["details"]["nickname"] = serde_json::json!({"de": "x"});
    stored["later"] = true.into();
    assert_eq!(serde_json::from_value::<Profile>(stored).unwrap(), profile);
    assert_eq!(serde_json::from_str::<Profile>("{}").unwrap(), Profile::default());
}

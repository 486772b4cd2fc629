use proptest::prelude::*;

use super::*;

#[test]
fn honest_paths_are_read_in_three_forms() {
    for (text, decoded, loose) in [
        ("/", "/", "/"),
        ("/a/b", "/a/b", "/a/b"),
        ("/a/b/", "/a/b/", "/a/b"),
        ("/Wiki/Main_Page", "/Wiki/Main_Page", "/wiki/main_page"),
        ("/wiki/What%3F", "/wiki/What?", "/wiki/what"),
        ("/wiki/C%23", "/wiki/C#", "/wiki/c"),
        ("/caf%C3%A9", "/café", "/cafe"),
        ("/%E3%81%82", "/あ", "/あ"),
        ("/100%25", "/100%", "/100%"),
        ("/100%25_of", "/100%_of", "/100%_of"),
        ("/a%20b", "/a b", "/a b"),
        ("/a.b/c..d/.hidden", "/a.b/c..d/.hidden", "/a.b/c..d/.hidden"),
        ("/admin.", "/admin.", "/admin"),
        ("/admin%20/x", "/admin /x", "/admin/x"),
        ("/admin::$DATA", "/admin::$DATA", "/admin"),
        ("/%EF%BD%81dmin", "/\u{ff41}dmin", "/admin"),
        ("/adm%C4%B1n", "/adm\u{131}n", "/admin"),
        ("/ad%C2%ADmin", "/ad\u{ad}min", "/admin"),
        ("/%E2%84%AAey", "/\u{212a}ey", "/key"),
        ("/x%EF%BC%9By/z", "/x\u{ff1b}y/z", "/x/z"),
        ("/special:login", "/special:login", "/special:login"),
    ] {
        let target = Target::read(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        assert_eq!((target.raw(), target.decoded(), target.loose()), (text, decoded, loose));
    }
    let target = Target::read("/a?b=%2f%2e;\\..//?#x".trim_end_matches("#x")).unwrap();
    assert_eq!((target.raw(), target.query()), ("/a", Some("b=%2f%2e;\\..//?")), "a query is nobody's path");
    assert_eq!(Target::read("/a?").unwrap().query(), Some(""));
    assert_eq!(Target::read("/a").unwrap().query(), None);
}

#[test]
fn what_servers_read_in_two_ways_is_refused() {
    let families: &[(&str, &[&str])] = &[
        (
            "has a dot segment",
            &[
                "/.",
                "/..",
                "/./a",
                "/a/.",
                "/a/..",
                "/a/../b",
                "/a/%2e",
                "/a/%2E%2e/b",
                "/a/.%2e/b",
                "/a/%2e./b",
            ],
        ),
        ("has an empty part (//)", &["//", "//a", "/a//b", "/a//"]),
        ("has an encoded slash", &["/a%2fb", "/a%2Fb", "/%2f", "/a/..%2fb", "/%2e%2e%2fa"]),
        ("has a backslash in it", &["/a\\b", "/a%5cb", "/a%5C..%5cb", "/\\", "/a/..\\b"]),
        ("has a semicolon in it", &["/a;b", "/a/..;/b", "/a%3bb", "/;/a", "/a;jsessionid=1"]),
        (
            "has a control character in it",
            &["/a%00", "/%00/a", "/a%0d%0ab", "/a%09", "/a%7f", "/a%c2%85", "/a%1b"],
        ),
        ("has a blank or a control character in it", &["/a b", "/a\tb", "/a\r\nb", "/a\0", "/a\x7f"]),
        ("has a character in it that is not ASCII", &["/é", "/a?é"]),
        (
            "has a percent sign that does not begin an encoding",
            &["/%", "/%4", "/%zz", "/a%2", "/%u002e", "/%+1", "/%-1"],
        ),
        (
            "is not UTF-8 when decoded",
            &["/%ff", "/%c0%ae%c0%ae/", "/%c0%af", "/%e0%80%af", "/%ed%a0%80", "/a%c3"],
        ),
        (
            "is encoded twice",
            &[
                "/%252e%252e/a",
                "/a%252fb",
                "/a%255cb",
                "/%2561dmin",
                "/a%25%32%66b",
                "/%25u002e",
                "/a%2500",
                "/%25%32%35x%2541",
            ],
        ),
        ("has a character that stands for a slash", &["/a%EF%BC%8Fb", "/%E2%84%80"]),
        ("has a backslash in it", &["/a%EF%BC%BCb"]),
        (
            "has a part of dots, blanks or parameters alone",
            &[
                "/...",
                "/a/.../b",
                "/%20/a",
                "/a/%20%20",
                "/a/%EF%BC%8E%EF%BC%8E/b",
                "/%E2%80%A5/a",
                "/a/..%20/b",
                "/%EF%BC%9B/a",
            ],
        ),
        ("is encoded twice", &["/%EF%BC%8541dmin"]),
        ("has a fragment", &["/a#b", "/#", "/a?b#c"]),
        ("has a path that does not begin with a slash", &["", "a", "*", "?a", "http://example.com/", "%2fa"]),
    ];
    for (problem, texts) in families {
        for text in *texts {
            assert_eq!(Target::read(text), Err(*problem), "{text}");
        }
    }
    assert!(Target::read(&format!("/{}", "a".repeat(MAX_TARGET - 1))).is_ok());
    assert_eq!(Target::read(&format!("/{}", "a".repeat(MAX_TARGET))), Err("has more than 8192 bytes"));
}

proptest! {
    /// Whatever is sent, reading ends with an answer, and what it lets through has nothing ambiguous in any form.
    #[test]
    fn what_is_let_through_is_unambiguous(text in "/([a-zA-Z./;\\\\ ?#%]|%[0-9a-fA-F]{2}|%25|%2e|%ef%bc%8f|\\PC){0,24}") {
        if let Ok(target) = Target::read(&text) {
            for form in [target.raw(), target.decoded(), target.loose()] {
                prop_assert!(form.starts_with('/'));
                prop_assert!(!form.contains("//") && !form.contains('\\') && !form.contains(';'), "{form}");
                prop_assert!(!form.split('/').any(|part| part == "." || part == ".."), "{form}");
                prop_assert!(!form.chars().any(char::is_control), "{form}");
            }
            let again = loose_path(target.loose()).map(Cow::into_owned);
            prop_assert_eq!(again.as_deref(), Ok(target.loose()), "one reading is enough");
        }
    }
}

//! Secrets: masked everywhere, and read from files.
#![allow(unreachable_pub, reason = "the macro defines public structs, here for a test")]

use super::environment;
use super::file;
use crate::config::definition::settings;
use crate::config::resolve::resolve;
use crate::config::{Secret, SecretFile, Sources, to_text};

settings! {
    /// A tree with a secret in it, which the tree of this version has not.
    pub struct Post {
        /// The password.
        password: Secret = "";

        /// Keys.
        keys: Vec<Secret> = "";

        /// A number.
        number: u32 = "1" in "1" ..= "9";

        section inner: Inner;
    }
}

settings! {
    /// The section inside.
    pub struct Inner {
        /// Another one.
        token: Option<Secret> = "";
    }
}

fn post(sources: &Sources) -> (Option<Post>, Vec<String>, String) {
    let (tree, resolving) = resolve::<Post>(sources);
    let lines = resolving.problems.iter().map(ToString::to_string).collect();
    (tree, lines, to_text(&resolving.effective))
}

#[test]
fn secrets_are_masked_in_the_listing_and_in_errors() {
    let variables = [
        ("GATEWARD_PASSWORD", "hunter2"),
        ("GATEWARD_KEYS", "hunter3,hunter4"),
        ("GATEWARD_INNER__TOKEN", ""),
    ];
    let (tree, problems, listing) = post(&environment(&variables));
    let tree = tree.unwrap();
    assert_eq!(
        (tree.password.expose(), tree.keys[1].expose(), &tree.inner.token),
        ("hunter2", "hunter4", &None)
    );
    assert_eq!(problems, [""; 0]);
    assert!(!listing.contains("hunter") && !format!("{tree:?}").contains("hunter"), "{listing}");
    assert!(
        listing.starts_with("password     \"******\"              environment GATEWARD_PASSWORD\n"),
        "{listing}"
    );

    let (_, problems, _) = post(&file("password = 12345\nkeys = ['a', 67890]\n"));
    assert_eq!(
        problems,
        [
            "file gateward.toml:1: password: ****** is a number, not a secret; allowed: a text",
            "file gateward.toml:2: keys[2]: ****** is a number, not a secret; allowed: a text",
        ]
    );
    let (_, problems, _) = post(&environment(&[("GATEWARD_KEYS", "[hunter2")]));
    assert!(!problems[0].contains("hunter2"), "{problems:?}");
}

#[test]
fn a_secret_can_stand_in_a_file_of_its_own() {
    let secret_file = |variable: &str, text: Result<&str, &str>| SecretFile {
        variable: variable.into(),
        text: text.map(str::to_owned).map_err(str::to_owned),
    };
    for (text, expected) in
        [("hunter2\n", "hunter2"), ("hunter2\r\n", "hunter2"), (" a\n\n", " a\n"), ("", "")]
    {
        let mut sources = environment(&[("GATEWARD_INNER__TOKEN_FILE", "/run/token")]);
        sources.secret_files = vec![secret_file("GATEWARD_INNER__TOKEN_FILE", Ok(text))];
        let (tree, problems, _) = post(&sources);
        assert_eq!(problems, [""; 0]);
        assert_eq!(tree.unwrap().inner.token.as_ref().map_or("", |token| token.expose()), expected);
    }

    let mut sources = environment(&[("GATEWARD_PASSWORD_FILE", "/run/password")]);
    sources.secret_files =
        vec![secret_file("GATEWARD_PASSWORD_FILE", Err("the file /run/password can not be read: x"))];
    let (_, problems, _) = post(&sources);
    assert_eq!(
        problems,
        ["environment GATEWARD_PASSWORD_FILE: password: the file /run/password can not be read: x"]
    );

    sources.environment.push(("GATEWARD_PASSWORD".into(), "hunter2".into()));
    let (_, problems, _) = post(&sources);
    let expected =
        "environment GATEWARD_PASSWORD_FILE: password: GATEWARD_PASSWORD is set too; set only one of the two";
    assert_eq!(problems, [expected]);

    let (_, problems, _) = post(&environment(&[("GATEWARD_NUMBER_FILE", "/run/number")]));
    let expected =
        "environment GATEWARD_NUMBER_FILE: number: only secrets are read from files; set GATEWARD_NUMBER";
    assert_eq!(problems, [expected]);
}

//! Which libraries there are, and what each of them does not do. Everything else is asked of it and must work.

use gateward_kernel::jose::{KeyManagementAlgorithm, SignatureAlgorithm};

use crate::keys::KINDS;

/// A library that others verify and make tokens with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Library {
    /// Node: jose.
    Jose,
    /// Python: PyJWT.
    PyJwt,
    /// Python: jwcrypto.
    Jwcrypto,
    /// Go: go-jose, version 4.
    GoJose,
    /// Java: nimbus-jose-jwt.
    Nimbus,
}

/// What is asked of a library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Signing and verifying with an algorithm.
    Signature,
    /// Encrypting and decrypting with a key management algorithm and kind of key.
    Encryption,
    /// Signing and encrypting, and the way back.
    Nesting,
    /// Reading and writing a kind of key.
    Key,
    /// The thumbprint of a kind of key.
    Thumbprint,
    /// Making a kind of key and writing it.
    Making,
}

/// Every subject of a task.
const ALL: &str = "all";

/// What is missing: of which library, in which task, with what. Each row is asked for all the same, and the answer must be no: a
/// row that a new version makes wrong fails its test.
const GAPS: &[(Library, Task, &str)] = &[
    // PyJWT has neither JWE nor thumbprints, and leaves making keys to the library below it.
    (Library::PyJwt, Task::Encryption, ALL),
    (Library::PyJwt, Task::Nesting, ALL),
    (Library::PyJwt, Task::Thumbprint, ALL),
    (Library::PyJwt, Task::Making, "oct"),
    (Library::PyJwt, Task::Key, "X25519"),
    (Library::PyJwt, Task::Making, "X25519"),
    // go-jose knows of the curves of RFC 8037 only Ed25519.
    (Library::GoJose, Task::Encryption, "ECDH-ES X25519"),
    (Library::GoJose, Task::Encryption, "ECDH-ES+A128KW X25519"),
    (Library::GoJose, Task::Encryption, "ECDH-ES+A256KW X25519"),
    (Library::GoJose, Task::Key, "X25519"),
    (Library::GoJose, Task::Thumbprint, "X25519"),
    (Library::GoJose, Task::Making, "X25519"),
    (Library::GoJose, Task::Thumbprint, "oct"),
];

impl Library {
    /// Whether it is known not to do this.
    pub(crate) fn lacks(self, task: Task, subject: &str) -> bool {
        GAPS.iter()
            .any(|(library, gap, of)| *library == self && *gap == task && (*of == ALL || *of == subject))
    }
}

#[test]
fn every_gap_is_one_that_is_asked_about() {
    let signatures: Vec<String> = SignatureAlgorithm::ALL.iter().map(ToString::to_string).collect();
    let kinds: Vec<String> = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
    let encryptions: Vec<String> = KeyManagementAlgorithm::ALL
        .iter()
        .flat_map(|algorithm| kinds.iter().map(move |kind| format!("{algorithm} {kind}")))
        .collect();
    for (library, task, subject) in GAPS {
        let known = match task {
            Task::Signature => &signatures,
            Task::Encryption => &encryptions,
            Task::Nesting => &Vec::new(),
            Task::Key | Task::Thumbprint | Task::Making => &kinds,
        };
        assert!(*subject == ALL || known.iter().any(|one| one == subject), "{library:?} {task:?} {subject}");
    }
}

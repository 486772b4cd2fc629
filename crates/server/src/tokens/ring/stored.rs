//! Signing keys at rest: what is encrypted, under which key, and why one may not open.

use std::fmt;
use std::path::{Path, PathBuf};

use gateward_kernel::jose::{Jwk, KeyError, SignatureAlgorithm};
use gateward_kernel::keyring::Term;
use gateward_kernel::ports::SealedKey;
use gateward_kernel::secret::{Entropy, NotSealedHere, RootKey, SealKey};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::RingFault;
use crate::keyfile;

/// Under which purpose the directory keeps signing keys.
pub(super) const PURPOSE: &str = "signing";
/// What the key under which they are encrypted is derived for.
const SEAL: &str = "signing key at rest";
/// Room for the largest private key and its term, so that the text never moves and leaves no copy of itself.
const ROOM: usize = 9 * 1024;

/// Where the key is kept under which private keys are encrypted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Derived from the root key, which is in this file.
    Root(PathBuf),
    /// In a file of its own.
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root(path) => write!(f, "the root key {}", path.display()),
            Place::File(path) => write!(f, "the key in {}", path.display()),
        }
    }
}

/// The key under which private keys are encrypted at rest.
#[derive(Debug)]
pub struct AtRest {
    seal: SealKey,
    place: Place,
}

impl AtRest {
    /// One derived from the root key, which is kept in `file`.
    pub fn root(root: &RootKey, file: &Path) -> Self {
        AtRest { seal: root.seal(SEAL), place: Place::Root(file.to_owned()) }
    }

    /// One derived from the key in this file: 64 hexadecimal digits.
    pub fn file(path: &Path) -> Result<Self, RingFault> {
        let content = std::fs::read(path)
            .map(Zeroizing::new)
            .map_err(|error| RingFault::NoFile(path.to_owned(), error.to_string()))?;
        let key = keyfile::parse(&content).ok_or_else(|| RingFault::NoKeyFile(path.to_owned()))?;
        Ok(AtRest { seal: key.seal(SEAL), place: Place::File(path.to_owned()) })
    }

    /// Where it is kept.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Whether it opens this key.
    pub fn opens(&self, row: &SealedKey) -> bool {
        self.decrypt(row).is_ok()
    }

    fn decrypt(&self, row: &SealedKey) -> Result<Zeroizing<Vec<u8>>, NotSealedHere> {
        self.seal.open(row.id.as_bytes(), &row.sealed).map(Zeroizing::new)
    }

    /// The key in this row.
    pub(super) fn open(&self, row: &SealedKey) -> Result<(Term, Jwk), RingFault> {
        let content = self.decrypt(row).map_err(|_| RingFault::sealed(row, &self.place))?;
        read(row, &content).map_err(|reason| RingFault::Damaged(row.id.clone(), reason))
    }

    /// The row of this key.
    pub(super) fn seal(&self, term: &Term, key: &Jwk, entropy: &dyn Entropy) -> SealedKey {
        let id = id(term.alg, term.number);
        let mut content = Zeroizing::new(String::with_capacity(ROOM));
        let (alg, created, active_from) = (term.alg, term.created.micros(), term.active_from.micros());
        content.push_str(&format!(
            "{{\"term\":{{\"alg\":\"{alg}\",\"number\":{},\"created\":{created},\"active_from\":{active_from}}},\"key\":",
            term.number
        ));
        content.push_str(&key.to_private_json());
        content.push('}');
        let sealed = self.seal.seal(entropy, id.as_bytes(), content.as_bytes());
        SealedKey { purpose: PURPOSE.into(), id, created: term.created, sealed }
    }

    /// The same key encrypted under this one.
    pub(super) fn reseal(
        &self,
        row: &SealedKey,
        from: &AtRest,
        entropy: &dyn Entropy,
    ) -> Result<SealedKey, NotSealedHere> {
        let content = from.decrypt(row)?;
        Ok(SealedKey { sealed: self.seal.seal(entropy, row.id.as_bytes(), &content), ..row.clone() })
    }
}

/// The name of a key in the directory.
pub(super) fn id(alg: SignatureAlgorithm, number: u32) -> String {
    format!("{alg}-{number}")
}

#[derive(Deserialize)]
struct Content<'a> {
    term: Term,
    #[serde(borrow)]
    key: &'a RawValue,
}

fn read(row: &SealedKey, content: &[u8]) -> Result<(Term, Jwk), KeyError> {
    let Ok(Content { term, key }) = serde_json::from_slice(content) else {
        return Err(KeyError::Malformed("term"));
    };
    if id(term.alg, term.number) != row.id || term.created != row.created {
        return Err(KeyError::Contradiction("its term is that of another key"));
    }
    Ok((term, Jwk::from_json(key.get().as_bytes())?))
}

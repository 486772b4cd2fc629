//! What can be wrong with the keys, and what helps.

use std::path::PathBuf;

use gateward_kernel::jose::{KeyError, SignatureAlgorithm};
use gateward_kernel::ports::{Fault, SealedKey};

use super::Place;

/// Why keys cannot be had or changed. No message holds anything of a private key.
#[derive(Debug, thiserror::Error)]
pub enum RingFault {
    /// The directory failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A stored key does not open with the key that the settings name.
    #[error("the signing key {} does not open with {place}: {}", .row.id, advice(.place))]
    Sealed {
        /// The key.
        row: Box<SealedKey>,
        /// Where the key is kept that does not open it.
        place: Place,
    },
    /// It opens with the root key, and the settings name a file.
    #[error(
        "the signing key {0} is encrypted under the root key, not under {1}: run `gateward key reseal --to FILE` with that file, or do not set keys.encryption_key_file"
    )]
    StillByRoot(String, Place),
    /// A stored key opens, and is none.
    #[error("the signing key {0} in the database is damaged ({1}): bring back a backup")]
    Damaged(String, KeyError),
    /// The file of an encryption key cannot be read.
    #[error("the encryption key {} cannot be read ({}): bring the file back from a backup", .0.display(), .1)]
    NoFile(PathBuf, String),
    /// The file of an encryption key holds something else.
    #[error("{} is no encryption key: 64 hexadecimal digits in one line", .0.display())]
    NoKeyFile(PathBuf),
    /// A key that was to be made or added cannot be used.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// Only its public part was given.
    #[error("this is a public key: a key that signs needs its private part")]
    PublicOnly,
    /// It is a shared secret.
    #[error("this is a shared secret: whoever verifies tokens would have to know it")]
    SharedSecret,
    /// Keys of this algorithm cannot be published.
    #[error("{0} signs with a shared secret: choose an algorithm with a public key, such as ES256")]
    NotPublic(SignatureAlgorithm),
    /// The very same key is there.
    #[error("this key is there already: {id}, kid {kid}")]
    AlreadyThere {
        /// Its name in the directory.
        id: String,
        /// Its id in tokens.
        kid: String,
    },
    /// There is no such key.
    #[error("there is no signing key {0:?}: `gateward key list` shows those there are")]
    Unknown(String),
    /// It is the one that signs.
    #[error(
        "{id} is the key that signs with {alg}: run `gateward key rotate --alg {alg} --now` first, and remove it then"
    )]
    Signs {
        /// Its name in the directory.
        id: String,
        /// Its algorithm.
        alg: SignatureAlgorithm,
    },
    /// Others kept adding keys at the same time.
    #[error("other processes are adding keys at the same time: try again")]
    Contended,
    /// Keys were encrypted under another key since this process was started.
    #[error(
        "some signing keys are encrypted under another key than the settings name: set keys.encryption_key_file as `gateward key reseal` said"
    )]
    Estranged,
}

impl RingFault {
    /// This key does not open with the key that is kept there.
    pub(super) fn sealed(row: &SealedKey, place: &Place) -> Self {
        RingFault::Sealed { row: Box::new(row.clone()), place: place.clone() }
    }
}

fn advice(place: &Place) -> &'static str {
    match place {
        Place::Root(_) => {
            "bring back the root.key file that was made with this database, or name the file the keys were encrypted under with keys.encryption_key_file"
        }
        Place::File(_) => {
            "bring back the file it was encrypted under, and name it with keys.encryption_key_file"
        }
    }
}

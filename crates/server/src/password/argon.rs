//! Argon2 (RFC 9106) in memory that is used again: asking the system for 19 MiB afresh costs a tenth of a hash.

use std::cell::RefCell;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use password_hash::phc::{Output, ParamsString, PasswordHash, Salt};

thread_local! {
    /// The memory of this thread's hashes, grown as needed and kept until [`release`].
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Gives the memory of this thread's hashes back: for when there is nothing more to hash.
pub(super) fn release() {
    MEMORY.with_borrow_mut(|memory| *memory = Vec::new());
}

/// One variant of Argon2 with its parameters.
pub(super) struct Argon {
    algorithm: Algorithm,
    version: Version,
    params: Params,
}

impl Argon {
    /// What is made today: Argon2id, version 1.3.
    pub(super) fn new(params: Params) -> Self {
        Argon { algorithm: Algorithm::Argon2id, version: Version::V0x13, params }
    }

    /// What a stored hash was made with; `None` when it is no Argon2.
    pub(super) fn of(hash: &PasswordHash) -> Option<Self> {
        Some(Argon {
            algorithm: Algorithm::try_from(hash.algorithm.as_str()).ok()?,
            version: hash
                .version
                .map_or(Some(Version::default()), |version| Version::try_from(version).ok())?,
            params: Params::try_from(hash).ok()?,
        })
    }

    /// A new hash in PHC form.
    pub(super) fn hash(&self, pepper: &[u8], text: &[u8], salt: &[u8]) -> Option<String> {
        let output = self.compute(pepper, text, salt, Params::DEFAULT_OUTPUT_LEN)?;
        let hash = PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params).ok()?,
            salt: Some(Salt::new(salt).ok()?),
            hash: Some(output),
        };
        Some(hash.to_string())
    }

    /// The bare output of `length` bytes.
    pub(super) fn compute(&self, pepper: &[u8], text: &[u8], salt: &[u8], length: usize) -> Option<Output> {
        let argon2 =
            Argon2::new_with_secret(pepper, self.algorithm, self.version, self.params.clone()).ok()?;
        let blocks = self.params.block_count();
        let mut output = vec![0; length];
        MEMORY.with_borrow_mut(|memory| {
            if memory.len() < blocks {
                memory.resize(blocks, Block::new());
            }
            argon2.hash_password_into_with_memory(text, salt, &mut output, memory.get_mut(..blocks)?).ok()
        })?;
        Output::new(&output).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9106 §5.3 has associated data, which passwords have not; this is the reference implementation's own test
    /// (`test.c`: version 0x13, t=2, m=2^8 KiB, p=1, "password", "somesalt") for Argon2id.
    #[test]
    fn the_reference_vector_comes_out_also_in_used_memory() {
        let params = Params::new(256, 2, 1, None).unwrap();
        let expected = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for _ in 0..2 {
            assert_eq!(Argon::new(params.clone()).hash(&[], b"password", b"somesalt").unwrap(), expected);
            // Larger and smaller ones in between leave no trace.
            for memory in [1024, 64] {
                let other = Params::new(memory, 1, 1, None).unwrap();
                assert!(Argon::new(other).hash(b"key", b"other", b"othersalt").is_some());
            }
        }
        release();
        assert_eq!(Argon::new(params).hash(&[], b"password", b"somesalt").unwrap(), expected);
    }
}

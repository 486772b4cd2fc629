//! Hashing passwords: Argon2id for what is made here, and verifying what was made elsewhere.

use argon2::Params;
use gateward_kernel::person::StoredPassword;
use gateward_kernel::person::password::Password;
use gateward_kernel::secret::Entropy;
use gateward_kernel::time::Moment;
use password_hash::{PasswordVerifier, phc::PasswordHash};

use super::argon::Argon;
use super::pepper::Peppers;

/// What Argon2id costs (RFC 9106 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

/// What a comparison came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verified {
    /// Another password.
    Wrong,
    /// This password, and the hash is as it would be made today.
    Right,
    /// This password, and the hash should be made anew: other cost, other pepper, other scheme.
    RightButOld,
}

/// How a stored hash was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    Argon2,
    Bcrypt,
    Scrypt,
    Pbkdf2,
}

/// Why a hash cannot be taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImportProblem {
    /// Broken for passwords, whatever the length.
    #[error(
        "{0} hashes are refused: they are guessed at billions a second; have the person choose a new password with `gateward user reset NAME`"
    )]
    TooWeak(&'static str),
    /// Not a hash at all.
    #[error(
        "a password in plain text is refused: give a hash, or set the password with `gateward user password NAME`"
    )]
    PlainText,
    /// A hash, but of no form that is known.
    #[error(
        "the form of this hash is not known: argon2id, bcrypt ($2b$…), scrypt and pbkdf2 (PHC) can be taken over"
    )]
    Unknown,
    /// Of a known form, but not readable.
    #[error("this hash is damaged or out of the limits of its form")]
    Damaged,
    /// Verifying it would take more memory or time than a sign-in may.
    #[error(
        "this hash costs more than a sign-in may: at most 1 GiB of memory, bcrypt cost 16, pbkdf2 10 million rounds"
    )]
    TooExpensive,
}

/// The most memory that verifying a foreign hash may take, in KiB.
const MOST_MEMORY: u32 = 1 << 20;

/// Hashes with one cost.
#[derive(Clone, Copy, Debug)]
pub struct Hasher {
    cost: Cost,
}

impl Hasher {
    /// Hashes with this cost; `None` when Argon2 does not take it.
    pub fn new(cost: Cost) -> Option<Self> {
        Params::new(cost.memory, cost.iterations, cost.parallelism, None).ok().map(|_| Hasher { cost })
    }

    /// The hash to keep.
    pub fn hash(
        &self,
        password: &Password,
        peppers: &Peppers,
        entropy: &dyn Entropy,
        now: Moment,
    ) -> StoredPassword {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let current = peppers.current();
        let key = current.map_or(&[][..], |pepper| pepper.key());
        let hash = Argon::new(self.params()).hash(key, password.expose().as_bytes(), &salt);
        // Fails only for parameters or lengths that `new` and `Password` have excluded; then the empty hash, which no
        // password opens, is the safe answer.
        StoredPassword {
            hash: hash.unwrap_or_default(),
            pepper: current.map(|pepper| pepper.id().into()),
            set: now,
        }
    }

    /// Whether the password is the one behind the stored hash.
    pub fn verify(&self, password: &Password, stored: &StoredPassword, peppers: &Peppers) -> Verified {
        let text = password.expose().as_bytes();
        let right = match scheme(&stored.hash) {
            Ok(Scheme::Argon2) => match &stored.pepper {
                None => verify_argon2(&[], text, &stored.hash),
                Some(id) => {
                    peppers.find(id).is_some_and(|pepper| verify_argon2(pepper.key(), text, &stored.hash))
                }
            },
            // bcrypt reads 72 bytes; its makers cut longer ones, so what was cut there is cut here.
            Ok(Scheme::Bcrypt) => bcrypt::verify(text, &stored.hash).unwrap_or(false),
            Ok(Scheme::Scrypt) => PasswordHash::new(&stored.hash)
                .is_ok_and(|hash| scrypt::Scrypt::default().verify_password(text, &hash).is_ok()),
            Ok(Scheme::Pbkdf2) => PasswordHash::new(&stored.hash)
                .is_ok_and(|hash| pbkdf2::Pbkdf2::default().verify_password(text, &hash).is_ok()),
            Err(_) => false,
        };
        match right {
            false => Verified::Wrong,
            true if self.is_present(stored, peppers) => Verified::Right,
            true => Verified::RightButOld,
        }
    }

    /// Takes as long as a comparison and never fits: for people who do not exist.
    pub fn pretend(&self, password: &Password, peppers: &Peppers) {
        let key = peppers.current().map_or(&[][..], |pepper| pepper.key());
        std::hint::black_box(Argon::new(self.params()).hash(key, password.expose().as_bytes(), &[0; 16]));
    }

    fn is_present(&self, stored: &StoredPassword, peppers: &Peppers) -> bool {
        let same_pepper = stored.pepper.as_deref() == peppers.current().map(|pepper| pepper.id());
        let params =
            PasswordHash::new(&stored.hash).ok().filter(|hash| hash.algorithm.as_str() == "argon2id");
        let params = params.and_then(|hash| Params::try_from(&hash).ok());
        let same_cost = params.is_some_and(|params| {
            let cost = self.cost;
            (params.m_cost(), params.t_cost(), params.p_cost())
                == (cost.memory, cost.iterations, cost.parallelism)
        });
        same_pepper && same_cost
    }

    fn params(&self) -> Params {
        Params::new(self.cost.memory, self.cost.iterations, self.cost.parallelism, None).unwrap_or_default()
    }
}

fn verify_argon2(pepper: &[u8], text: &[u8], hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    // The parameters are those of the hash, not those of today.
    let (Some(argon), Some(salt), Some(expected)) = (Argon::of(&hash), &hash.salt, &hash.hash) else {
        return false;
    };
    // Compared in constant time.
    argon.compute(pepper, text, salt.as_ref(), expected.len()).is_some_and(|output| output == *expected)
}

fn scheme(hash: &str) -> Result<Scheme, ImportProblem> {
    let name = hash.strip_prefix('$').and_then(|rest| rest.split('$').next()).unwrap_or_default();
    match name {
        "argon2id" | "argon2i" | "argon2d" => Ok(Scheme::Argon2),
        "2a" | "2b" | "2x" | "2y" => Ok(Scheme::Bcrypt),
        "scrypt" => Ok(Scheme::Scrypt),
        "pbkdf2-sha256" | "pbkdf2-sha512" | "pbkdf2" => Ok(Scheme::Pbkdf2),
        "1" | "apr1" | "md5" => Err(ImportProblem::TooWeak("MD5")),
        "sha1" => Err(ImportProblem::TooWeak("SHA-1")),
        _ => Err(unnamed(hash)),
    }
}

/// What a text without a known name is: a bare digest by its length, a hash of an unknown form, or plain text.
fn unnamed(text: &str) -> ImportProblem {
    let lower = text.to_ascii_lowercase();
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match () {
        () if lower.starts_with("{sha}") || lower.starts_with("{ssha}") => ImportProblem::TooWeak("SHA-1"),
        () if lower.starts_with("{md5}") || lower.starts_with("{smd5}") => ImportProblem::TooWeak("MD5"),
        () if hex(text) && text.len() == 32 => ImportProblem::TooWeak("MD5"),
        () if hex(text) && text.len() == 40 => ImportProblem::TooWeak("SHA-1"),
        () if text.starts_with('$') || text.starts_with('{') || (hex(text) && text.len() >= 56) => {
            ImportProblem::Unknown
        }
        () => ImportProblem::PlainText,
    }
}

/// Checks that a hash made elsewhere can be verified here, at a bearable cost, and takes it over.
pub fn import(hash: &str, now: Moment) -> Result<StoredPassword, ImportProblem> {
    let scheme = scheme(hash)?;
    let phc = || PasswordHash::new(hash).ok().filter(|hash| hash.salt.is_some() && hash.hash.is_some());
    let number = |hash: &PasswordHash, name: &str| hash.params.get_decimal(name);
    let affordable = match scheme {
        Scheme::Bcrypt => {
            let parts: bcrypt::HashParts = hash.parse().map_err(|_| ImportProblem::Damaged)?;
            parts.get_cost() <= 16
        }
        Scheme::Argon2 => {
            let parsed = phc().ok_or(ImportProblem::Damaged)?;
            let params = Params::try_from(&parsed).map_err(|_| ImportProblem::Damaged)?;
            params.m_cost() <= MOST_MEMORY && params.t_cost() <= 64
        }
        Scheme::Scrypt => {
            let parsed = phc().ok_or(ImportProblem::Damaged)?;
            scrypt::Params::try_from(&parsed).map_err(|_| ImportProblem::Damaged)?;
            let (log_n, r) = (number(&parsed, "ln").unwrap_or(0), number(&parsed, "r").unwrap_or(0));
            // 128 · r · N bytes (RFC 7914 §2).
            log_n <= 24 && u64::from(r) * (1_u64 << log_n.min(24)) / 8 <= u64::from(MOST_MEMORY)
        }
        Scheme::Pbkdf2 => {
            let parsed = phc().ok_or(ImportProblem::Damaged)?;
            number(&parsed, "i").is_some_and(|rounds| rounds <= 10_000_000)
        }
    };
    match affordable {
        true => Ok(StoredPassword { hash: hash.to_owned(), pepper: None, set: now }),
        false => Err(ImportProblem::TooExpensive),
    }
}

#[cfg(test)]
mod tests {
    use gateward_kernel::secret::SeededEntropy;
    use password_hash::PasswordHasher;

    use super::*;
    use crate::password::pepper::Pepper;

    const COST: Cost = Cost { memory: 64, iterations: 1, parallelism: 1 };

    fn password(text: &str) -> Password {
        Password::typed(text.to_owned()).unwrap()
    }

    fn stored(hash: &str) -> StoredPassword {
        import(hash, Moment::from_micros(0)).unwrap()
    }

    #[test]
    fn own_hashes_verify_and_tell_when_they_are_old() {
        let (none, entropy, now) = (Peppers::default(), SeededEntropy::new(1), Moment::from_micros(0));
        let hasher = Hasher::new(COST).unwrap();
        let kept = hasher.hash(&password("correct horse"), &none, &entropy, now);
        assert!(kept.hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", kept.hash);
        assert_eq!(hasher.verify(&password("correct horse"), &kept, &none), Verified::Right);
        assert_eq!(hasher.verify(&password("correct horsf"), &kept, &none), Verified::Wrong);
        let dearer = Hasher::new(Cost { iterations: 2, ..COST }).unwrap();
        assert_eq!(dearer.verify(&password("correct horse"), &kept, &none), Verified::RightButOld);
    }

    #[test]
    fn peppers_rotate() {
        let (entropy, now) = (SeededEntropy::new(1), Moment::from_micros(0));
        let hasher = Hasher::new(COST).unwrap();
        let (first, second) = (Pepper::new("1", [1; 32].to_vec()), Pepper::new("2", [2; 32].to_vec()));
        let before = Peppers::new(vec![first.clone()]);
        let after = Peppers::new(vec![first, second.clone()]);
        let kept = hasher.hash(&password("correct horse"), &before, &entropy, now);
        assert_eq!(hasher.verify(&password("correct horse"), &kept, &before), Verified::Right);
        assert_eq!(hasher.verify(&password("correct horse"), &kept, &after), Verified::RightButOld);
        let lost = Peppers::new(vec![second]);
        assert_eq!(hasher.verify(&password("correct horse"), &kept, &lost), Verified::Wrong);
        assert_eq!(hasher.verify(&password("correct horse"), &kept, &Peppers::default()), Verified::Wrong);
    }

    /// Hashes made by other programs: PHP and Python (`bcrypt`, `passlib`), and the RFC's own vectors in PHC form.
    #[test]
    fn foreign_hashes_verify_and_are_old() {
        let hasher = Hasher::new(COST).unwrap();
        for hash in [
            "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
            "$2y$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
        ] {
            let kept = stored(hash);
            assert_eq!(
                hasher.verify(&password("wrong-one-here"), &kept, &Peppers::default()),
                Verified::Wrong
            );
        }
        let made = bcrypt::hash("correct horse", 4).unwrap();
        assert_eq!(
            hasher.verify(&password("correct horse"), &stored(&made), &Peppers::default()),
            Verified::RightButOld
        );
        let salt = b"saltsaltsaltsalt";
        let params = scrypt::Params::new(4, 8, 1).unwrap();
        let made: PasswordHash =
            scrypt::Scrypt::new_with_params(params).hash_password_with_salt(b"correct horse", salt).unwrap();
        assert_eq!(
            hasher.verify(&password("correct horse"), &stored(&made.to_string()), &Peppers::default()),
            Verified::RightButOld
        );
        let made: PasswordHash =
            pbkdf2::Pbkdf2::default().hash_password_with_salt(b"correct horse", salt).unwrap();
        assert_eq!(
            hasher.verify(&password("correct horse"), &stored(&made.to_string()), &Peppers::default()),
            Verified::RightButOld
        );
    }

    #[test]
    fn what_must_not_come_in_is_refused_by_name() {
        let refused = |hash: &str| import(hash, Moment::from_micros(0)).unwrap_err();
        assert_eq!(refused("5f4dcc3b5aa765d61d8327deb882cf99"), ImportProblem::TooWeak("MD5"));
        assert_eq!(refused("$1$abcdefgh$G/gM1nXIvnZVn4rTGJVX1."), ImportProblem::TooWeak("MD5"));
        assert_eq!(refused("$apr1$abcdefgh$x"), ImportProblem::TooWeak("MD5"));
        assert_eq!(refused("5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"), ImportProblem::TooWeak("SHA-1"));
        assert_eq!(refused("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="), ImportProblem::TooWeak("SHA-1"));
        assert_eq!(refused("hunter22"), ImportProblem::PlainText);
        assert_eq!(refused(""), ImportProblem::PlainText);
        assert_eq!(refused("$6$salt$hash"), ImportProblem::Unknown);
        assert_eq!(
            refused("$2b$31$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie"),
            ImportProblem::TooExpensive
        );
        assert_eq!(refused("$2b$04$short"), ImportProblem::Damaged);
        assert_eq!(refused("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ"), ImportProblem::Damaged);
        let dear =
            "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";
        assert_eq!(refused(dear), ImportProblem::TooExpensive);
        assert_eq!(
            refused("$scrypt$ln=30,r=8,p=1$c2FsdHNhbHRzYWx0$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"),
            ImportProblem::TooExpensive
        );
    }
}

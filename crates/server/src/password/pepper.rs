//! Peppers: keys mixed into every password hash, so that a stolen database alone is worth nothing.

use gateward_kernel::ports::{Directory, Fault, SealedKey};
use gateward_kernel::secret::{Digest, Entropy, RootKey, Secret};
use gateward_kernel::time::Moment;
use zeroize::Zeroizing;

const PURPOSE: &str = "pepper";
/// The shortest line that is taken for a pepper from a file, in bytes.
const SHORTEST: usize = 16;

/// One pepper.
#[derive(Clone)]
pub struct Pepper {
    id: String,
    key: Zeroizing<Vec<u8>>,
}

impl Pepper {
    /// The pepper of that id.
    pub fn new(id: &str, key: Vec<u8>) -> Self {
        Pepper { id: id.to_owned(), key: key.into() }
    }

    /// Its name, which stands beside every hash made with it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key itself.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pepper({})", self.id)
    }
}

/// All peppers, oldest first: the newest is mixed into new hashes, the others still verify theirs.
#[derive(Clone, Debug, Default)]
pub struct Peppers(Vec<Pepper>);

impl Peppers {
    /// These peppers, oldest first.
    pub fn new(peppers: Vec<Pepper>) -> Self {
        Peppers(peppers)
    }

    /// The one for new hashes.
    pub fn current(&self) -> Option<&Pepper> {
        self.0.last()
    }

    /// The one of that id.
    pub fn find(&self, id: &str) -> Option<&Pepper> {
        self.0.iter().find(|pepper| pepper.id == id)
    }

    /// Reads a file: one pepper a line, oldest first; `#` begins a comment.
    pub fn from_file(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut peppers = Vec::new();
        for (number, line) in lines.enumerate() {
            if line.len() < SHORTEST {
                return Err(format!("pepper {} is shorter than {SHORTEST} bytes", number + 1));
            }
            let digest = Digest::of(line.as_bytes());
            let id: String = digest.as_bytes().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            peppers.push(Pepper::new(&format!("file-{id}"), line.as_bytes().to_vec()));
        }
        match peppers.is_empty() {
            true => Err("the file holds no pepper: write one line of at least 16 random characters".into()),
            false => Ok(Peppers(peppers)),
        }
    }

    /// Reads those of the directory, which are encrypted under the root key.
    pub async fn from_directory(directory: &dyn Directory, root: &RootKey) -> Result<Self, PepperFault> {
        let seal = root.seal("pepper at rest");
        let mut peppers = Vec::new();
        for stored in directory.sealed_keys(PURPOSE).await? {
            let key =
                seal.open(stored.id.as_bytes(), &stored.sealed).map_err(|_| PepperFault::OtherRootKey)?;
            peppers.push(Pepper::new(&stored.id, key));
        }
        Ok(Peppers(peppers))
    }

    /// Makes a new pepper in the directory, which is the current one from then on.
    pub async fn add_to_directory(
        directory: &dyn Directory,
        root: &RootKey,
        entropy: &dyn Entropy,
        now: Moment,
    ) -> Result<String, PepperFault> {
        let seal = root.seal("pepper at rest");
        let mut id = [0; 6];
        entropy.fill(&mut id);
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let sealed = seal.seal(entropy, id.as_bytes(), Secret::random(entropy).expose());
        let key = SealedKey { purpose: PURPOSE.into(), id: id.clone(), created: now, sealed };
        directory.add_sealed_key(&key).await?;
        Ok(id)
    }
}

/// Why peppers cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PepperFault {
    /// The directory failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// They are encrypted under another root key.
    #[error(
        "the keys in the database belong to another root key: bring back the root.key file that was made with this database"
    )]
    OtherRootKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_peppers_is_read_oldest_first() {
        let peppers = Peppers::from_file("# comment\n\n0123456789abcdef\n fedcba9876543210 \n").unwrap();
        assert_eq!(peppers.current().unwrap().key(), b"fedcba9876543210");
        assert_eq!(peppers.0.len(), 2);
        assert!(peppers.find(peppers.0[0].id()).is_some());
        assert!(Peppers::from_file("# nothing\n").is_err());
        assert!(Peppers::from_file("0123456789abcde\n").is_err(), "15 bytes are too few");
    }
}

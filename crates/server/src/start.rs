//! From settings to a running program: the data directory, the keys, the database, and the parts put together.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use gateward_guard::{RootKey, SystemClock, SystemEntropy};
use gateward_kernel::ports::Directory;
use gateward_kernel::secret::Entropy;
use gateward_kernel::time::Clock;
use url::Url;

use crate::app::{App, Parts};
use crate::config::{Pepper, Settings};
use crate::keyfile;
use crate::outbound::Outbound;
use crate::password::Passwords;
use crate::password::pepper::{PepperFault, Peppers};
use crate::stores::Stores;
use crate::tokens::ring::{KeyRing, RingSettings};

/// Whether what is missing may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// The server makes its data directory, and so does the first command that needs one.
    Create,
    /// Looking makes nothing.
    Refuse,
}

/// Opens everything and puts the program together. Nothing is changed when something is refused.
pub async fn open(settings: Settings, base: Url, missing: Missing) -> anyhow::Result<Arc<App>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    open_with(settings, base, missing, clock, entropy).await
}

/// The same with a clock and randomness of the caller's: tests hold both.
pub async fn open_with(
    settings: Settings,
    base: Url,
    missing: Missing,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> anyhow::Result<Arc<App>> {
    let outbound = Arc::new(Outbound::open(&settings.outbound)?);
    data_directory(&settings.data, missing)?;
    let stores = Stores::open(&settings, missing).await?;
    let directory = stores.directory();
    let root = root_key(&settings.root_key_file(), &*directory, &*entropy).await?;
    let peppers = peppers(&settings, &directory, &root, &*entropy, &*clock).await?;
    let refused = match &settings.passwords.blocklist {
        None => String::new(),
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("passwords.blocklist: the file {} cannot be read", file.display()))?,
    };
    let passwords = Passwords::start(&settings.passwords, peppers, &refused, entropy.clone())?;
    // Without keys as yet: whoever serves or works with keys starts it.
    let ring = KeyRing::new(directory, root.clone(), RingSettings::of(&settings), entropy.clone());
    let app = App::new(Parts { settings, base, root, stores, passwords, ring, outbound, clock, entropy })?;
    app.tokens.status.reload(app.clock.now()).await?;
    Ok(app)
}

fn data_directory(path: &Path, missing: Missing) -> anyhow::Result<()> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => {
            bail!("the data directory {shown} is a file: name another with --data")
        }
        Ok(found) => {
            let mode = found.permissions().mode() & 0o077;
            if mode != 0 {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).with_context(|| {
                    format!("the data directory {shown} can be read by others, and that cannot be changed: chmod 700 {shown}")
                })?;
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && missing == Missing::Refuse => {
            bail!(
                "there is no data directory {shown}: start gateward once, or name the right one with --data"
            )
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| {
                format!(
                    "the data directory {shown} cannot be made: choose one that you may write with --data"
                )
            })?;
        }
        Err(error) => {
            return Err(error).with_context(|| format!("the data directory {shown} cannot be looked at"));
        }
    }
    if missing == Missing::Create {
        // Said now, in these words, rather than by the database in its own.
        let probe = path.join(".writable");
        std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).with_context(|| {
            format!("the data directory {shown} is not writable: give it to this user (chown), or choose another with --data")
        })?;
    }
    Ok(())
}

/// Reads the root key; makes it when there is neither a key nor anything that was made with one.
async fn root_key(path: &Path, directory: &dyn Directory, entropy: &dyn Entropy) -> anyhow::Result<RootKey> {
    let shown = path.display();
    match std::fs::read(path) {
        Ok(bytes) => keyfile::parse(&bytes)
            .with_context(|| format!("{shown} is no root key: 64 hexadecimal digits in one line")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let used = !directory.sealed_keys("pepper").await?.is_empty()
                || !directory.sealed_keys("signing").await?.is_empty()
                || !directory
                    .people(&gateward_kernel::ports::PeopleQuery { limit: 1, ..Default::default() })
                    .await?
                    .is_empty();
            if used {
                bail!(
                    "the root key {shown} is missing, and the database was used with one: bring the file back from a backup, or copy it from another node of the same installation"
                );
            }
            let key = RootKey::random(entropy);
            keyfile::write_new(path, &key)
                .with_context(|| format!("the root key cannot be written to {shown}"))?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("the root key {shown} cannot be read")),
    }
}

async fn peppers(
    settings: &Settings,
    directory: &Arc<dyn Directory>,
    root: &RootKey,
    entropy: &dyn Entropy,
    clock: &dyn Clock,
) -> anyhow::Result<Peppers> {
    match &settings.passwords.pepper {
        Pepper::None => Ok(Peppers::default()),
        Pepper::File(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("passwords.pepper: the file {} cannot be read", path.display()))?;
            Peppers::from_file(&text).map_err(|problem| anyhow::anyhow!("passwords.pepper: {problem}"))
        }
        Pepper::Data => {
            let found = Peppers::from_directory(&**directory, root).await?;
            if found.current().is_some() {
                return Ok(found);
            }
            Peppers::add_to_directory(&**directory, root, entropy, clock.now()).await?;
            Peppers::from_directory(&**directory, root).await.map_err(|fault: PepperFault| fault.into())
        }
    }
}

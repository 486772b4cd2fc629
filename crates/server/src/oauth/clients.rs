//! The clients of this installation: those of the settings, and those that were added.

use std::collections::HashMap;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::id::PersonId;
use gateward_kernel::oauth::client::{MAX_CLIENT_ID, Rules};
use gateward_kernel::oauth::{Client, ClientKey, ClientSecret, client_key};
use gateward_kernel::ports::{Fault, FaultKind, Kv, Version};
use gateward_kernel::record::{Book, Decision, Loaded};
use gateward_kernel::secret::{Digest, Entropy, MacKey, RootKey, SealKey, Secret};
use gateward_kernel::status::SubjectTag;
use gateward_kernel::time::Moment;
use zeroize::Zeroizing;

use super::documents::Documents;
use crate::tokens::flow::{COMMAND_LINE, FIRST_PARTY};
use crate::tokens::status::Status;

/// How client secrets begin.
const PREFIX: &str = "gwc1_";
/// So many are read at once.
const PAGE: usize = 100;

/// All of them.
pub struct Clients {
    documents: Option<Documents>,
    fixed: HashMap<ClientKey, Arc<Loaded<Client>>>,
    book: Book<Client>,
    status: Arc<Status>,
    seal: SealKey,
    check: MacKey,
    entropy: Arc<dyn Entropy>,
    rules: Rules,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clients")
    }
}

/// Why a text cannot be the name of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAName {
    /// It is too short, too long, or has other characters.
    #[error("it has 1 to {MAX_CLIENT_ID} printable ASCII characters without blanks")]
    Form,
    /// It has the form of a person's id: a client that is its own subject would be taken for that person (RFC 9700 §4.15).
    #[error("it has the form of a person's id")]
    Person,
    /// Tokens of Gateward's own bear it.
    #[error("tokens of Gateward itself bear this name")]
    Own,
}

/// Whether a client may be called that (RFC 6749 appendix A.1).
pub fn check_name(text: &str) -> Result<(), NotAName> {
    let is_long = text.is_empty() || text.len() > MAX_CLIENT_ID;
    if is_long || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(NotAName::Form);
    }
    if text.parse::<PersonId>().is_ok() {
        return Err(NotAName::Person);
    }
    match [FIRST_PARTY, COMMAND_LINE].contains(&text) {
        true => Err(NotAName::Own),
        false => Ok(()),
    }
}

/// The shortest secret that somebody else may choose, in bytes: guessing it must be hopeless, and HS256 wants as many (RFC 7518
/// §3.2).
const SHORTEST_SECRET: usize = 32;
/// The longest one.
const LONGEST_SECRET: usize = 512;

/// A text cannot be a client's secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a secret has {SHORTEST_SECRET} to {LONGEST_SECRET} printable ASCII characters without blanks")]
pub struct NotASecret;

/// Whether somebody else may choose this secret for a client.
pub fn check_secret(text: &str) -> Result<(), NotASecret> {
    let fits = (SHORTEST_SECRET..=LONGEST_SECRET).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(()).ok_or(NotASecret)
}

/// Why a client was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NameTaken;

impl Clients {
    /// The clients in this durable store, remembered in up to `cache` bytes, beside those of the settings.
    pub fn new(
        kv: Arc<dyn Kv>,
        cache: usize,
        status: Arc<Status>,
        rules: Rules,
        root: &RootKey,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Clients {
            documents: None,
            fixed: HashMap::new(),
            book: Book::with_near_cache(kv, cache),
            status,
            seal: root.seal("client secret"),
            check: root.mac("client secret"),
            entropy,
            rules,
        }
    }

    /// With these clients of the settings, which nobody changes otherwise.
    #[must_use]
    pub fn with_fixed(mut self, fixed: Vec<Client>) -> Self {
        let loaded =
            |client: Client| (client_key(&client.client_id), Arc::new(Loaded::new(client, Version(0))));
        self.fixed = fixed.into_iter().map(loaded).collect();
        self
    }

    /// With those that are named by the address of their metadata.
    #[must_use]
    pub fn with_documents(self, documents: Option<Documents>) -> Self {
        Clients { documents, ..self }
    }

    /// What the installation allows.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The client of this name that may act now.
    pub async fn find(&self, client_id: &str, now: Moment) -> Result<Option<Arc<Loaded<Client>>>, Fault> {
        let found = self.find_any(client_id, now).await?;
        Ok(found.filter(|client| !client.record.disabled))
    }

    /// The same, also one that is kept out.
    pub async fn find_any(&self, client_id: &str, now: Moment) -> Result<Option<Arc<Loaded<Client>>>, Fault> {
        if client_id.is_empty() || client_id.len() > MAX_CLIENT_ID {
            return Ok(None);
        }
        let key = client_key(client_id);
        if let Some(fixed) = self.fixed.get(&key) {
            return Ok(Some(fixed.clone()));
        }
        match (self.book.load(key, now).await?, &self.documents) {
            (None, Some(documents)) => Ok(Box::pin(documents.find(client_id, &self.rules, now)).await),
            (found, _) => Ok(found),
        }
    }

    /// The client of this name; `Some(None)` for people's own apps, which are no client of anybody.
    pub async fn find_or_first_party(
        &self,
        client_id: &str,
        now: Moment,
    ) -> Result<Option<Option<Arc<Loaded<Client>>>>, Fault> {
        match client_id == FIRST_PARTY {
            true => Ok(Some(None)),
            false => Ok(self.find(client_id, now).await?.map(Some)),
        }
    }

    /// The client of this name, if memory knows it.
    pub fn hit(&self, client_id: &str, now: Moment) -> Option<Arc<Loaded<Client>>> {
        let key = client_key(client_id);
        let found = self.fixed.get(&key).cloned().or_else(|| self.book.hit(&key, now));
        let found = found.or_else(|| self.documents.as_ref()?.hit(client_id, now));
        found.filter(|client| !client.record.disabled)
    }

    /// Whether the settings name this client, so that it cannot be changed otherwise.
    pub fn is_fixed(&self, client_id: &str) -> bool {
        self.fixed.contains_key(&client_key(client_id))
    }

    /// Adds a client whose name is free.
    pub async fn add(
        &self,
        client: Client,
        now: Moment,
    ) -> Result<Result<Arc<Loaded<Client>>, NameTaken>, Fault> {
        if self.is_fixed(&client.client_id) {
            return Ok(Err(NameTaken));
        }
        Ok(self.book.create(client, now).await?.ok_or(NameTaken))
    }

    /// Changes a client, if it is there.
    pub async fn change<T: Send>(
        &self,
        client_id: &str,
        now: Moment,
        decide: impl Fn(&Client) -> Decision<Client, T> + Send + Sync,
    ) -> Result<Option<(Arc<Loaded<Client>>, T)>, Fault> {
        self.book.change(client_key(client_id), now, decide).await
    }

    /// Takes a client away, and ends everything that it has; whether it was there.
    pub async fn remove(&self, client_id: &str, now: Moment) -> Result<bool, Fault> {
        let was_there = self.book.remove(client_key(client_id)).await?.is_some();
        self.cut(client_id, now).await?;
        Ok(was_there)
    }

    /// Makes every token of the client worthless that was issued until now.
    pub async fn cut(&self, client_id: &str, now: Moment) -> Result<(), Fault> {
        self.status.cut(SubjectTag::of_client(client_id), now).await
    }

    /// All clients, by name.
    pub async fn all(&self, now: Moment) -> Result<Vec<Client>, Fault> {
        let mut all: Vec<Client> = self.fixed.values().map(|client| client.record.clone()).collect();
        let mut after = None;
        loop {
            let (found, next) = self.book.page(after, PAGE, now).await?;
            all.extend(found.into_iter().map(|client| client.record));
            match next {
                Some(id) => after = Some(id),
                None => break,
            }
        }
        all.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        Ok(all)
    }

    /// A fresh secret for this client, and what is kept of it. The secret itself is kept sealed only when it must be.
    pub fn fresh_secret(
        &self,
        client_id: &str,
        keep: bool,
        now: Moment,
    ) -> (Zeroizing<String>, ClientSecret) {
        // As long as HS512 wants its key, which the text is (RFC 7518 §3.2).
        let (one, other) = (Secret::random(&*self.entropy), Secret::random(&*self.entropy));
        let tag: [u8; 4] = self.check.short_tag(&[one.expose(), other.expose()]);
        let body = Zeroizing::new([one.expose().as_slice(), other.expose(), &tag].concat());
        let mut text = Zeroizing::new(String::with_capacity(96));
        text.push_str(PREFIX);
        BASE64URL_NOPAD.encode_append(&body, &mut text);
        let kept = self.secret(client_id, &text, keep, now);
        (text, kept)
    }

    /// What is kept of a secret that somebody else has chosen.
    pub fn secret(&self, client_id: &str, text: &str, keep: bool, now: Moment) -> ClientSecret {
        let seal = || self.seal.seal(&*self.entropy, client_id.as_bytes(), text.as_bytes()).into();
        ClientSecret {
            digest: Digest::of(text.as_bytes()),
            sealed: keep.then(seal),
            created: now,
            expires: None,
        }
    }

    /// The newest of them.
    pub fn plain_secret(&self, client: &Client, now: Moment) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let newest = self.plain_secrets(client, now)?.into_iter().next();
        newest.ok_or_else(|| {
            Fault::new("client secret", FaultKind::Unavailable, "it is kept as a digest alone")
        })
    }

    /// The secrets of the client that are good now, for what only a secret itself can do; the newest first.
    pub fn plain_secrets(&self, client: &Client, now: Moment) -> Result<Vec<Zeroizing<Vec<u8>>>, Fault> {
        let good = client.secrets.iter().filter(|secret| secret.expires.is_none_or(|end| now < end));
        let sealed = good.filter_map(|secret| secret.sealed.as_deref());
        let open = |sealed: &[u8]| {
            let opened = self.seal.open(client.client_id.as_bytes(), sealed).map(Zeroizing::new);
            opened.map_err(|problem| Fault::new("client secret", FaultKind::Unreadable, problem))
        };
        sealed.map(open).collect()
    }
}

//! OAuth 2.1 and OpenID Connect: what clients ask, what people agree to, and what is published for others.
//!
//! Pages (the authorization endpoint, consent) are routes like others; what machines ask is in [`endpoints`], and what is
//! published to everybody in [`answer`]: both are answered on the shortest way, without a session.

pub mod applications;
pub mod assertion;
pub mod authorize;
pub mod call;
pub mod client_auth;
pub mod clients;
pub mod codes;
pub mod consents;
pub mod details;
pub mod device;
pub mod documents;
pub mod dpop;
pub mod encrypt;
pub mod endpoints;
mod events;
mod fixed;
pub mod grants;
pub mod hint;
pub mod id_token;
pub mod introspect;
pub mod issue;
pub mod keys;
pub mod logo;
pub mod logout;
pub mod metadata;
pub mod mtls;
pub mod pushed;
pub mod registration;
pub mod request_object;
pub mod revoke;
pub mod scopes;
pub mod session_names;
pub mod token;
pub mod trusted;
pub mod userinfo;
mod web;

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::dpop::Nonces;
use gateward_kernel::grant::Grant;
use gateward_kernel::id::PersonId;
use gateward_kernel::oauth::Client;
use gateward_kernel::oauth::client::{Rules, SubjectType};
use gateward_kernel::oauth::registration::Registry;
use gateward_kernel::once::UsedOnce;
use gateward_kernel::ports::Fault;
use gateward_kernel::record::Book;
use gateward_kernel::secret::{Entropy, MacKey, RootKey, SealKey};
use gateward_kernel::session::Session;
use gateward_kernel::time::Moment;
use tokio::sync::Semaphore;

pub use call::serve;
pub use endpoints::ENDPOINTS;
pub use web::{Published, STATUS_LISTS_COUNT, answer};

use crate::config::{OutboundTarget, Settings};
use crate::outbound::Outbound;
use crate::people::DirectoryPeople;
use crate::stores::Stores;
use crate::tokens::Tokens;
use clients::Clients;
use codes::Codes;
use consents::Consents;
use device::store::Devices;
use documents::Documents;
use logo::Logos;
use logout::outbox::Outbox;
use pushed::Pushes;
use session_names::SessionNames;

/// A nonce of DPoP proofs is told for so long, and counts for twice as long at most.
const NONCE_PERIOD: Duration = Duration::from_secs(300);

/// So many request objects are fetched at the same time.
const FETCHES: usize = 32;

/// What OAuth needs.
pub struct OAuth {
    /// The clients.
    pub clients: Arc<Clients>,
    /// The codes.
    pub codes: Codes,
    /// The requests that clients have pushed.
    pub pushed: Pushes,
    /// The devices that ask.
    pub devices: Devices,
    /// What people have agreed to.
    pub consents: Consents,
    /// Which clients have registered themselves.
    pub registry: Book<Registry>,
    /// Held by whoever fetches a request object: strangers cause that, and others shall find a way outside, too.
    fetching: Semaphore,
    /// The pictures of clients.
    pub logos: Logos,
    /// What clients are yet to be told of sessions that have ended.
    pub outbox: Arc<Outbox>,
    /// Others whose word counts.
    pub trusted: trusted::Trusted,
    /// What counts once, and was used.
    pub used: Book<UsedOnce>,
    /// The nonces of DPoP proofs.
    pub nonces: Nonces,
    /// By what a client learns of a person, where it may not know them by the same name as others.
    pairwise: MacKey,
    /// By what names clients know sessions.
    pub session_names: SessionNames,
    /// By what browsers are known to be in one session.
    browsers: MacKey,
    /// Under which authorization requests travel while somebody signs in.
    flows: SealKey,
}

impl std::fmt::Debug for OAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OAuth")
    }
}

impl OAuth {
    /// With everything in the store of records that must not be lost, remembered in up to `cache` bytes.
    #[expect(clippy::too_many_arguments, reason = "the parts of the program, put together in one place")]
    pub fn new(
        settings: &Settings,
        stores: &Stores,
        tokens: &Tokens,
        cache: usize,
        root: &RootKey,
        outbound: &Arc<Outbound>,
        entropy: &Arc<dyn Entropy>,
        now: Moment,
    ) -> anyhow::Result<Self> {
        let kv = || stores.records.clone();
        let rules = Rules {
            legacy_flows: settings.oauth.legacy_flows,
            algorithms: tokens.resources.algorithms(),
            plain_http: settings.outbound.allow.iter().filter_map(OutboundTarget::plain_origin).collect(),
        };
        let clients = Clients::new(kv(), cache / 2, tokens.status.clone(), rules, root, entropy.clone());
        let fixed = fixed::read(settings, &clients, now)?;
        let documents = settings.oauth.client_documents.then(|| Documents::new(outbound.clone()));
        let clients = Arc::new(clients.with_fixed(fixed).with_documents(documents));
        Ok(OAuth {
            outbox: Arc::new(Outbox::new(kv(), clients.clone())),
            clients,
            codes: Codes::new(kv(), root, entropy.clone()),
            pushed: Pushes::new(kv(), settings.oauth.pushed_lifetime.duration(), root, entropy.clone()),
            registry: Book::new(kv()),
            fetching: Semaphore::new(FETCHES),
            logos: logo::none(),
            devices: Devices::new(&stores.records, root, entropy.clone()),
            consents: Consents::new(kv(), cache / 2, tokens.grants.clone()),
            trusted: trusted::Trusted::new(settings)?,
            used: Book::new(kv()),
            nonces: Nonces::new(root, NONCE_PERIOD),
            pairwise: root.mac("pairwise subject"),
            session_names: SessionNames::new(root),
            browsers: root.mac("browser state"),
            flows: root.seal("authorization request"),
        })
    }

    /// Takes a client away with everything that it has, and with what people have agreed to: whoever is called the same later on is
    /// another client. Whether it was there.
    pub async fn remove_client(&self, client_id: &str, now: Moment) -> Result<bool, Fault> {
        let was_there = self.clients.remove(client_id, now).await?;
        self.consents.withdraw_all(client_id, now).await?;
        Ok(was_there)
    }

    /// The name by which this client learns of a person (OpenID Connect Core §8).
    pub fn subject(&self, client: &Client, person: PersonId) -> String {
        if client.metadata.subject_type != Some(SubjectType::Pairwise) {
            return person.to_string();
        }
        let sector = client.sector();
        let tag: [u8; 24] = self.pairwise.short_tag(&[sector.as_bytes(), person.as_bytes()]);
        BASE64URL_NOPAD.encode(&tag)
    }
}

/// Hangs a grant on the session in which it was given, and makes its client a party of that, where it gets an ID token; whether the
/// session still lives. A session with as many grants as it may have lets its oldest go. Offline access does not end with the
/// session, but its client is told of the end all the same.
pub(crate) async fn hang(
    app: &crate::app::App,
    session: &Session,
    grant: &Grant,
    now: Moment,
) -> Result<bool, Fault> {
    let hanging = grant.session.map(|_| grant.id);
    let party = grant.scope.has("openid").then_some(&*grant.client);
    if hanging.is_none() && party.is_none() {
        return Ok(true);
    }
    let sessions: &gateward_guard::Sessions<DirectoryPeople> = &app.sessions;
    loop {
        if sessions.join(session.id, hanging, party, now).await?.is_some() {
            return Ok(true);
        }
        let Some(found) = sessions.book().load(session.id, now).await? else { return Ok(false) };
        let full = hanging.is_some() && found.record.grants.len() >= gateward_kernel::session::MAX_GRANTS;
        let (true, Some(oldest)) = (full, found.record.grants.first()) else { return Ok(false) };
        app.tokens.grants.end(*oldest, gateward_kernel::grant::Ending::Asked, now).await?;
        sessions.detach(session.id, *oldest, now).await?;
    }
}

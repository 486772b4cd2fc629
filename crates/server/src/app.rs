//! Where everything is wired together: the one value that every handler gets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gateward_guard::cookies::{CookieProblem, CookieSpec, SameSite};
use gateward_guard::csrf::FormTokens;
use gateward_guard::{Lifetimes, Memory, Policy, RootKey, Sessions};
use gateward_kernel::event::Event;
use gateward_kernel::id::NodeId;
use gateward_kernel::node::Roster;
use gateward_kernel::ports::Directory;
use gateward_kernel::record::Book;
use gateward_kernel::secret::Entropy;
use gateward_kernel::session::{Life, Session};
use gateward_kernel::throttle::Rate;
use gateward_kernel::time::{Clock, Moment};
use http::HeaderValue;
use ipnet::IpNet;
use tokio::sync::watch;
use url::Url;

use crate::certificate::Authorities;
use crate::config::{self, CookiePrefix, EngineKind, SessionStore, Settings};
use crate::face::failure::Failure;
use crate::face::page::Pages;
use crate::forward::Gatehouse;
use crate::login::setup::SetupLink;
use crate::login::throttle::Throttle;
use crate::oauth::logout::Endings;
use crate::oauth::{OAuth, Published};
use crate::outbound::Outbound;
use crate::outbound::keys::ClientKeys;
use crate::password::Passwords;
use crate::people::DirectoryPeople;
use crate::stores::Stores;
use crate::telemetry::{Metrics, audit};
use crate::tokens::Tokens;
use crate::tokens::ring::KeyRing;

/// How long a device is known.
pub const DEVICE_LIFETIME: Duration = Duration::from_secs(400 * 24 * 3600);

/// The program.
pub struct App {
    /// The settings.
    pub settings: Settings,
    /// The address that browsers use.
    pub base: Url,
    /// Its origin, as browsers write it.
    pub origin: String,
    /// Whether browsers come by https.
    pub is_https: bool,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The root key.
    pub root: RootKey,
    /// The sessions.
    pub sessions: Sessions<DirectoryPeople>,
    /// The tokens of apps and services.
    pub tokens: Tokens,
    /// The clients of others, and what people have given to them.
    pub oauth: OAuth,
    /// What of them is published.
    pub published: Published,
    /// The way to other servers that clients name.
    pub outbound: Arc<Outbound>,
    /// The keys that clients publish there.
    pub client_keys: ClientKeys,
    /// Whether the program is stopping: what would go on for ever ends.
    pub stopping: watch::Sender<bool>,
    /// The passwords.
    pub passwords: Passwords,
    /// What slows down guessing.
    pub throttle: Throttle,
    /// The set-up link.
    pub setup: Book<SetupLink>,
    /// Form tokens.
    pub form_tokens: FormTokens,
    /// The cookies.
    pub cookies: Cookies,
    /// The pages.
    pub pages: Pages,
    /// The protected applications.
    pub gatehouse: Gatehouse,
    /// Proxies that are believed.
    pub trusted: Vec<IpNet>,
    /// Who vouches for certificates of clients. Opened where the program serves.
    pub authorities: OnceLock<Arc<Authorities>>,
    /// What pages may load and where their forms may lead.
    pub content_security_policy: HeaderValue,
    /// The stores.
    pub stores: Stores,
    /// Which start of the program this is.
    pub node: NodeId,
    /// What it knows of the other nodes.
    pub roster: watch::Sender<Roster>,
    /// The figures.
    pub metrics: Metrics,
    requests: AtomicU64,
    boot: u32,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

/// What an [`App`] is made of.
pub struct Parts {
    /// The settings.
    pub settings: Settings,
    /// The address that browsers use.
    pub base: Url,
    /// The root key.
    pub root: RootKey,
    /// The stores.
    pub stores: Stores,
    /// The passwords.
    pub passwords: Passwords,
    /// The keys that sign tokens.
    pub ring: Arc<KeyRing>,
    /// The way to other servers.
    pub outbound: Arc<Outbound>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> anyhow::Result<Arc<App>> {
        let Parts { settings, base, root, stores, passwords, ring, outbound, clock, entropy } = parts;
        let cache = settings.sessions.cache.as_usize();
        let issuer = base.as_str().trim_end_matches('/');
        // A quarter of the cache is for people, and a quarter for tokens: there are fewer of them than sessions.
        let tokens = Tokens::new(&settings, issuer, ring, &stores, cache / 4, &root, &entropy)?;
        let oauth =
            OAuth::new(&settings, &stores, &tokens, cache / 16, &root, &outbound, &entropy, clock.now())?;
        let people = DirectoryPeople::new(stores.directory(), cache / 4);
        let memory = match &settings.sessions.store {
            SessionStore::Engine(address) if address.kind() == EngineKind::Nats => {
                let endurance = settings.sessions.stale.duration();
                Memory::Replica { budget: cache / 2, endurance, clock: clock.clone() }
            }
            _ => Memory::Cache(cache / 2),
        };
        let kept = stores.sessions.clone();
        let sessions =
            Sessions::new(kept, memory, people, policy(&settings), &root, entropy.clone()).with_dependents(
                Arc::new(Endings { grants: tokens.grants.clone(), outbox: oauth.outbox.clone() }),
            );
        let throttle = &settings.throttle;
        let rate = |burst, every: config::Span| Rate { burst, every: every.duration() };
        let throttle = Throttle::new(
            // Counted in the directory's database, so that neither a restart nor another node forgets guesses.
            Book::new(stores.records.clone()),
            rate(throttle.account_burst, throttle.account_every),
            rate(throttle.network_burst, throttle.network_every),
            &root,
        );
        let node = NodeId::random(&*entropy);
        let mut boot = [0; 4];
        entropy.fill(&mut boot);
        Ok(Arc::new(App {
            origin: base.origin().ascii_serialization(),
            is_https: base.scheme() == "https",
            cookies: Cookies::new(&settings, base.scheme() == "https")?,
            content_security_policy: content_security_policy(&settings, &base)?,
            trusted: settings.trusted_proxies.iter().map(|cidr| cidr.network()).collect(),
            authorities: OnceLock::new(),
            gatehouse: Gatehouse::new(&settings.app, &base),
            form_tokens: FormTokens::new(&root),
            setup: Book::new(stores.records.clone()),
            tokens,
            oauth,
            published: Published::default(),
            client_keys: ClientKeys::new(outbound.clone()),
            outbound,
            stopping: watch::Sender::new(false),
            pages: Pages::new()?,
            metrics: Metrics::new(),
            requests: AtomicU64::new(0),
            boot: u32::from_be_bytes(boot),
            settings,
            base,
            clock,
            entropy,
            root,
            sessions,
            passwords,
            throttle,
            node,
            roster: watch::Sender::new(Roster::default()),
            stores,
        }))
    }

    /// The directory.
    pub fn directory(&self) -> &dyn Directory {
        self.sessions.people().directory()
    }

    /// Whether a host, given as `host` or `host:port`, is a protected application.
    pub fn is_app(&self, host: &str) -> bool {
        self.gatehouse.protects(host)
    }

    /// Whether the browser sends the session cookie to that host too.
    pub fn cookie_reaches(&self, host: &str) -> bool {
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        match self.cookies.session.domain() {
            Some(domain) => {
                host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
            }
            None => self.base.host_str() == Some(host),
        }
    }

    /// A name for the next request: one of this start, and a number.
    pub fn next_request_id(&self) -> String {
        format!("{:08x}-{:x}", self.boot, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Writes an audit event, and logs it.
    pub async fn record(&self, event: Event) {
        audit(self.directory(), &event).await;
    }
}

/// The cookies that are set.
#[derive(Clone, Debug)]
pub struct Cookies {
    /// The session.
    pub session: CookieSpec,
    /// What form tokens are bound to.
    pub form: CookieSpec,
    /// By which a device is known.
    pub device: CookieSpec,
    /// By which the frame of session management knows in which session the browser is.
    pub state: CookieSpec,
    ends_with_browser: bool,
}

impl Cookies {
    /// As the settings say; an impossible combination is an error.
    pub fn new(settings: &Settings, is_https: bool) -> Result<Self, CookieProblem> {
        let own = |name: &str| match is_https {
            true => CookieSpec::for_https(name),
            false => CookieSpec::for_plain_http(name),
        };
        let cookie = &settings.cookie;
        let domain = cookie.domain.as_ref().map(|domain| domain.as_str());
        let exactly = |name| CookieSpec::exactly(name, domain, "/", is_https);
        // Whatever the prefix, it is one of the names that applications never see.
        let session = match (cookie.prefix, domain) {
            (CookiePrefix::Auto, None) => own("gateward")?,
            (CookiePrefix::Auto, Some(domain)) => CookieSpec::for_sub_domains("gateward", domain)?,
            (CookiePrefix::Host, _) => exactly("__Host-gateward")?,
            (CookiePrefix::Secure, _) => exactly("__Secure-gateward")?,
            (CookiePrefix::None, _) => exactly("gateward")?,
        };
        let same_site = match cookie.same_site {
            config::SameSite::Strict => SameSite::Strict,
            config::SameSite::Lax => SameSite::Lax,
            config::SameSite::None => SameSite::None,
        };
        let session = match &settings.node {
            Some(node) => session.with_route(node.as_str())?,
            None => session,
        };
        Ok(Cookies {
            session: session.same_site(same_site)?.partitioned(cookie.partitioned)?,
            form: own("gateward-form")?.same_site(same_site)?,
            device: own("gateward-device")?,
            // Read in a frame on pages of other sites, where browsers allow that at all.
            state: own("gateward-state")?.readable().same_site(if is_https {
                SameSite::None
            } else {
                SameSite::Lax
            })?,
            ends_with_browser: cookie.browser_session,
        })
    }

    /// The cookie of a session: it ends with the browser, unless the person asked to be remembered or the settings
    /// want it to stay.
    pub fn session(&self, session: &Session, text: &str, now: Moment) -> Result<HeaderValue, Failure> {
        let stays = session.life == Life::Remembered || !self.ends_with_browser;
        let max_age = stays.then(|| session.ends.since(now));
        self.session.set(text, max_age).map_err(|problem| Failure::Fault(crate::face::gate::mistake(problem)))
    }
}

/// The session lifetimes of the settings.
pub fn policy(settings: &Settings) -> Policy {
    let sessions = &settings.sessions;
    let pair = |idle: config::Span, absolute: config::Span| Lifetimes {
        idle: idle.duration(),
        absolute: absolute.duration(),
    };
    Policy {
        guest: pair(sessions.guest_idle, sessions.guest_absolute),
        plain: pair(sessions.idle, sessions.absolute),
        remembered: pair(sessions.remember_idle, sessions.remember),
        app: pair(settings.tokens.refresh_idle, settings.tokens.refresh_absolute),
        renew_percent: u8::try_from(sessions.renew_percent).unwrap_or(5),
        data_limit: sessions.data_limit.as_usize(),
        per_person: sessions.per_person as usize,
    }
}

/// No inline code, nothing from elsewhere, in nobody's frame. Forms may lead to protected applications, because
/// browsers apply `form-action` to the redirect after a form too (CSP 3 §6.4.1).
fn content_security_policy(settings: &Settings, base: &Url) -> anyhow::Result<HeaderValue> {
    let scheme = base.scheme();
    let mut forms = String::from("'self'");
    for app in &settings.app {
        let host = &app.host;
        let name = if host.is_wildcard() { format!("*.{}", host.name()) } else { host.name().to_owned() };
        // Without a port any is meant; a source without a port means the scheme's own only.
        let port = host
            .port()
            .map_or_else(|| if scheme == "https" { String::new() } else { ":*".into() }, |p| format!(":{p}"));
        forms.push_str(&format!(" {scheme}://{name}{port}"));
    }
    let text = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
    );
    Ok(HeaderValue::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileText, Sources, load};

    fn cookies(text: &str) -> Result<Cookies, CookieProblem> {
        let text = format!("public_url = \"https://login.example.com\"\n{text}");
        let sources =
            Sources { file: Some(FileText { name: "test.toml".into(), text }), ..Sources::default() };
        Cookies::new(&load(&sources).unwrap().settings, true)
    }

    #[test]
    fn impossible_cookies_are_refused_at_start() {
        let shared = "[cookie]\ndomain = \"example.com\"\n";
        assert_eq!(cookies(shared).unwrap().session.name(), "__Secure-gateward");
        let host = cookies(&format!("{shared}prefix = \"__Host-\"")).unwrap_err();
        assert_eq!(host, CookieProblem::HostWithDomain);
        assert_eq!(cookies("[cookie]\nprefix = \"__Secure-\"").unwrap().session.name(), "__Secure-gateward");
        assert_eq!(cookies("").unwrap().session.name(), "__Host-gateward");
    }
}

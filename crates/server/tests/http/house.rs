//! The server in this process: real settings, a real database, a real port; held clock and seeded randomness.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gateward::app::App;
use gateward::config::{FileText, Sources, load};
use gateward::serve::listen;
use gateward::start::{Missing, open_with};
use gateward_guard::ambient::HeldClock;
use gateward_kernel::id::PersonId;
use gateward_kernel::person::password::Password;
use gateward_kernel::person::{ADMINS, Login, Person};
use gateward_kernel::secret::SeededEntropy;
use gateward_kernel::time::{Clock, Moment};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::wire::{Answer, Browser};

/// Everybody's password, unless a test needs another.
pub(crate) const PASSWORD: &str = "violet kettle mountain";

/// Each server draws other randomness, also two on one directory.
static SEED: AtomicU64 = AtomicU64::new(0);

/// A running server.
pub(crate) struct House {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<HeldClock>,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) data: Arc<TempDir>,
    text: String,
    /// Dropped with the house, which ends the server.
    _stop: oneshot::Sender<()>,
}

impl House {
    /// With the defaults.
    pub(crate) async fn new() -> House {
        House::with("").await
    }

    /// With these settings.
    pub(crate) async fn with(text: &str) -> House {
        let clock = Arc::new(HeldClock::at(Moment::from_micros(1_800_000_000_000_000)));
        House::on(Arc::new(TempDir::new().unwrap()), clock, text).await
    }

    /// Another server on the same data, as another process has it.
    pub(crate) async fn second(&self) -> House {
        House::on(self.data.clone(), self.clock.clone(), &self.text).await
    }

    /// With these settings, and with what is in this folder.
    pub(crate) async fn on(data: Arc<TempDir>, clock: Arc<HeldClock>, text: &str) -> House {
        let variables = [
            ("GATEWARD_DATA", data.path().join("data").to_str().unwrap().to_owned()),
            ("GATEWARD_LISTEN", "127.0.0.1:0".into()),
            ("GATEWARD_PASSWORDS__MEMORY", "8MiB".into()),
            ("GATEWARD_PASSWORDS__ITERATIONS", "1".into()),
        ];
        let sources = Sources {
            file: Some(FileText { name: "test.toml".into(), text: text.into() }),
            environment: variables.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Sources::default()
        };
        let settings = load(&sources).unwrap_or_else(|problems| panic!("{problems:?}")).settings;
        let listening = listen(settings.listen).await.unwrap();
        let address = listening.address;
        let base = settings.base_url_on(address);
        let entropy = Arc::new(SeededEntropy::new(SEED.fetch_add(1, Ordering::Relaxed) << 32));
        let app = open_with(settings, base, Missing::Create, clock.clone(), entropy).await.unwrap();
        app.tokens.mint.ring().start(clock.now()).await.unwrap();
        tokio::spawn(gateward::jobs::follow_status(app.clone()));
        tokio::spawn(gateward::jobs::tell_logouts(app.clone()));
        let (stop, stopped) = oneshot::channel::<()>();
        let stop_when_dropped = async move {
            let _dropped = stopped.await;
        };
        listening.serve(app.clone(), None, stop_when_dropped).unwrap();
        House { app, clock, address, data, text: text.to_owned(), _stop: stop }
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// The smallest step of time.
    pub(crate) fn tick(&self) {
        self.clock.advance(Duration::from_micros(1));
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address)
    }

    /// Creates somebody who has [`PASSWORD`].
    pub(crate) async fn person(&self, name: &str) -> PersonId {
        self.person_like(name, |_| {}).await
    }

    pub(crate) async fn admin(&self, name: &str) -> PersonId {
        self.person_like(name, |person| person.groups = vec![ADMINS.to_owned()]).await
    }

    pub(crate) async fn person_like(&self, name: &str, shape: impl FnOnce(&mut Person)) -> PersonId {
        let id = PersonId::random(&*self.app.entropy);
        let mut person = Person::new(id, name.parse().unwrap(), self.now());
        let password = Password::typed(PASSWORD.into()).unwrap();
        person.password = Some(self.app.passwords.hash(&password, self.now()).await.unwrap());
        shape(&mut person);
        self.app.directory().create_person(&person).await.unwrap().unwrap();
        id
    }

    /// Changes somebody, as any process may.
    pub(crate) async fn change(&self, name: &str, shape: impl Fn(&mut Person) + Send + Sync) {
        let id = self.stored(name).await.id;
        let decide = |person: &mut Person| -> Result<(), ()> {
            shape(person);
            Ok(())
        };
        self.app.sessions.people().change(id, self.now(), decide).await.unwrap();
    }

    /// The person as the database has them.
    pub(crate) async fn stored(&self, name: &str) -> Person {
        self.app.directory().person_by_login(&Login::read(name)).await.unwrap().unwrap().record
    }

    /// The token of a form that this browser, in which nobody is signed in, has no page of.
    pub(crate) fn token(&self, browser: &Browser, form: &str) -> String {
        let cookie = browser.cookie("gateward-form").expect("a page was loaded");
        let cookie = data_encoding::BASE64URL_NOPAD.decode(cookie.as_bytes()).unwrap();
        self.app.form_tokens.issue(&cookie, form, self.now())
    }

    /// A browser in which that person is signed in.
    pub(crate) async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        browser.log_in(name, PASSWORD).await.expect(200);
        browser
    }

    /// The secret of a session of that person that travels in a header.
    pub(crate) async fn bearer(&self, name: &str) -> String {
        let body = serde_json::json!({"username": name, "password": PASSWORD, "transport": "header"});
        let answer = self.browser().json("POST", "/api/v1/login", &body).await.expect(200);
        answer.json()["session"]["secret"].as_str().unwrap().to_owned()
    }
}

/// Asks until the answer is the one that is wanted, for no longer than a change of another process may take: a second,
/// and as much again for a machine that has other things to do.
pub(crate) async fn within_a_second(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < Duration::from_secs(2), "{what}");
        // What is asked may answer without waiting: whoever is to bring the news must run, too.
        tokio::task::yield_now().await;
    }
}

/// How many of the answers have this status.
pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Runs all at once, each on a task of its own, and yields what they come to in their order.
pub(crate) async fn at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

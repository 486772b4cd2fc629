//! An axum application behind the doorway, over memory, over SQLite, and over a store that fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::routing::{get, patch, post};
use bytes::Bytes;
use gateward_guard::ambient::HeldClock;
use gateward_guard::{
    CookieSpec, Door, Doorway, Fresh, MaybeSignedIn, Rejection, RootKey, SignedIn, default_policy,
};
use gateward_kernel::ports::{
    Answer, Created, Fault, FaultKind, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version,
};
use gateward_kernel::secret::SeededEntropy;
use gateward_kernel::time::{Clock, Moment};
use gateward_store::{Memory, Sqlite, SqliteOptions};
use http::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use http::{Request, Response, StatusCode};
use tower::ServiceExt;

const FRESH: Duration = Duration::from_secs(600);
const IDLE: Duration = Duration::from_secs(1800);

/// The application, the time it sees, and what its store may do.
struct Site {
    routes: Router,
    doorway: Doorway,
    clock: Arc<HeldClock>,
    fails: Arc<AtomicBool>,
    _folder: Option<tempfile::TempDir>,
}

impl Site {
    fn over(store: Arc<dyn Kv>, folder: Option<tempfile::TempDir>) -> Site {
        let clock = Arc::new(HeldClock::at(Moment::from_micros(1_800_000_000_000_000)));
        let fails = Arc::new(AtomicBool::new(false));
        let store = Arc::new(Moody { store, fails: fails.clone() });
        let doorway = Doorway::with(
            store,
            &RootKey::from_bytes([7; 32]),
            CookieSpec::for_plain_http("session").unwrap(),
            default_policy(),
            FRESH,
            clock.clone(),
            Arc::new(SeededEntropy::new(1)),
        );
        Site { routes: routes().layer(doorway.layer()), doorway, clock, fails, _folder: folder }
    }

    /// The same application over each store.
    fn all() -> Vec<Site> {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(folder.path().join("sessions.db"), &SqliteOptions::default()).unwrap();
        vec![Site::over(Arc::new(Memory::new()), None), Site::over(sqlite.kv(), Some(folder))]
    }

    fn tick(&self) {
        self.clock.advance(Duration::from_micros(1));
    }

    async fn send(&self, method: &str, path: &str, cookies: &[&str], body: &str) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for cookie in cookies {
            request = request.header(COOKIE, *cookie);
        }
        self.routes.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
    }

    /// Sends a request of somebody who has this cookie, and keeps what comes back.
    async fn ask(&self, jar: &mut String, method: &str, path: &str, body: &str) -> (StatusCode, String) {
        let cookies: &[&str] = if jar.is_empty() { &[] } else { &[jar.as_str()] };
        let response = self.send(method, path, cookies, body).await;
        if let Some(cookie) = response.headers().get(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            *jar = if pair == "session=" { String::new() } else { pair };
        }
        let status = response.status();
        (status, text(response).await)
    }

    async fn who(&self, jar: &str) -> String {
        self.ask(&mut jar.to_owned(), "GET", "/", "").await.1
    }

    async fn signed_in(&self, name: &str) -> String {
        let mut jar = String::new();
        assert_eq!(self.ask(&mut jar, "POST", &format!("/in/{name}"), "").await.0, StatusCode::OK);
        jar
    }
}

async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[derive(serde::Deserialize)]
struct Expected {
    version: Option<u64>,
}

fn routes() -> Router {
    Router::new()
        .route("/", get(|who: MaybeSignedIn| async move { who.0.map_or("nobody".into(), |who| who.name().to_owned()) }))
        .route("/secret", get(|who: SignedIn| async move { who.name().to_owned() }))
        .route("/fresh", get(|who: Fresh| async move { who.0.name().to_owned() }))
        .route("/in/{name}", post(|door: Door, Path(name): Path<String>| async move { door.sign_in(&name).await }))
        .route("/stay/{name}", post(|door: Door, Path(name): Path<String>| async move { door.sign_in_for(&name, true).await }))
        .route("/out", post(|door: Door| async move { door.sign_out().await }))
        .route("/others", post(|door: Door| async move { door.end_others().await.map(|count| count.to_string()) }))
        .route("/data", get(|door: Door| async move { door.data().json().to_owned() }))
        .route(
            "/data",
            patch(|door: Door, Query(expected): Query<Expected>, body: String| async move {
                let patch = serde_json::from_str(&body).unwrap();
                let data = door.patch_data(&patch, expected.version).await?;
                Ok::<_, Rejection>(format!("{} {}", data.version(), data.json()))
            }),
        )
}

#[tokio::test]
async fn people_come_and_go() {
    for site in Site::all() {
        let mut jar = String::new();
        assert_eq!(site.who(&jar).await, "nobody");
        assert_eq!(site.ask(&mut jar, "GET", "/secret", "").await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(jar, "", "looking makes no session");
        jar = site.signed_in("ann").await;
        assert_eq!(site.ask(&mut jar, "GET", "/secret", "").await, (StatusCode::OK, "ann".into()));
        let ended = jar.clone();
        assert_eq!(site.ask(&mut jar, "POST", "/out", "").await.0, StatusCode::OK);
        assert_eq!((jar.as_str(), site.who(&ended).await.as_str()), ("", "nobody"));
        let idle = site.signed_in("ann").await;
        site.clock.advance(IDLE - Duration::from_micros(1));
        assert_eq!(site.who(&idle).await, "ann");
        site.clock.advance(IDLE);
        assert_eq!(site.who(&idle).await, "nobody");
    }
}

#[tokio::test]
async fn remembered_people_have_a_cookie_that_stays() {
    for site in Site::all() {
        for (path, max_age) in [("/in/ann", false), ("/stay/ann", true)] {
            let response = site.send("POST", path, &[], "").await;
            let cookie = response.headers()[SET_COOKIE].to_str().unwrap().to_owned();
            assert_eq!(cookie.contains("Max-Age=2592000"), max_age, "{cookie}");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        }
    }
}

#[tokio::test]
async fn every_sign_in_has_a_new_secret_and_keeps_a_guests_data() {
    for site in Site::all() {
        let mut jar = String::new();
        assert_eq!(site.ask(&mut jar, "PATCH", "/data", r#"{"cart":[1]}"#).await.1, r#"1 {"cart":[1]}"#);
        let guest = jar.clone();
        assert_eq!(site.who(&guest).await, "nobody");
        site.ask(&mut jar, "POST", "/in/ann", "").await;
        assert_ne!(jar, guest);
        assert_eq!(site.ask(&mut jar, "GET", "/data", "").await.1, r#"{"cart":[1]}"#);
        assert_eq!(
            site.ask(&mut guest.clone(), "GET", "/data", "").await.1,
            "{}",
            "the old secret opens nothing"
        );
        let anns = jar.clone();
        site.ask(&mut jar, "POST", "/in/bob", "").await;
        assert_eq!((site.who(&jar).await.as_str(), site.who(&anns).await.as_str()), ("bob", "nobody"));
        assert_eq!(
            site.ask(&mut jar, "GET", "/data", "").await.1,
            "{}",
            "one person's data is never another's"
        );
    }
}

#[tokio::test]
async fn data_has_versions_and_a_limit() {
    for site in Site::all() {
        let mut jar = site.signed_in("ann").await;
        let full = format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024 - 8));
        let over = format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024 - 7));
        for (version, body, status) in [
            ("?version=0", r#"{"n":1}"#, StatusCode::OK),
            ("?version=0", r#"{"n":2}"#, StatusCode::PRECONDITION_FAILED),
            ("?version=1", r#"{"n":null}"#, StatusCode::OK),
            ("", full.as_str(), StatusCode::OK),
            ("", over.as_str(), StatusCode::PAYLOAD_TOO_LARGE),
            ("?version=3", r#"{"a":null}"#, StatusCode::OK),
        ] {
            let path = format!("/data{version}");
            assert_eq!(site.ask(&mut jar, "PATCH", &path, body).await.0, status, "{version}");
        }
        assert_eq!(site.ask(&mut jar, "GET", "/data", "").await.1, "{}");
    }
}

#[tokio::test]
async fn fresh_is_exact() {
    for site in Site::all() {
        let mut jar = site.signed_in("ann").await;
        site.clock.advance(FRESH - Duration::from_micros(1));
        assert_eq!(site.ask(&mut jar, "GET", "/fresh", "").await, (StatusCode::OK, "ann".into()));
        site.tick();
        assert_eq!(site.ask(&mut jar, "GET", "/fresh", "").await.0, StatusCode::FORBIDDEN);
        assert_eq!(site.who(&jar).await, "ann");
        site.ask(&mut jar, "POST", "/in/ann", "").await;
        assert_eq!(site.ask(&mut jar, "GET", "/fresh", "").await.0, StatusCode::OK);
        assert_eq!(site.ask(&mut String::new(), "GET", "/fresh", "").await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn the_others_end_and_this_one_stays() {
    for site in Site::all() {
        let mut own = site.signed_in("ann").await;
        let others = [site.signed_in("ann").await, site.signed_in("ann").await];
        let bob = site.signed_in("bob").await;
        let old = own.clone();
        assert_eq!(site.ask(&mut own, "POST", "/others", "").await, (StatusCode::OK, "2".into()));
        assert_ne!(own, old);
        assert_eq!(site.who(&own).await, "ann");
        assert_eq!(site.who(&bob).await, "bob");
        for dead in others.iter().chain([&old]) {
            assert_eq!(site.who(dead).await, "nobody");
        }
        assert_eq!(site.ask(&mut String::new(), "POST", "/others", "").await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn who_is_kept_out_stays_out() {
    for site in Site::all() {
        let jar = site.signed_in("ann").await;
        let people = site.doorway.sessions().people();
        people.set_disabled("ann", true, site.clock.now()).await.unwrap();
        assert_eq!(site.who(&jar).await, "nobody");
        people.set_disabled("ann", false, site.clock.now()).await.unwrap();
        assert_eq!(site.who(&jar).await, "nobody", "letting in brings nothing back");
        site.tick();
        assert_eq!(site.who(&site.signed_in("ann").await).await, "ann");
    }
}

#[tokio::test]
async fn an_ambiguous_cookie_is_refused_and_garbage_is_none() {
    for site in Site::all() {
        let (one, two) = (site.signed_in("ann").await, site.signed_in("ann").await);
        let both = format!("{one}; {two}");
        for cookies in [vec![both.as_str()], vec![&one, &two]] {
            let response = site.send("GET", "/", &cookies, "").await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{cookies:?}");
            assert!(response.headers().get(SET_COOKIE).is_none());
        }
        let same = format!("{one}; other=1; {one}");
        assert_eq!(site.who(&same).await, "ann");
        for garbage in
            ["session=", "session=gws1_", "session=x; x=y", &one.to_uppercase(), &one[..one.len() - 1]]
        {
            assert_eq!(site.who(garbage).await, "nobody", "{garbage}");
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_is_no_sign_out() {
    for site in Site::all() {
        let mut jar = site.signed_in("ann").await;
        // Another application over the same store has nothing in memory.
        let elsewhere = Site::over(
            Arc::new(Moody { store: Arc::new(Memory::new()), fails: Arc::new(AtomicBool::new(false)) }),
            None,
        );
        elsewhere.fails.store(true, Ordering::SeqCst);
        let response = elsewhere.send("GET", "/secret", &[jar.as_str()], "").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().get(SET_COOKIE).is_none(), "the cookie is kept");
        assert!(response.headers().get(RETRY_AFTER).is_some());
        elsewhere.fails.store(false, Ordering::SeqCst);
        assert_eq!(elsewhere.who(&jar).await, "nobody");

        site.fails.store(true, Ordering::SeqCst);
        assert_eq!(site.who(&jar).await, "ann", "what memory knows needs no store");
        for (method, path) in [("POST", "/in/bob"), ("POST", "/out"), ("POST", "/others"), ("PATCH", "/data")]
        {
            let before = jar.clone();
            let answer = site.ask(&mut jar, method, path, "{}").await;
            assert_eq!(answer.0, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.1);
            assert_eq!(jar, before, "{path}");
        }
        site.fails.store(false, Ordering::SeqCst);
        assert_eq!(site.who(&jar).await, "ann");
        let kept = jar.clone();
        assert_eq!(site.ask(&mut jar, "POST", "/out", "").await.0, StatusCode::OK);
        assert_eq!(site.who(&kept).await, "nobody");
    }
}

#[tokio::test]
async fn routes_without_the_layer_say_so() {
    let bare = routes();
    let request = Request::builder().uri("/secret").body(Body::empty()).unwrap();
    assert_eq!(bare.oneshot(request).await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
}

/// A store that fails when it is told to.
struct Moody {
    store: Arc<dyn Kv>,
    fails: Arc<AtomicBool>,
}

impl Moody {
    fn or_fail<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        match self.fails.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(Fault::new("moody", FaultKind::Unavailable, "told to fail")) }),
            false => answer,
        }
    }
}

impl Kv for Moody {
    fn traits(&self) -> Traits {
        self.store.traits()
    }
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        self.or_fail(self.store.get(key))
    }
    fn create<'a>(&'a self, key: &'a Key, value: Bytes, death: Moment) -> Answer<'a, Created> {
        self.or_fail(self.store.create(key, value, death))
    }
    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Version,
        value: Bytes,
        death: Moment,
    ) -> Answer<'a, Replaced> {
        self.or_fail(self.store.replace(key, expected, value, death))
    }
    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Stored>> {
        self.or_fail(self.store.remove(key))
    }
    fn page<'a>(&'a self, kind: &'static str, after: Option<&'a [u8]>, limit: usize) -> Answer<'a, Page> {
        self.or_fail(self.store.page(kind, after, limit))
    }
    fn sweep(&self, before: Moment, limit: usize) -> Answer<'_, usize> {
        self.or_fail(self.store.sweep(before, limit))
    }
    fn changes(&self, listener: Arc<dyn Listener>) {
        self.store.changes(listener);
    }
    fn ping(&self) -> Answer<'_, ()> {
        self.or_fail(self.store.ping())
    }
}

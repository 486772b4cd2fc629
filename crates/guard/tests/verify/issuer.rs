//! The issuer.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use axum::{Json, Router};
use futures_util::stream;
use gateward_guard::ambient::HeldClock;
use gateward_guard::verify::{Claims, Denied, JwkSet, SignatureAlgorithm, Verifier, VerifierBuilder};
use gateward_kernel::jose::{Jwk, Signer, SigningKey};
use gateward_kernel::secret::{Digest, SeededEntropy};
use gateward_kernel::status::{Bits, LIST_SIZE, SubjectTag, deflate};
use gateward_kernel::time::{Clock, Moment};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) const START: i64 = 1_800_000_000;
pub(crate) const AUDIENCE: &str = "https://api.example.com";
/// How often the channel says that nothing happened.
const BEAT: Duration = Duration::from_millis(20);

pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) clock: Arc<HeldClock>,
    pub(crate) house: Arc<House>,
    server: tokio::task::JoinHandle<()>,
}

/// What the issuer's routes see.
pub(crate) struct House {
    pub(crate) url: String,
    clock: Arc<HeldClock>,
    pub(crate) keys: Mutex<Vec<Jwk>>,
    /// Answers everything with 503.
    pub(crate) away: AtomicBool,
    /// Members of the metadata that differ from the usual ones.
    pub(crate) metadata: Mutex<Value>,
    pub(crate) cache_control: Mutex<Option<&'static str>>,
    asked: Mutex<HashMap<String, usize>>,
    /// Answers 304 to those who know the newest list already, and says how often.
    pub(crate) unchanged: Mutex<usize>,
    pub(crate) ttl: Mutex<u64>,
    /// Claims of status list tokens that differ from the usual ones.
    pub(crate) list_claims: Mutex<Value>,
    pub(crate) list_type: Mutex<&'static str>,
    revoked: Mutex<BTreeMap<String, Vec<u32>>>,
    /// Everything that was told, in its order.
    log: Mutex<Vec<Value>>,
    epoch: Mutex<u32>,
    newest: watch::Sender<usize>,
    cut: watch::Sender<usize>,
    pub(crate) heard_from: Mutex<Vec<Option<String>>>,
    /// How many listen.
    pub(crate) lines: AtomicUsize,
    /// An event that is told once before the true one.
    pub(crate) odd: Mutex<Option<(&'static str, &'static str)>>,
    /// How the introspection endpoint answers, by token; and with which credentials it was asked.
    pub(crate) introspection: Mutex<HashMap<String, Value>>,
    pub(crate) credentials: Mutex<Vec<String>>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Issuer {
    pub(crate) async fn open() -> Issuer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Issuer::at(url, listener)
    }

    /// Behind this listener, which is reached by that address.
    pub(crate) fn at<L: Listener<Addr: std::fmt::Debug>>(url: String, listener: L) -> Issuer {
        let clock = Arc::new(HeldClock::at(Moment::from_micros(START * 1_000_000)));
        let house = Arc::new(House {
            url: url.clone(),
            clock: clock.clone(),
            keys: Mutex::new(vec![key(1)]),
            away: AtomicBool::new(false),
            metadata: Mutex::new(json!({})),
            cache_control: Mutex::new(None),
            asked: Mutex::default(),
            unchanged: Mutex::new(0),
            ttl: Mutex::new(60),
            list_claims: Mutex::new(json!({})),
            list_type: Mutex::new("statuslist+jwt"),
            revoked: Mutex::default(),
            log: Mutex::default(),
            epoch: Mutex::new(1),
            newest: watch::channel(0).0,
            cut: watch::channel(0).0,
            heard_from: Mutex::default(),
            lines: AtomicUsize::new(0),
            odd: Mutex::new(None),
            introspection: Mutex::default(),
            credentials: Mutex::default(),
        });
        let app = Router::new().fallback(answer).with_state(house.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Issuer { url, clock, house, server }
    }

    /// What a verifier of this issuer is told at least.
    pub(crate) fn told(&self) -> VerifierBuilder {
        Verifier::for_issuer(&self.url).audience(AUDIENCE).clock(self.clock.clone())
    }

    pub(crate) fn list(&self, number: u32) -> String {
        format!("{}/oauth/status/{number}", self.url)
    }

    /// A good access token at this place of list 1, with these claims changed; `null` takes one away.
    pub(crate) fn token(&self, index: u32, changes: Value) -> String {
        let status = json!({ "status_list": { "idx": index, "uri": self.list(1) } });
        let mut claims = self.claims();
        merge(&mut claims, json!({ "jti": format!("token {index}"), "status": status }));
        merge(&mut claims, changes);
        self.sign("at+jwt", &claims)
    }

    pub(crate) fn claims(&self) -> Value {
        let now = self.clock.now();
        json!({
            "iss": self.url, "sub": "person", "aud": AUDIENCE, "client_id": "app", "scope": "read write",
            "iat": now.seconds(), "exp": now.seconds() + 300, "gateward_iat": now.micros(),
            "auth_time": now.seconds(), "acr": "pwd", "amr": ["pwd"], "sid": "session", "groups": ["staff"],
        })
    }

    /// Signed with the issuer's newest key.
    pub(crate) fn sign(&self, typ: &str, claims: &Value) -> String {
        sign(self.house.keys.lock().last().unwrap(), typ, claims)
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.house.asked.lock().get(path).copied().unwrap_or(0)
    }

    pub(crate) fn go_away(&self, away: bool) {
        self.house.away.store(away, Ordering::SeqCst);
        self.cut();
    }

    /// Cuts everybody's line to the channel.
    pub(crate) fn cut(&self) {
        self.house.cut.send_modify(|cuts| *cuts += 1);
    }

    pub(crate) fn revoke(&self, list: u32, index: u32) {
        let uri = self.list(list);
        self.house.revoked.lock().entry(uri.clone()).or_default().push(index);
        self.tell(json!({ "lists": { uri: [index] } }));
    }

    /// Cuts off all tokens of a subject that were issued at this moment or before.
    pub(crate) fn cut_off(&self, subject: &str, at: Moment) {
        self.tell(json!({ "cuts": { SubjectTag::of(subject).to_string(): at.micros() } }));
    }

    pub(crate) fn tell(&self, change: Value) {
        let mut log = self.house.log.lock();
        log.push(change);
        self.house.newest.send_replace(log.len());
    }

    /// Forgets where listeners were: they get everything anew.
    pub(crate) fn new_epoch(&self) {
        *self.house.epoch.lock() += 1;
    }
}

/// A key for ES256 with this number in its id.
pub(crate) fn key(number: u64) -> Jwk {
    let key = Jwk::generate(SignatureAlgorithm::Es256, &SeededEntropy::new(number)).unwrap();
    key.with_kid(format!("key {number}"))
}

pub(crate) fn sign(key: &Jwk, typ: &str, claims: &Value) -> String {
    let key = SigningKey::new(key, SignatureAlgorithm::Es256).unwrap();
    Signer::new(key, typ).sign_claims(claims).unwrap()
}

pub(crate) fn merge(into: &mut Value, changes: Value) {
    let (Some(members), Value::Object(changes)) = (into.as_object_mut(), changes) else { return };
    for (name, value) in changes {
        if value.is_null() {
            members.remove(&name)
        } else {
            members.insert(name, value)
        };
    }
}

/// Runs everything else until it is so: what travels takes a moment, and there is nothing here that tells when it came.
pub(crate) async fn until_so(what: &str, is_so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::task::yield_now().await;
    }
}

/// Longer than anything here takes, also on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is as wanted: what travels takes a moment.
pub(crate) async fn until(
    verifier: &Verifier,
    token: &str,
    wanted: impl Fn(&Result<Arc<Claims>, Denied>) -> bool,
) {
    let begun = std::time::Instant::now();
    loop {
        let answer = verifier.verify(token).await;
        if wanted(&answer) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came: {answer:?}");
        // An answer from memory waits for nothing: whoever brings the news must run, too.
        tokio::task::yield_now().await;
    }
}

async fn answer(State(house): State<Arc<House>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    *house.asked.lock().entry(path.clone()).or_default() += 1;
    if house.away.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let headers = request.headers().clone();
    match path.as_str() {
        "/.well-known/oauth-authorization-server" => {
            let mut metadata = json!({
                "issuer": house.url, "jwks_uri": format!("{}/oauth/jwks", house.url),
                "introspection_endpoint": format!("{}/oauth/introspect", house.url),
                "gateward_status_events": format!("{}/oauth/status/events", house.url),
            });
            merge(&mut metadata, house.metadata.lock().clone());
            Json(metadata).into_response()
        }
        "/oauth/jwks" => {
            let keys = house.keys.lock().iter().map(|key| key.public().unwrap()).collect();
            let set = JwkSet { keys, skipped: Vec::new() }.to_json();
            let cache = house.cache_control.lock().unwrap_or("max-age=900");
            ([(CACHE_CONTROL, cache)], set).into_response()
        }
        "/oauth/introspect" => introspect(&house, request).await,
        "/oauth/status/events" => events(house, &headers),
        "/elsewhere" => (StatusCode::FOUND, [("location", "/oauth/jwks")]).into_response(),
        _ => list(&house, &path, &headers),
    }
}

async fn introspect(house: &House, request: Request) -> Response {
    let credentials = request.headers()["authorization"].to_str().unwrap().to_owned();
    house.credentials.lock().push(credentials);
    let body = axum::body::to_bytes(request.into_body(), 100_000).await.unwrap();
    let token = body.split(|byte| *byte == b'&').next().unwrap().strip_prefix(b"token=".as_slice());
    let token = String::from_utf8(token.unwrap().to_vec()).unwrap();
    let known = house.introspection.lock().get(&token).cloned();
    Json(known.unwrap_or(json!({ "active": false }))).into_response()
}

fn list(house: &House, path: &str, headers: &HeaderMap) -> Response {
    let uri = format!("{}{path}", house.url);
    let mut bits = Bits::empty(LIST_SIZE);
    house.revoked.lock().get(&uri).into_iter().flatten().for_each(|index| bits.revoke(*index));
    let (now, ttl) = (house.clock.now().seconds(), *house.ttl.lock());
    let mut claims = json!({
        "sub": uri, "iat": now, "ttl": ttl, "exp": now + 100_000,
        "status_list": { "bits": 1, "lst": deflate(bits.bytes()) },
    });
    merge(&mut claims, house.list_claims.lock().clone());
    let etag =
        format!("\"{:?}\"", Digest::of(bits.bytes()).as_bytes().iter().map(|b| u32::from(*b)).sum::<u32>());
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        *house.unchanged.lock() += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let token = sign(house.keys.lock().last().unwrap(), *house.list_type.lock(), &claims);
    ([(CONTENT_TYPE, "application/statuslist+jwt".to_owned()), (ETAG, etag)], token).into_response()
}

/// The channel: everything for newcomers, what was missed for those who come back, then what happens.
fn events(house: Arc<House>, headers: &HeaderMap) -> Response {
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
    house.heard_from.lock().push(last.clone());
    let epoch = *house.epoch.lock();
    let heard = last.and_then(|id| id.strip_prefix(&format!("{epoch}-"))?.parse::<usize>().ok());
    house.lines.fetch_add(1, Ordering::SeqCst);
    let line = Line {
        newest: house.newest.subscribe(),
        cut: house.cut.subscribe(),
        house,
        epoch,
        heard,
        first: true,
    };
    let stream = stream::unfold(line, |mut line| async move {
        let event = line.next().await?;
        Some((Ok::<_, Infallible>(event), line))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

/// Somebody who listens.
struct Line {
    house: Arc<House>,
    epoch: u32,
    heard: Option<usize>,
    newest: watch::Receiver<usize>,
    cut: watch::Receiver<usize>,
    first: bool,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.house.lines.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Line {
    async fn next(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.first) {
            tokio::select! {
                biased;
                _ = self.cut.changed() => return None,
                _ = self.newest.changed() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
        self.newest.borrow_and_update();
        let (name, data, now) = news(&self.house, self.heard);
        self.heard = Some(now);
        let odd = self.house.odd.lock().take();
        let odd = odd.map(|(name, data)| format!("event: {name}\ndata: {data}\n\n")).unwrap_or_default();
        Some(format!("{odd}: x\nid: {}-{now}\nevent: {name}\ndata: {data}\n\n", self.epoch))
    }
}

fn news(house: &House, heard: Option<usize>) -> (&'static str, Value, usize) {
    let log = house.log.lock();
    let now = log.len();
    let mut change = json!({ "lists": {}, "cuts": {} });
    for one in log.iter().skip(heard.unwrap_or(0)) {
        for (uri, indexes) in one.get("lists").and_then(Value::as_object).into_iter().flatten() {
            let all = change["lists"].as_object_mut().unwrap().entry(uri).or_insert(json!([]));
            all.as_array_mut().unwrap().extend(indexes.as_array().unwrap().iter().cloned());
        }
        for (tag, at) in one.get("cuts").and_then(Value::as_object).into_iter().flatten() {
            change["cuts"][tag] = at.clone();
        }
    }
    match heard {
        Some(heard) if heard == now => ("beat", json!({}), now),
        Some(_) => ("change", change, now),
        None => {
            for (_, list) in change["lists"].as_object_mut().unwrap() {
                let mut bits = Bits::empty(LIST_SIZE);
                for index in list.as_array().unwrap() {
                    bits.revoke(u32::try_from(index.as_u64().unwrap()).unwrap());
                }
                *list = json!({ "bits": 1, "lst": deflate(bits.bytes()) });
            }
            ("snapshot", change, now)
        }
    }
}

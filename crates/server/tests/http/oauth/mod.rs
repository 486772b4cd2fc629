//! OAuth and OpenID Connect as clients, people and attackers meet them. What all these tests share: a house with resources, clients
//! in it, and the steps of the code flow.
#![expect(clippy::needless_pass_by_value, reason = "JSON is written where it is handed over")]

mod applications;
mod asking;
mod assertions;
mod back_channel;
mod claims;
mod client_cli;
mod codes;
mod device;
mod documents;
mod dpop;
mod encryption;
mod exchange;
mod fapi;
mod flow;
mod front_channel;
mod grants;
mod jar;
mod jwt_answers;
mod jwt_bearer;
mod legacy;
mod logout;
mod machines;
mod metadata;
mod mtls;
mod pairwise;
mod par;
mod refreshing;
mod registration;
mod session_management;
mod told;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use gateward_kernel::jose::{self, Jwk, JwkSet, KeySet, SignatureAlgorithm, Signer, SigningKey};
use gateward_kernel::oauth::Client;
use gateward_kernel::oauth::client::{AuthMethod, Origin};
use gateward_kernel::secret::{Digest, SeededEntropy};
use serde_json::{Value, json};

use crate::house::House;
use crate::wire::{Answer, Browser, encode};

/// One algorithm, so that nobody waits for RSA keys; a resource of each format.
pub(crate) const SETTINGS: &str = "
[oauth]
algorithms = [\"ES256\"]

[[resource]]
audience = \"https://api.example\"
scopes = [\"read\", \"write\"]

[[resource]]
audience = \"https://opaque.example\"
scopes = [\"dig\"]
format = \"opaque\"
";
/// Where answers go.
pub(crate) const BACK: &str = "https://app.example/cb";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const PUBLIC: &str = "none";

/// A house with [`SETTINGS`], in which ann lives.
pub(crate) async fn house() -> House {
    let house = House::with(SETTINGS).await;
    house.person("ann").await;
    house
}

/// A client that was added, with its secret.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) method: AuthMethod,
}

/// Adds a client: the code flow with refreshing and ES256, unless `more` says otherwise.
pub(crate) async fn client(house: &House, id: &str, more: Value) -> Known {
    let mut metadata = json!({
        "redirect_uris": [BACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "ES256",
    });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let metadata: gateward_kernel::oauth::Metadata = serde_json::from_value(metadata).unwrap();
    let clients = &house.app.oauth.clients;
    metadata.check(clients.rules()).unwrap();
    let (secret, kept) = clients.fresh_secret(id, metadata.needs_plain_secret(), house.now());
    let method = metadata.token_endpoint_auth_method;
    let added = Client {
        client_id: id.into(),
        origin: Origin::Administrator,
        created: house.now(),
        changed: house.now(),
        expires: None,
        secrets: if metadata.has_secret() { vec![kept] } else { Vec::new() },
        registration: None,
        disabled: false,
        metadata,
    };
    clients.add(added, house.now()).await.unwrap().unwrap();
    Known { id: id.to_owned(), secret: secret.to_string(), method }
}

/// A client without a secret.
pub(crate) async fn public(house: &House, id: &str) -> Known {
    client(house, id, json!({ "token_endpoint_auth_method": PUBLIC })).await
}

/// A client that acts for itself.
pub(crate) async fn service(house: &House, id: &str, more: Value) -> Known {
    let mut all = json!({"redirect_uris": [], "response_types": [], "grant_types": ["client_credentials"]});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client(house, id, all).await
}

/// The challenge of [`VERIFIER`].
pub(crate) fn challenge() -> String {
    BASE64URL_NOPAD.encode(Digest::of(VERIFIER.as_bytes()).as_bytes())
}

/// The parameters of a good request; `more` replaces some, or takes them away when empty.
pub(crate) fn parameters(client: &Known, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let challenge = challenge();
    let mut all: Vec<(String, String)> = [
        ("client_id", client.id.as_str()),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("state", "the state"),
        ("nonce", "the nonce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    all.extend(
        more.iter().filter(|(_, value)| !value.is_empty()).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())),
    );
    all
}

/// The address of a request.
pub(crate) fn request(client: &Known, more: &[(&str, &str)]) -> String {
    let all = parameters(client, more);
    let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    format!("/oauth/authorize?{}", encode(&pairs))
}

/// The value of the hidden field of that name.
pub(crate) fn hidden(page: &Answer, name: &str) -> String {
    let html = page.text();
    let begin = format!("name=\"{name}\" value=\"");
    let (_, rest) = html.split_once(&begin).unwrap_or_else(|| panic!("no {name} in {html}"));
    unescaped(rest.split_once('"').unwrap().0)
}

/// The address of the link with that id.
pub(crate) fn link(page: &Answer, id: &str) -> String {
    let html = page.text();
    let (_, rest) =
        html.split_once(&format!("id=\"{id}\" href=\"")).unwrap_or_else(|| panic!("no {id} in {html}"));
    unescaped(rest.split_once('"').unwrap().0)
}

fn unescaped(text: &str) -> String {
    let plain = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
    plain.replace("&#x2f;", "/").replace("&#x27;", "'").replace("&amp;", "&")
}

/// Decides on a consent page; the scopes of `without` are not ticked.
pub(crate) async fn decide(browser: &mut Browser, page: &Answer, decision: &str, without: &[&str]) -> Answer {
    let (csrf, flow, html) = (page.token("/oauth/consent"), hidden(page, "flow"), page.text());
    let ticked = html.split("name=\"scope:").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    let names: Vec<String> = ticked
        .filter(|name| *name != "openid" && !without.contains(name))
        .map(|name| format!("scope:{name}"))
        .collect();
    let mut fields = vec![("csrf", csrf.as_str()), ("flow", flow.as_str()), ("decision", decision)];
    fields.extend(names.iter().map(|name| (name.as_str(), "1")));
    browser.form("/oauth/consent", &fields).await
}

/// What the client is told: the parameters in the address that the browser is led to, which must be `back`.
pub(crate) fn told_at(answer: &Answer, back: &str) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 303, "{:?}\n{}", answer.headers, answer.text());
    let location = answer.header("location").unwrap();
    let rest = location.strip_prefix(back).unwrap_or_else(|| panic!("{location}"));
    let (mark, query) = rest.split_at(1);
    assert!(["?", "#", "&"].contains(&mark), "{location}");
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let told: BTreeMap<String, String> = pairs.iter().cloned().collect();
    assert_eq!(told.len(), pairs.len(), "nothing is told twice: {location}");
    told
}

pub(crate) fn told(answer: &Answer) -> BTreeMap<String, String> {
    told_at(answer, BACK)
}

/// The error that a client is told, with what goes with it.
pub(crate) fn error(house: &House, answer: &Answer) -> String {
    let told = told(answer);
    assert_eq!(told.get("iss"), Some(&house.app.origin), "{told:?}");
    assert!(!told.contains_key("code"), "{told:?}");
    assert!(told["error_description"].len() > 5, "{told:?}");
    told["error"].clone()
}

/// Goes to an address in a browser where somebody is signed in, and agrees to everything.
pub(crate) async fn agree(browser: &mut Browser, path: &str) -> Answer {
    let page = browser.get(path).await;
    match page.status {
        200 => decide(browser, &page, "allow", &[]).await,
        _ => page,
    }
}

/// A code for ann.
pub(crate) async fn code(house: &House, client: &Known, more: &[(&str, &str)]) -> String {
    let mut browser = house.signed_in("ann").await;
    told(&agree(&mut browser, &request(client, more)).await)["code"].clone()
}

/// Posts a form as that client, which proves itself as it registered.
pub(crate) async fn post(house: &House, client: &Known, path: &str, fields: &[(&str, &str)]) -> Answer {
    post_with(house, client, path, &[], fields).await
}

/// The same with more headers: a certificate that the proxy tells, a proof.
pub(crate) async fn post_with(
    house: &House,
    client: &Known,
    path: &str,
    more: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Answer {
    let mut browser = Browser::new(house.address);
    let mut fields = fields.to_vec();
    let mut headers = [&[("Content-Type", "application/x-www-form-urlencoded")], more].concat();
    let basic;
    match client.method {
        AuthMethod::SecretBasic => {
            basic = header(&client.id, &client.secret);
            headers.push(("Authorization", basic.as_str()));
        }
        AuthMethod::SecretPost => {
            fields.retain(|(name, _)| *name != "client_id");
            fields.extend([("client_id", client.id.as_str()), ("client_secret", client.secret.as_str())]);
        }
        _ => {
            // A pushed request names its client already.
            fields.retain(|(name, _)| *name != "client_id");
            fields.push(("client_id", client.id.as_str()));
        }
    }
    browser.send("POST", path, &headers, encode(&fields).as_bytes()).await
}

/// Name and secret for the header, each form-encoded first (RFC 6749 §2.3.1).
pub(crate) fn header(id: &str, secret: &str) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", BASE64.encode(format!("{}:{}", encoded(id), encoded(secret)).as_bytes()))
}

/// Redeems a code.
pub(crate) async fn redeem(house: &House, client: &Known, code: &str) -> Answer {
    post(house, client, "/oauth/token", &redemption(code)).await
}

/// The form that redeems a code.
pub(crate) fn redemption(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ]
}

/// The tokens of a whole flow.
pub(crate) async fn tokens(house: &House, client: &Known, more: &[(&str, &str)]) -> Value {
    let code = code(house, client, more).await;
    redeem(house, client, &code).await.expect(200).json()
}

/// Refreshes.
pub(crate) async fn refresh(house: &House, client: &Known, token: &str) -> Answer {
    post(house, client, "/oauth/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// Status and code of an error that is answered directly.
pub(crate) fn told_no(answer: &Answer) -> (u16, String) {
    (answer.status, refused(answer))
}

/// The code of an error that is answered directly, whose shape is checked on the way (RFC 6749 §5.2).
pub(crate) fn refused(answer: &Answer) -> String {
    assert!(answer.status >= 400, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told = answer.json();
    assert!(told["error_description"].as_str().unwrap().len() > 5, "{told}");
    told["error"].as_str().unwrap().to_owned()
}

/// Header and claims of a JWT that the published keys verify.
pub(crate) async fn verified(house: &House, token: &str) -> (Value, Value) {
    let all = [
        SignatureAlgorithm::Es256,
        SignatureAlgorithm::Rs256,
        SignatureAlgorithm::Ps256,
        SignatureAlgorithm::EdDsa,
    ];
    let set = house.browser().get("/oauth/jwks").await.expect(200);
    let keys = KeySet::from_jwks(&JwkSet::from_json(&set.body).unwrap(), &all);
    let unverified = jose::parse(token, jose::Limits::default()).unwrap();
    let verified = unverified.verify(&keys, &all).unwrap();
    let header = BASE64URL_NOPAD.decode(token.split('.').next().unwrap().as_bytes()).unwrap();
    (serde_json::from_slice(&header).unwrap(), serde_json::from_slice(verified.payload()).unwrap())
}

/// What UserInfo answers.
pub(crate) async fn userinfo(house: &House, token: &str) -> Answer {
    house.browser().with("Authorization", &format!("Bearer {token}")).get("/oauth/userinfo").await
}

/// The error that stands on a page, where nobody else can be told.
pub(crate) fn page_error(answer: &Answer) -> String {
    assert_eq!(answer.status, 400, "{:?}\n{}", answer.headers, answer.text());
    assert_eq!(answer.header("location"), None);
    let html = answer.text();
    let (_, rest) = html.split_once("id=\"error-code\"").unwrap_or_else(|| panic!("{html}"));
    rest.split_once('>').unwrap().1.split_once('<').unwrap().0.to_owned()
}

/// The object, some of whose members `more` replaces, or takes away when null.
pub(crate) fn merged(mut all: Value, more: &Value) -> Value {
    let object = all.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    object.retain(|_, value| !value.is_null());
    all
}

/// A key of a client, under the id `k1`.
pub(crate) fn key(algorithm: SignatureAlgorithm) -> Jwk {
    let seed = KEYS.fetch_add(1, Ordering::Relaxed);
    Jwk::generate(algorithm, &SeededEntropy::new(seed)).unwrap().with_kid("k1")
}

static KEYS: AtomicU64 = AtomicU64::new(1);

/// Its public part, as a set.
pub(crate) fn key_set(key: &Jwk) -> Value {
    json!({ "keys": [public_part(key)] })
}

pub(crate) fn public_part(key: &Jwk) -> Value {
    serde_json::from_str(&key.to_json().unwrap()).unwrap()
}

/// A JWT of this type and content.
pub(crate) fn signed(key: &Jwk, algorithm: SignatureAlgorithm, typ: &str, claims: &Value) -> String {
    Signer::new(SigningKey::new(key, algorithm).unwrap(), typ).sign_claims(claims).unwrap()
}

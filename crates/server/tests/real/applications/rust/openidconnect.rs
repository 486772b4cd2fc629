//! A web application that signs its people in with the crate `openidconnect`. Every page shows what came of it as JSON.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreIdToken, CoreIdTokenClaims,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndSessionUrl,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpClientError, IssuerUrl, LogoutRequest, Nonce,
    NonceVerifier, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardErrorResponse,
    SubjectIdentifier, TokenResponse, reqwest,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The client, as discovery makes it.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What a browser's cookie stands for.
const COOKIE_NAME: &str = "app";

struct App {
    issuer: String,
    client_id: ClientId,
    client_secret: ClientSecret,
    /// The own address, without a slash at the end.
    address: String,
    http: reqwest::Client,
    sessions: Mutex<HashMap<String, Session>>,
}

#[derive(Default)]
struct Session {
    request: Option<Request>,
    person: Option<Person>,
}

/// A sign-in that is under way.
struct Request {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Somebody who is signed in.
#[derive(Clone)]
struct Person {
    subject: SubjectIdentifier,
    nonce: Nonce,
    id_token: CoreIdToken,
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    info: Value,
}

/// Serves the application until its task is ended.
pub async fn serve(listener: TcpListener, issuer: String, client_id: String, client_secret: String) {
    let address = format!("http://{}", listener.local_addr().unwrap());
    // Following redirects would let others choose where requests go; and proxies know nothing of this machine.
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let app = App {
        issuer,
        client_id: ClientId::new(client_id),
        client_secret: ClientSecret::new(client_secret),
        address,
        http: http.build().unwrap(),
        sessions: Mutex::default(),
    };
    let routes = Router::new()
        .route("/", get(home))
        .route("/sign-in", get(sign_in))
        .route("/callback", get(callback))
        .route("/refresh", get(refresh))
        .route("/userinfo", get(userinfo))
        .route("/sign-out", get(sign_out));
    axum::serve(listener, routes.with_state(Arc::new(app))).await.unwrap();
}

impl App {
    /// Discovers anew each time: the crate itself does not follow when keys rotate.
    async fn discover(&self) -> Result<(Client, Option<EndSessionUrl>), Failure> {
        let issuer = IssuerUrl::new(self.issuer.clone())?;
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &self.http).await?;
        let end_session = metadata.additional_metadata().end_session_endpoint.clone();
        let (id, secret) = (self.client_id.clone(), self.client_secret.clone());
        let client = CoreClient::from_provider_metadata(metadata, id, Some(secret));
        let back = RedirectUrl::new(format!("{}/callback", self.address))?;
        Ok((client.set_redirect_uri(back), end_session))
    }

    /// Does something with the browser's session.
    fn session<T>(&self, id: &str, with: impl FnOnce(&mut Session) -> T) -> T {
        with(self.sessions.lock().unwrap().entry(id.to_owned()).or_default())
    }

    fn person(&self, headers: &HeaderMap) -> Result<(String, Person), Failure> {
        let id = session_id(headers).ok_or("nobody is signed in")?;
        let person = self.session(&id, |session| session.person.clone()).ok_or("nobody is signed in")?;
        Ok((id, person))
    }

    /// What UserInfo says of the person; the crate refuses an answer about somebody else.
    async fn info(
        &self,
        client: &Client,
        token: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Value, Failure> {
        let request = client.user_info(token.clone(), Some(subject.clone()))?;
        let info: CoreUserInfoClaims = request.request_async(&self.http).await?;
        Ok(serde_json::to_value(info)?)
    }
}

async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let said = match app.person(&headers) {
        Ok((_, Person { subject, info, .. })) => {
            json!({ "signed_in": true, "sub": subject, "name": info["name"], "email": info["email"] })
        }
        Err(_) => json!({ "signed_in": false }),
    };
    page(&said)
}

async fn sign_in(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let (client, _) = app.discover().await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let (address, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        // The crate asks for `openid` by itself.
        .add_scopes(["profile", "email", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let id = session_id(&headers).unwrap_or_else(|| CsrfToken::new_random().into_secret());
    app.session(&id, |session| session.request = Some(Request { state, nonce, verifier }));
    let cookie = format!("{COOKIE_NAME}={id}; Path=/; HttpOnly; SameSite=Lax");
    Ok(([(SET_COOKIE, cookie)], Redirect::to(address.as_str())).into_response())
}

/// An authorization response.
#[derive(Deserialize)]
struct Answer {
    code: Option<AuthorizationCode>,
    state: Option<CsrfToken>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn callback(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Failure> {
    let id = session_id(&headers).ok_or("there is no session")?;
    let request = app.session(&id, |session| session.request.take()).ok_or("no sign-in is under way")?;
    // State and issuer (RFC 9207) are left to the application by the crate.
    if answer.state.as_ref() != Some(&request.state) {
        return Err("the state is another one".into());
    }
    if answer.iss.as_ref() != Some(&app.issuer) {
        return Err("the issuer is another one".into());
    }
    if let Some(error) = answer.error {
        return Err(Failure { error, description: answer.error_description });
    }
    let (client, _) = app.discover().await?;
    let code = answer.code.ok_or("there is no code")?;
    let exchange = client.exchange_code(code)?.set_pkce_verifier(request.verifier);
    let tokens = exchange.request_async(&app.http).await?;
    let (id_token, claims) = verified(&client, &tokens, &request.nonce)?.ok_or("there is no ID token")?;
    let subject = claims.subject().clone();
    let info = app.info(&client, tokens.access_token(), &subject).await?;
    let person = Person {
        subject,
        nonce: request.nonce,
        id_token,
        access_token: tokens.access_token().clone(),
        refresh_token: tokens.refresh_token().cloned(),
        info,
    };
    app.session(&id, |session| session.person = Some(person));
    Ok(Redirect::to("/").into_response())
}

async fn refresh(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let (id, old) = app.person(&headers)?;
    let (client, _) = app.discover().await?;
    let refresh_token = old.refresh_token.clone().ok_or("there is no refresh token")?;
    let tokens = client.exchange_refresh_token(&refresh_token)?.request_async(&app.http).await?;
    // An ID token of a refresh has the first one's nonce or none, and is about the same person (OpenID Connect Core §12.2).
    let nonce = |nonce: Option<&Nonce>| match nonce {
        Some(nonce) => old.nonce.verify(Some(nonce)),
        None => Ok(()),
    };
    let mut new = old.clone();
    if let Some((id_token, claims)) = verified(&client, &tokens, nonce)? {
        if *claims.subject() != old.subject {
            return Err("the new ID token is about somebody else".into());
        }
        new.id_token = id_token;
    }
    new.access_token = tokens.access_token().clone();
    new.refresh_token = tokens.refresh_token().cloned().or(old.refresh_token.clone());
    let said = json!({
        "refreshed": true,
        "sub": new.subject,
        "new_access_token": new.access_token != old.access_token,
        "new_refresh_token": new.refresh_token != old.refresh_token,
    });
    app.session(&id, |session| session.person = Some(new));
    Ok(page(&said))
}

async fn userinfo(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let (_, person) = app.person(&headers)?;
    let (client, _) = app.discover().await?;
    Ok(page(&app.info(&client, &person.access_token, &person.subject).await?))
}

async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Failure> {
    let (id, person) = app.person(&headers)?;
    let (_, end_session) = app.discover().await?;
    app.sessions.lock().unwrap().remove(&id);
    let back = PostLogoutRedirectUrl::new(format!("{}/", app.address))?;
    let request = LogoutRequest::from(end_session.ok_or("there is no end_session_endpoint")?)
        .set_id_token_hint(&person.id_token)
        .set_post_logout_redirect_uri(back)
        .set_state(CsrfToken::new_random());
    Ok(Redirect::to(request.http_get_url().as_str()).into_response())
}

/// The ID token among the tokens, if there is one, and what it says. Both it and its bond to the access token are verified.
fn verified(
    client: &Client,
    tokens: &CoreTokenResponse,
    nonce: impl NonceVerifier,
) -> Result<Option<(CoreIdToken, CoreIdTokenClaims)>, Failure> {
    let Some(id_token) = tokens.id_token() else { return Ok(None) };
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let (algorithm, key) = (id_token.signing_alg()?, id_token.signing_key(&verifier)?);
        if AccessTokenHash::from_token(tokens.access_token(), algorithm, key)? != *expected {
            return Err("the ID token is not of the access token".into());
        }
    }
    Ok(Some((id_token.clone(), claims.clone())))
}

fn session_id(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(name, value)| (name == COOKIE_NAME).then(|| value.to_owned()))
}

/// Why something did not work, as its page says it.
struct Failure {
    error: String,
    description: Option<String>,
}

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        type Refusal =
            RequestTokenError<HttpClientError<reqwest::Error>, StandardErrorResponse<CoreErrorResponseType>>;
        let error = error.into();
        if let Some(RequestTokenError::ServerResponse(refusal)) = error.downcast_ref::<Refusal>() {
            let description = refusal.error_description().cloned();
            return Failure { error: refusal.error().to_string(), description };
        }
        let mut reasons = error.to_string();
        let mut source = error.source();
        while let Some(reason) = source {
            reasons = format!("{reasons}: {reason}");
            source = reason.source();
        }
        Failure { error: reasons, description: None }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        page(&json!({ "error": self.error, "error_description": self.description }))
    }
}

fn page(said: &Value) -> Response {
    let said = said.to_string().replace('&', "&amp;").replace('<', "&lt;");
    Html(format!("<!doctype html><title>App</title><pre id=\"said\">{said}</pre>")).into_response()
}

//! What an authorization request may say, in the order in which it is checked.

use gateward_kernel::claims::{ClaimsRequest, Custom};
use gateward_kernel::confirmation::Thumbprint;
use gateward_kernel::oauth::client::GrantType;
use gateward_kernel::oauth::{Challenge, Client, OAuthCode, OAuthError, ResponseMode, ResponseType};
use gateward_kernel::time::Moment;
use gateward_kernel::token::Scope;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::face::form::Form;
use crate::oauth::scopes::{self, Unknown};

/// How a person can sign in, as `acr` names it: `1` is a password.
pub const ACR_VALUES: [&str; 1] = ["1"];
/// What `prompt` may ask for.
pub const PROMPTS: [&str; 4] = ["none", "login", "consent", "select_account"];
/// The longest `state`, `nonce` and `login_hint`, in bytes.
const LONGEST: usize = 1024;
/// The most bytes of `authorization_details`.
const MOST_DETAILS: usize = 4096;

/// What `prompt` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompt {
    /// No page may be shown.
    pub none: bool,
    /// The person has to sign in again.
    pub login: bool,
    /// The person has to agree again.
    pub consent: bool,
    /// The person has to say which account.
    pub select_account: bool,
}

/// A request that was found good.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub client: Box<str>,
    /// Where the answer goes.
    pub redirect_uri: Box<str>,
    /// Whether the request named that.
    pub redirect_named: bool,
    /// What is asked for.
    pub response_type: ResponseType,
    /// How the answer travels.
    pub mode: ResponseMode,
    /// Which scopes, of those that there are for this client.
    pub scope: Scope,
    /// Handed back as it is.
    pub state: Option<Box<str>>,
    /// To stand in the ID token.
    pub nonce: Option<Box<str>>,
    /// Whose verifier opens the code.
    pub challenge: Option<Challenge>,
    /// What has to be asked of the person.
    pub prompt: Prompt,
    /// How long ago they may have signed in, in seconds.
    pub max_age: Option<u64>,
    /// How they must have signed in; any way when empty.
    pub acr: Vec<Box<str>>,
    /// Which claims are asked for by name.
    pub claims: ClaimsRequest,
    /// For which resources.
    pub resources: Vec<Box<str>>,
    /// Whose proof opens the code.
    pub dpop_jkt: Option<Thumbprint>,
    /// Rich authorization details.
    pub details: Option<Value>,
    /// Who is expected to be signed in, by `id_token_hint`.
    pub subject: Option<Box<str>>,
    /// Who will perhaps sign in.
    pub login_hint: Option<Box<str>>,
}

/// How a request came.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Came {
    /// The client has pushed it before (RFC 9126).
    pub pushed: bool,
    /// The client has signed it (RFC 9101).
    pub signed: bool,
}

/// Where an error may be told to.
#[derive(Clone, PartialEq, Debug)]
pub struct Back {
    /// The client.
    pub client: Box<str>,
    /// Its redirect URI, found good.
    pub redirect_uri: Box<str>,
    /// How the answer travels.
    pub mode: ResponseMode,
    /// Handed back as it is.
    pub state: Option<Box<str>>,
}

/// Why a request is not good.
#[derive(Clone, PartialEq, Debug)]
pub enum Bad {
    /// Told on a page: nobody knows where else.
    Page(OAuthError),
    /// Told to the client.
    Answer(Box<Back>, OAuthError),
}

/// Reads a request of this client.
pub fn read(app: &App, client: &Client, form: &Form, came: Came, now: Moment) -> Result<Request, Bad> {
    let given = |name: &str| form.get(name).filter(|value| !value.is_empty());
    let metadata = &client.metadata;
    let asked = given("redirect_uri");
    // OpenID Connect wants it named (Core §3.1.2.1); a single registered one will do for others (RFC 6749 §3.1.2.3).
    let redirect_uri = metadata.redirect_uri(asked).ok_or_else(|| {
        Bad::Page(OAuthError::request(match asked {
            Some(_) => "redirect_uri is not one that the client has registered",
            None => "redirect_uri is missing",
        }))
    })?;
    let response_type = given("response_type").map(str::parse::<ResponseType>);
    let fallback = match response_type {
        Some(Ok(kind)) => kind.default_mode(),
        _ => ResponseMode::QUERY,
    };
    let kind = response_type.and_then(Result::ok).unwrap_or(ResponseType::CODE);
    let mode = given("response_mode").map(|text| ResponseMode::read(text, kind));
    let read = Reading { app, client, form, came, now };
    let read =
        read.rest(asked.is_some(), &redirect_uri, response_type.transpose(), mode.transpose(), fallback);
    read.map_err(|error| Bad::Answer(Box::new(addressed(client, form, redirect_uri.clone())), error))
}

/// Where an error is told to when the request itself could not be had, for its object is not good: to the redirect URI that stands
/// outside of it, where one of the client's does.
pub fn back(client: &Client, form: &Form) -> Option<Back> {
    let asked = form.get("redirect_uri").filter(|value| !value.is_empty())?;
    let redirect_uri = client.metadata.redirect_uri(Some(asked))?;
    Some(addressed(client, form, redirect_uri))
}

/// The way back to a redirect URI that was found good, as far as the rest of the request can be understood.
fn addressed(client: &Client, form: &Form, redirect_uri: Box<str>) -> Back {
    let given = |name: &str| form.get(name).filter(|value| !value.is_empty());
    let kind = given("response_type").and_then(|text| text.parse::<ResponseType>().ok());
    let fallback = kind.map_or(ResponseMode::QUERY, ResponseType::default_mode);
    let kind = kind.unwrap_or(ResponseType::CODE);
    let mode = given("response_mode").and_then(|text| ResponseMode::read(text, kind).ok());
    Back {
        client: client.client_id.clone(),
        redirect_uri,
        mode: mode.filter(|mode| mode.may_carry(kind)).unwrap_or(fallback),
        state: given("state").filter(|state| state.len() <= LONGEST).map(Into::into),
    }
}

struct Reading<'a> {
    app: &'a App,
    client: &'a Client,
    form: &'a Form,
    came: Came,
    now: Moment,
}

impl Reading<'_> {
    fn given(&self, name: &str) -> Option<&str> {
        self.form.get(name).filter(|value| !value.is_empty())
    }

    /// A text that is not longer than it may be.
    fn text(&self, name: &str) -> Result<Option<Box<str>>, OAuthError> {
        match self.given(name) {
            Some(text) if text.len() > LONGEST => {
                Err(OAuthError::request(format!("{name} is longer than {LONGEST} bytes")))
            }
            other => Ok(other.map(Into::into)),
        }
    }

    fn rest<E, F>(
        &self,
        redirect_named: bool,
        redirect_uri: &str,
        response_type: Result<Option<ResponseType>, E>,
        mode: Result<Option<ResponseMode>, F>,
        fallback: ResponseMode,
    ) -> Result<Request, OAuthError> {
        self.unsupported()?;
        let state = self.text("state")?;
        let response_type = self.response_type(response_type)?;
        let mode = mode.map_err(|_| OAuthError::request("response_mode is unknown"))?.unwrap_or(fallback);
        if !mode.may_carry(response_type) {
            return Err(OAuthError::request("tokens do not travel in a query"));
        }
        let challenge = self.challenge(response_type)?;
        let prompt = self.prompt()?;
        let scope = self.scope(response_type)?;
        let nonce = self.text("nonce")?;
        if response_type.id_token && nonce.is_none() {
            return Err(OAuthError::request("nonce is missing (OpenID Connect Core, section 3.2.2.1)"));
        }
        let claims = self.claims(&scope)?;
        Ok(Request {
            client: self.client.client_id.clone(),
            redirect_uri: redirect_uri.into(),
            redirect_named,
            response_type,
            mode,
            state,
            nonce,
            challenge,
            prompt,
            max_age: self.max_age()?,
            acr: self.acr(&claims)?,
            resources: scopes::named(self.app, self.client, self.form.all("resource"))?,
            dpop_jkt: self.dpop_jkt()?,
            details: self.details()?,
            subject: self.subject()?,
            login_hint: self.text("login_hint")?,
            scope,
            claims,
        })
    }

    fn unsupported(&self) -> Result<(), OAuthError> {
        let metadata = &self.client.metadata;
        if self.given("registration").is_some() {
            return Err(OAuthError::new(OAuthCode::RegistrationNotSupported, "registration is not taken"));
        }
        if metadata.require_pushed_authorization_requests && !self.came.pushed {
            return Err(OAuthError::request("the client has registered to push its requests (RFC 9126)"));
        }
        if metadata.require_signed_request_object && !self.came.signed {
            return Err(OAuthError::request("the client has registered to sign its requests (RFC 9101)"));
        }
        Ok(())
    }

    fn response_type<E>(&self, read: Result<Option<ResponseType>, E>) -> Result<ResponseType, OAuthError> {
        let unsupported = |why| OAuthError::new(OAuthCode::UnsupportedResponseType, why);
        let kind = read
            .map_err(|_| unsupported("response_type is unknown"))?
            .ok_or_else(|| OAuthError::request("response_type is missing"))?;
        if kind.is_legacy() && !self.app.settings.oauth.legacy_flows {
            return Err(unsupported("the implicit and hybrid flows are switched off here"));
        }
        let metadata = &self.client.metadata;
        let is_registered = metadata.response_types.0.contains(&kind);
        let is_allowed = !kind.is_legacy() || metadata.gateward_legacy_flows;
        if !is_registered || !is_allowed || (kind.code && !self.client.may(GrantType::AuthorizationCode)) {
            return Err(OAuthError::new(
                OAuthCode::UnauthorizedClient,
                "the client has not registered this response_type",
            ));
        }
        Ok(kind)
    }

    /// PKCE (RFC 7636): always, but for clients that can prove themselves and are older than it.
    fn challenge(&self, response_type: ResponseType) -> Result<Option<Challenge>, OAuthError> {
        let method = self.given("code_challenge_method");
        match self.given("code_challenge") {
            Some(text) => {
                // Without a method it would be "plain", which is none (RFC 7636 §4.3, RFC 9700 §2.1.1).
                if method != Some("S256") {
                    return Err(OAuthError::request("code_challenge_method must be S256"));
                }
                let read = text
                    .parse()
                    .map_err(|_| OAuthError::request("code_challenge is no SHA-256 in base64url"));
                Ok(Some(read?))
            }
            None if method.is_some() => Err(OAuthError::request("code_challenge is missing")),
            None if !response_type.code => Ok(None),
            None if self.client.is_confidential() && self.client.metadata.gateward_pkce_optional => Ok(None),
            None => Err(OAuthError::request("code_challenge is missing (RFC 7636)")),
        }
    }

    fn prompt(&self) -> Result<Prompt, OAuthError> {
        let mut read = Prompt::default();
        for value in self.given("prompt").unwrap_or_default().split(' ').filter(|value| !value.is_empty()) {
            match value {
                "none" => read.none = true,
                "login" => read.login = true,
                "consent" => read.consent = true,
                "select_account" => read.select_account = true,
                // Accounts are made by the administrator: whoever wants one is shown the sign-in page.
                "create" => {}
                _ => return Err(OAuthError::request("prompt holds an unknown value")),
            }
        }
        if read.none && (read.login || read.consent || read.select_account) {
            return Err(OAuthError::request("prompt holds none beside another value"));
        }
        Ok(read)
    }

    fn scope(&self, response_type: ResponseType) -> Result<Scope, OAuthError> {
        let invalid = |why| OAuthError::new(OAuthCode::InvalidScope, why);
        let asked: Scope = self
            .given("scope")
            .unwrap_or_default()
            .parse()
            .map_err(|_| invalid("scope is no list of scopes (RFC 6749, section 3.3)"))?;
        let mut scope = scopes::known(self.app, self.client, &asked, Unknown::PassedOver)?;
        if !asked.is_empty() && scope.is_empty() {
            return Err(invalid("none of these scopes is there for this client"));
        }
        if response_type.id_token && !scope.has("openid") {
            return Err(invalid("an ID token needs the scope openid"));
        }
        // Without a code nobody can come back for a refresh token (OpenID Connect Core §11).
        if scope.has("offline_access") && (!response_type.code || !self.client.may(GrantType::RefreshToken)) {
            scope = scope.but_not(&"offline_access".parse().unwrap_or_default());
        }
        Ok(scope)
    }

    fn max_age(&self) -> Result<Option<u64>, OAuthError> {
        match self.given("max_age") {
            None => Ok(self.client.metadata.default_max_age),
            Some(text) => {
                text.parse().map(Some).map_err(|_| OAuthError::request("max_age is no number of seconds"))
            }
        }
    }

    fn claims(&self, scope: &Scope) -> Result<ClaimsRequest, OAuthError> {
        let Some(text) = self.given("claims") else { return Ok(ClaimsRequest::default()) };
        if !scope.has("openid") {
            return Ok(ClaimsRequest::default());
        }
        let custom = Custom { always: &[], on_request: self.app.tokens.mint.claims() };
        ClaimsRequest::parse(text, custom)
            .map_err(|problem| OAuthError::request(format!("claims: {problem}")))
    }

    /// What must be reached. Wishes that cannot be reached are passed over, demands are errors (OpenID Connect Core §5.5.1.1).
    fn acr(&self, claims: &ClaimsRequest) -> Result<Vec<Box<str>>, OAuthError> {
        let Some(asked) = claims.acr().filter(|acr| acr.essential && !acr.values.is_empty()) else {
            return Ok(Vec::new());
        };
        let reachable: Vec<Box<str>> = asked
            .values
            .iter()
            .filter(|value| ACR_VALUES.contains(value))
            .map(|value| (*value).into())
            .collect();
        match reachable.is_empty() {
            true => Err(OAuthError::new(
                OAuthCode::UnmetAuthenticationRequirements,
                "none of the demanded ways of signing in is there",
            )),
            false => Ok(reachable),
        }
    }

    fn dpop_jkt(&self) -> Result<Option<Thumbprint>, OAuthError> {
        let read = self.given("dpop_jkt").map(str::parse).transpose();
        read.map_err(|_| OAuthError::request("dpop_jkt is no thumbprint"))
    }

    /// Rich authorization details (RFC 9396 §2): a list of objects whose types the client has registered.
    fn details(&self) -> Result<Option<Value>, OAuthError> {
        let Some(text) = self.given("authorization_details") else { return Ok(None) };
        let invalid = |why: &'static str| OAuthError::new(OAuthCode::InvalidAuthorizationDetails, why);
        if text.len() > MOST_DETAILS {
            return Err(invalid("authorization_details has more than 4096 bytes"));
        }
        let details: Value =
            serde_json::from_str(text).map_err(|_| invalid("authorization_details is no JSON"))?;
        let all = details.as_array().filter(|all| !all.is_empty());
        let all = all.ok_or_else(|| invalid("authorization_details is no list of objects"))?;
        for one in all {
            let kind = one.get("type").and_then(Value::as_str);
            let kind = kind.ok_or_else(|| invalid("an authorization detail has no type"))?;
            if !self.client.metadata.authorization_details_types.iter().any(|own| own == kind) {
                return Err(invalid("a type of authorization details is not for this client"));
            }
        }
        Ok(Some(details))
    }

    /// Of an ID token of ours for this client, which may have expired (OpenID Connect Core §3.1.2.1).
    fn subject(&self) -> Result<Option<Box<str>>, OAuthError> {
        let Some(hint) = self.given("id_token_hint") else { return Ok(None) };
        let read = crate::oauth::hint::read(self.app, hint, self.now);
        let read = read.filter(|read| read.client == self.client.client_id);
        let read = read.ok_or_else(|| {
            OAuthError::request("id_token_hint is no ID token of this server for this client")
        })?;
        Ok(Some(read.subject))
    }
}

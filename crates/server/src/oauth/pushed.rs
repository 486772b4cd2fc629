//! `POST /oauth/par` (RFC 9126): a client says by itself, and proved, what its person will come for.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::handle::HandleKey;
use gateward_kernel::oauth::pushed::REQUEST_URI;
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError, Pushed, PushedHandle, PushedId};
use gateward_kernel::ports::{Fault, FaultKind, Kv};
use gateward_kernel::record::Book;
use gateward_kernel::secret::{Entropy, RootKey, Secret};
use gateward_kernel::time::Moment;
use http::StatusCode;
use serde_json::json;

use super::authorize::law::{self, Bad, Came, Request};
use super::call::{Answered, Call, Trouble, json_answer};
use super::{client_auth, dpop, request_object};
use crate::app::App;
use crate::face::form::Form;

/// By what a client proves itself; no part of the request.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// The most bytes of a request that is kept, in names and values.
const LONGEST: usize = 32 * 1024;

/// All that were pushed and are not completed.
pub struct Pushes {
    book: Book<Pushed>,
    handles: HandleKey<PushedId>,
    entropy: Arc<dyn Entropy>,
    lifetime: Duration,
}

impl std::fmt::Debug for Pushes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pushes")
    }
}

impl Pushes {
    /// Requests in this durable store, with which a person can come for so long.
    pub fn new(kv: Arc<dyn Kv>, lifetime: Duration, root: &RootKey, entropy: Arc<dyn Entropy>) -> Self {
        Pushes { book: Book::new(kv), handles: HandleKey::new(root), entropy, lifetime }
    }

    /// Keeps a request that was found good; its `request_uri`.
    async fn keep(
        &self,
        client: &Client,
        parameters: Vec<(String, String)>,
        signed: bool,
        now: Moment,
    ) -> Result<String, Fault> {
        let handle = self.handles.handle(PushedId::random(&*self.entropy), Secret::random(&*self.entropy));
        let pushed = Pushed {
            id: handle.id,
            digest: handle.digest(),
            client: client.client_id.clone(),
            parameters,
            signed,
            expires: now + self.lifetime,
        };
        match self.book.create(pushed, now).await? {
            Some(_) => Ok(format!("{REQUEST_URI}{}", *handle.print())),
            None => Err(Fault::new("entropy", FaultKind::Contended, "a random request id was in use")),
        }
    }

    /// The request behind a `request_uri`, for the client that pushed it. Nothing is spent by that.
    pub async fn begin(
        &self,
        app: &App,
        client: &Client,
        uri: &str,
        now: Moment,
    ) -> Result<Result<(PushedId, Request), OAuthError>, Fault> {
        let unknown =
            || OAuthError::new(OAuthCode::InvalidRequestUri, "request_uri is unknown, too old, or was used");
        let handle = uri.strip_prefix(REQUEST_URI).and_then(|text| PushedHandle::read(text.as_bytes()).ok());
        let Some(handle) = handle.filter(|handle| self.handles.made(handle)) else {
            return Ok(Err(unknown()));
        };
        let Some(found) = self.book.load(handle.id, now).await? else { return Ok(Err(unknown())) };
        let pushed = &found.record;
        if let Err(why) = pushed.opens(&handle.digest(), &client.client_id, now) {
            tracing::info!(client = %client.client_id, ?why, "a request_uri leads to nothing");
            return Ok(Err(unknown()));
        }
        Ok(read(app, client, pushed, now).map(|request| (pushed.id, request)))
    }

    /// The request that a person is on the way with; nothing when it was completed, or is not good any more.
    pub async fn again(&self, app: &App, id: PushedId, now: Moment) -> Result<Option<Request>, Fault> {
        let Some(found) = self.book.load(id, now).await? else { return Ok(None) };
        let Some(client) = app.oauth.clients.find(&found.record.client, now).await? else { return Ok(None) };
        Ok(read(app, &client.record, &found.record, now).ok())
    }

    /// Completes a request; whether this caller is the one who does.
    pub async fn spend(&self, id: PushedId, now: Moment) -> Result<bool, Fault> {
        use gateward_kernel::record::Record;
        let taken = self.book.remove(id).await?;
        Ok(taken.is_some_and(|taken| taken.record.death() > now))
    }
}

/// Reads it as the client is now: what it has lost meanwhile it does not get.
fn read(app: &App, client: &Client, pushed: &Pushed, now: Moment) -> Result<Request, OAuthError> {
    let came = Came { pushed: true, signed: pushed.signed };
    law::read(app, client, &Form::of(pushed.parameters.clone()), came, now).map_err(error_of)
}

fn error_of(bad: Bad) -> OAuthError {
    match bad {
        Bad::Page(error) | Bad::Answer(_, error) => error,
    }
}

/// `POST /oauth/par`
pub async fn answer(call: Call) -> Answered {
    let (app, now) = (&call.app, call.now);
    let client = client_auth::authenticate(&call).await?;
    let client = &client.record;
    if !client.is_confidential() || client.came_by_itself() {
        // Anybody can be such a client, and everything that is pushed is written down.
        app.throttle.guest(call.address, now).await?;
    }
    if call.optional("request_uri").is_some() {
        return Err(OAuthError::request("request_uri is not pushed (RFC 9126, section 2.1)").into());
    }
    let object = request_object::parameters(app, client, &call.form, now).await??;
    let signed = object.is_some();
    let form = object.as_ref().unwrap_or(&call.form);
    let own = form.iter().filter(|(name, _)| !CREDENTIALS.contains(name));
    let mut parameters: Vec<(String, String)> =
        own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let length: usize = parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
    if length > LONGEST {
        return Err(OAuthError::request(format!("the request has more than {LONGEST} bytes")).into());
    }
    bind(&call, &mut parameters).await?;
    let came = Came { pushed: true, signed };
    law::read(app, client, &Form::of(parameters.clone()), came, now).map_err(error_of)?;
    let uri = app.oauth.pushed.keep(client, parameters, signed, now).await?;
    let told = json!({ "request_uri": uri, "expires_in": app.oauth.pushed.lifetime.as_secs() });
    let mut response = json_answer(StatusCode::CREATED, &told)?;
    call.allow_origin(&client.metadata.gateward_cors_origins, &mut response);
    Ok(response)
}

/// Binds the code that will come of it to the key of the call's proof, as if `dpop_jkt` had named it (RFC 9449 §10.1).
async fn bind(call: &Call, parameters: &mut Vec<(String, String)>) -> Result<(), Trouble> {
    let Some(jkt) = dpop::offered(call).await? else { return Ok(()) };
    let jkt = jkt.to_string();
    let named = parameters.iter().find(|(name, value)| name == "dpop_jkt" && !value.is_empty());
    match named {
        Some((_, named)) if *named != jkt => {
            let why = "the DPoP proof is by another key than dpop_jkt names (RFC 9449, section 10.1)";
            Err(OAuthError::new(OAuthCode::InvalidDpopProof, why).into())
        }
        Some(_) => Ok(()),
        None => {
            parameters.retain(|(name, _)| name != "dpop_jkt");
            parameters.push(("dpop_jkt".to_owned(), jkt));
            Ok(())
        }
    }
}

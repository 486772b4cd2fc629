//! A request while its person signs in and agrees: it travels with them, sealed, and nothing of it is stored. Of one that the
//! client has pushed only its name travels.

use data_encoding::BASE64URL_NOPAD;
use gateward_kernel::oauth::{Client, Consent, PushedId};
use gateward_kernel::ports::Fault;
use gateward_kernel::time::Moment;
use serde::{Deserialize, Serialize};

use super::law::Request;
use super::step::Progress;
use crate::app::App;

/// The path of the authorization endpoint.
pub const PATH: &str = "/oauth/authorize";
/// For so long a person may take.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(3600);
/// The longest sealed request: what browsers, proxies and servers take in an address.
pub const LONGEST: usize = 6 * 1024;
/// What it is sealed for.
const CONTEXT: &[u8] = b"authorization request 1";

/// A request on its way.
#[derive(Clone, PartialEq, Debug)]
pub struct Flow {
    /// What is asked for.
    pub request: Request,
    /// Under which name the client has pushed it, where it has (RFC 9126); whoever completes it spends that.
    pub pushed: Option<PushedId>,
    /// What its person has done for it.
    pub progress: Progress,
}

/// What travels.
#[derive(Serialize, Deserialize)]
struct Sealed<R> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<R>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pushed: Option<PushedId>,
    progress: Progress,
}

impl Flow {
    /// A request that has just come.
    pub const fn begin(request: Request, pushed: Option<PushedId>, now: Moment) -> Self {
        Flow { request, pushed, progress: Progress { began: now, chosen: false } }
    }

    /// Sealed, for an address; `None` when it is longer than an address may be.
    pub fn seal(&self, app: &App) -> Option<String> {
        let request = self.pushed.is_none().then_some(&self.request);
        let plain =
            serde_json::to_vec(&Sealed { request, pushed: self.pushed, progress: self.progress }).ok()?;
        let sealed = BASE64URL_NOPAD.encode(&app.oauth.flows.seal(&*app.entropy, CONTEXT, &plain));
        (sealed.len() <= LONGEST).then_some(sealed)
    }

    /// Reads one that was sealed here within the hour; nothing also when it was pushed, and is completed.
    pub async fn read(app: &App, text: &str, now: Moment) -> Result<Option<Self>, Fault> {
        let Some(Sealed { request, pushed, progress }) = open(app, text, now) else { return Ok(None) };
        let request = match (request, pushed) {
            (None, Some(id)) => app.oauth.pushed.again(app, id, now).await?,
            (request, _) => request,
        };
        Ok(request.map(|request| Flow { request, pushed, progress }))
    }

    /// The one in an address of ours, such as the page that a person comes back to after signing in.
    pub async fn in_target(app: &App, target: &str, now: Moment) -> Result<Option<Self>, Fault> {
        let query = target.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('?')).unwrap_or_default();
        let Ok(form) = crate::face::form::Form::read(query.as_bytes()) else { return Ok(None) };
        match form.get("flow") {
            Some(text) => Flow::read(app, text, now).await,
            None => Ok(None),
        }
    }

    /// What the person has to agree to.
    pub fn wanted(&self, client: &Client, now: Moment) -> Consent {
        use gateward_kernel::oauth::client::ConsentPolicy;
        let request = &self.request;
        let asked = request.claims.scopes().map(|scope| scope.name().into()).collect();
        Consent {
            client: request.client.clone(),
            scope: request.scope.clone(),
            resources: request.resources.clone(),
            claims: asked,
            asked: client.metadata.gateward_consent == ConsentPolicy::Ask,
            details: request.details.clone(),
            given: now,
            used: now,
            grants: Vec::new(),
        }
    }
}

fn open(app: &App, text: &str, now: Moment) -> Option<Sealed<Request>> {
    if text.len() > LONGEST {
        return None;
    }
    let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let plain = app.oauth.flows.open(CONTEXT, &sealed).ok()?;
    let sealed: Sealed<Request> = serde_json::from_slice(&plain).ok()?;
    (now.since(sealed.progress.began) < LIFETIME).then_some(sealed)
}

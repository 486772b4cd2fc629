//! `/device`: a person types the code that a device shows, sees who asks for what, and decides (RFC 8628 §3.3).

use std::sync::Arc;

use gateward_kernel::event::Fact;
use gateward_kernel::oauth::{Authorized, Client, Consent, Device, DeviceDecision, OAuthError, UserCode};
use gateward_kernel::record::Loaded;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::token::Scope;
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::page::{DeviceConsentPage, DeviceDonePage, DeviceError, DevicePage, ScopeRow};
use crate::face::visit::Visit;
use crate::oauth::authorize::law::ACR_VALUES;
use crate::oauth::authorize::web::{card, error_page, narrowed};

/// Where a person types the code of a device.
pub const PATH: &str = "/device";
/// The name of its forms.
const FORM: &str = "device";

/// `GET /device`: a code in the address only fills the field (RFC 8628 §3.3.1, §5.4): it may have come from anybody.
pub async fn page(visit: Visit) -> Answer {
    let code = visit.query.text("user_code").parse::<UserCode>();
    ask(&visit, StatusCode::OK, code.map_or_else(|_| String::new(), |code| code.to_string()), None)
}

fn ask(visit: &Visit, status: StatusCode, user_code: String, error: Option<DeviceError>) -> Answer {
    answer::page_with(visit, status, &DevicePage { csrf: visit.token(FORM), user_code, error })
}

/// `POST /device`: who has this code, and what does it ask for? Nothing is decided by that.
pub async fn enter(visit: Visit) -> Answer {
    let person = visit.signed_in()?;
    let typed: String = visit.form.text("user_code").chars().take(40).collect();
    // What cannot be a code is a slip, and no guess.
    let Ok(code) = typed.parse::<UserCode>() else {
        return ask(&visit, StatusCode::BAD_REQUEST, typed, Some(DeviceError::Unknown));
    };
    let counted = match visit.app.throttle.user_code(person.id, visit.client, visit.now).await {
        Ok(counted) => counted,
        Err(failure) => return refused(&visit, typed, failure),
    };
    let device = visit.app.oauth.devices.typed(&code, visit.now).await?;
    let found = match device {
        Some(device) => client_of(&visit, &device.record).await?.map(|client| (device, client)),
        None => None,
    };
    let Some((device, client)) = found else {
        return ask(&visit, StatusCode::BAD_REQUEST, typed, Some(DeviceError::Unknown));
    };
    visit.app.throttle.refund(counted, visit.now).await?;
    question(&visit, &code, &device.record, &client.record)
}

/// The form again, once too many codes were tried.
fn refused(visit: &Visit, typed: String, failure: Failure) -> Answer {
    let Some(refusal @ Refusal::Throttled(_)) = failure.refusal() else { return Err(failure) };
    failure.log(&visit.request, &visit.path);
    let seconds = refusal.retry_after_seconds().unwrap_or(1);
    let error = DeviceError::Throttled { retry_after_seconds: seconds };
    let mut response = ask(visit, answer::status(refusal.row().status), typed, Some(error))?;
    response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from(seconds));
    Ok(response)
}

async fn client_of(visit: &Visit, device: &Device) -> Result<Option<Arc<Loaded<Client>>>, Failure> {
    Ok(visit.app.oauth.clients.find(&device.client, visit.now).await?)
}

/// Asked every time, also where consent is remembered or not needed otherwise: only the person knows whether the device that
/// asks is the one before them.
fn question(visit: &Visit, code: &UserCode, device: &Device, client: &Client) -> Answer {
    let person = visit.signed_in()?;
    let row = |scope: &str| ScopeRow { name: scope.to_owned(), is_fixed: scope == "openid", is_new: false };
    let page = DeviceConsentPage {
        csrf: visit.token(FORM),
        ticket: visit.app.oauth.devices.ticket(device.id, person.id),
        user_code: code.to_string(),
        client: card(client),
        display_name: person.shown_name().to_owned(),
        username: person.name.as_str().to_owned(),
        scopes: device.scope.iter().map(row).collect(),
        resources: device.resources.iter().map(ToString::to_string).collect(),
        offline: device.scope.has("offline_access"),
    };
    answer::page(visit, &page)
}

/// `POST /device/decide`
pub async fn decide(visit: Visit) -> Answer {
    let (app, now) = (&visit.app, visit.now);
    let person = visit.signed_in()?;
    let gone = || {
        error_page(&visit, &OAuthError::request("the code is not valid any more, begin again at the device"))
    };
    let Some(id) = app.oauth.devices.read_ticket(visit.form.text("ticket"), person.id) else { return gone() };
    let Some(device) = app.oauth.devices.open(id, now).await? else { return gone() };
    let Some(client) = client_of(&visit, &device.record).await? else { return gone() };
    let client = &client.record;
    let is_allowed = visit.form.get("decision") == Some("allow");
    let authorized = match is_allowed {
        true => Some(authorized(&visit, &device.record).await?),
        false => None,
    };
    match app.oauth.devices.decide(id, authorized.clone(), now).await? {
        Some(DeviceDecision::Made) => {}
        Some(DeviceDecision::AlreadyMade | DeviceDecision::Expired) | None => return gone(),
    }
    if let Some(authorized) = authorized {
        let mut event = visit.event(Fact::ConsentGiven, Some(person.id));
        event.detail = Some(format!("client {} on a device: {}", client.client_id, authorized.scope));
        visit.record(event).await;
    }
    answer::page(&visit, &DeviceDonePage { client: client.shown_name().to_owned(), is_allowed })
}

/// What the person gives: what they have left ticked, in their session. It is written down as agreed to before the device can
/// hear of it.
async fn authorized(visit: &Visit, device: &Device) -> Result<Authorized, Failure> {
    let session = &visit.session()?.session.record;
    let subject = session.subject.as_ref().ok_or(Refusal::NotSignedIn)?;
    let scope: Scope = narrowed(&visit.form, &device.scope);
    let consent = Consent {
        client: device.client.clone(),
        scope: scope.clone(),
        resources: device.resources.clone(),
        claims: Vec::new(),
        asked: true,
        details: None,
        given: visit.now,
        used: visit.now,
        grants: Vec::new(),
    };
    visit.app.oauth.consents.give(subject.person, consent, visit.now).await?;
    Ok(Authorized {
        person: subject.person,
        session: session.id,
        since: subject.since,
        proofs: subject.proofs.clone(),
        scope,
        resources: device.resources.clone(),
        nonce: None,
        claims: Default::default(),
        acr: Some(ACR_VALUES[0].into()),
        details: None,
    })
}

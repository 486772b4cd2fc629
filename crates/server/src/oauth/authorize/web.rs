//! `/oauth/authorize` and `/oauth/consent`.

use std::sync::Arc;

use gateward_kernel::event::Fact;
use gateward_kernel::grant::{Extent, Given};
use gateward_kernel::oauth::client::{ConsentPolicy, Origin};
use gateward_kernel::oauth::pushed::REQUEST_URI;
use gateward_kernel::oauth::{Authorized, Client, Consent, OAuthCode, OAuthError};
use gateward_kernel::record::Loaded;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::token::Scope;
use http::header::SET_COOKIE;
use http::{Method, StatusCode};

use super::flow::{self, Flow};
use super::law::{self, Back, Bad, Came};
use super::reply::{self, Reply};
use super::step::{self, Next, SignedIn};
use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::form::Form;
use crate::face::page::{ChooseAccountPage, ClientCard, ConsentPage, ErrorPage, ErrorTitle, ScopeRow};
use crate::face::steering::readable;
use crate::face::visit::Visit;
use crate::oauth::codes::Binding;
use crate::oauth::id_token::{self, About};
use crate::oauth::issue::{self, Bound, Of};
use crate::oauth::logout::browser_state;
use crate::oauth::{logo, request_object, scopes};
use crate::tokens::mint::auth_time;

/// `GET /oauth/authorize`
pub async fn ask(visit: Visit) -> Answer {
    if let Some(text) = visit.query.get("flow") {
        let Some(flow) = Flow::read(&visit.app, text, visit.now).await? else { return too_late(&visit) };
        let Some(client) = client(&visit, &flow.request.client).await? else {
            return error_page(&visit, &unknown_client());
        };
        if visit.query.get("cancel") == Some("1") {
            let error = OAuthError::new(OAuthCode::AccessDenied, "the person did not want to sign in");
            return refuse_flow(&visit, &client.record, &flow, &error).await;
        }
        return go_on(&visit, &client.record, flow).await;
    }
    begin(&visit, &visit.query).await
}

/// `POST /oauth/authorize`: the same from a form of the client (OpenID Connect Core §3.1.2.1).
pub async fn ask_by_form(visit: Visit) -> Answer {
    begin(&visit, &visit.form).await
}

async fn begin(visit: &Visit, form: &Form) -> Answer {
    let named = form.get("client_id").filter(|name| !name.is_empty());
    let Some(named) = named else { return error_page(visit, &OAuthError::request("client_id is missing")) };
    let Some(client) = client(visit, named).await? else { return error_page(visit, &unknown_client()) };
    let client = &client.record;
    let flow = match begun(visit, client, form).await? {
        Ok(flow) => flow,
        Err(Bad::Page(error)) => return error_page(visit, &error),
        Err(Bad::Answer(back, error)) => return refuse(visit, client, &back, &error).await,
    };
    // A form from another site comes without our cookies; the page it is led to comes with them.
    if visit.method == Method::POST {
        return lead(visit, client, &flow, &format!("{}?flow=", flow::PATH)).await;
    }
    go_on(visit, client, flow).await
}

/// The request in one of its three forms: as it stands there, in an object that the client has signed, or pushed before. Of the
/// latter two nothing counts that stands beside them (RFC 9101 §5, RFC 9126 §4).
async fn begun(visit: &Visit, client: &Client, form: &Form) -> Result<Result<Flow, Bad>, Failure> {
    let (app, now) = (&visit.app, visit.now);
    let uri = form.get("request_uri").filter(|uri| uri.starts_with(REQUEST_URI));
    // An empty parameter counts as left out (RFC 6749 §3.1).
    if let (Some(uri), None) = (uri, form.get("request").filter(|object| !object.is_empty())) {
        let begun = app.oauth.pushed.begin(app, client, uri, now).await?;
        return Ok(begun.map(|(id, request)| Flow::begin(request, Some(id), now)).map_err(Bad::Page));
    }
    let object = match request_object::parameters(app, client, form, now).await? {
        Ok(object) => object,
        Err(error) => {
            return Ok(Err(match law::back(client, form) {
                Some(back) => Bad::Answer(Box::new(back), error),
                None => Bad::Page(error),
            }));
        }
    };
    let came = Came { signed: object.is_some(), ..Came::default() };
    let request = law::read(app, client, object.as_ref().unwrap_or(form), came, now);
    Ok(request.map(|request| Flow::begin(request, None, now)))
}

/// Does what comes next.
async fn go_on(visit: &Visit, client: &Client, flow: Flow) -> Answer {
    reply::can_be_made(&visit.app, client, flow.request.mode, visit.now).await?;
    let person = visit.person();
    let subject = person.map(|person| visit.app.oauth.subject(client, person.id));
    let proofs = visit.living.as_ref().and_then(|living| living.session.record.subject.as_ref());
    let authenticated = proofs.and_then(|subject| auth_time(&subject.proofs));
    let signed_in = match (person, &subject, authenticated) {
        (Some(person), Some(subject), Some(authenticated)) => {
            Some(SignedIn { person: person.id, subject, authenticated })
        }
        _ => None,
    };
    let wanted = flow.wanted(client, visit.now);
    let agreed = match person {
        Some(person) => has_agreed(visit, client, &flow, &wanted, person.id).await?,
        None => false,
    };
    match step::next(&flow.request, flow.progress, signed_in, agreed, visit.now) {
        Next::SignIn => sign_in(visit, client, &flow).await,
        Next::Choose => choose(visit, client, &flow).await,
        Next::Consent => consent(visit, client, &flow, &wanted).await,
        Next::Refuse(error) => refuse_flow(visit, client, &flow, &error).await,
        Next::Grant => {
            let person = visit.signed_in()?;
            if !spent(visit, &flow).await? {
                return too_late(visit);
            }
            // What needs no asking is written down all the same: it is listed, and can be taken back.
            visit.app.oauth.consents.give(person.id, wanted.clone(), visit.now).await?;
            grant(visit, client, &flow, flow.request.scope.clone()).await
        }
    }
}

async fn has_agreed(
    visit: &Visit,
    client: &Client,
    flow: &Flow,
    wanted: &Consent,
    person: gateward_kernel::id::PersonId,
) -> Result<bool, Failure> {
    // Nothing proves what answers at an app's own scheme or on a port of this machine (RFC 8252 §8.6): whatever its administrator says
    // of the app, this may be another.
    let uri = gateward_kernel::oauth::RedirectUri::read(&flow.request.redirect_uri);
    let is_native = uri.is_ok_and(|uri| uri.is_native());
    if is_native && !client.is_confidential() {
        return Ok(false);
    }
    if client.metadata.gateward_consent == ConsentPolicy::Skip {
        return Ok(true);
    }
    let given = visit.app.oauth.consents.of(person, visit.now).await?;
    Ok(given.of(&client.client_id).is_some_and(|given| given.covers(wanted)))
}

async fn sign_in(visit: &Visit, client: &Client, flow: &Flow) -> Answer {
    let again = if visit.person().is_some() { "again=1&" } else { "" };
    let target = |sealed: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("return_to", &format!("{}?flow={sealed}", flow::PATH));
        if let Some(hint) = &flow.request.login_hint {
            query.append_pair("login_hint", hint);
        }
        format!("/login?{again}{}", query.finish())
    };
    match flow.seal(&visit.app) {
        Some(sealed) => answer::see_other(&target(&sealed)),
        None => refuse(visit, client, &back(flow), &too_long()).await,
    }
}

async fn lead(visit: &Visit, client: &Client, flow: &Flow, to: &str) -> Answer {
    match flow.seal(&visit.app) {
        Some(sealed) => answer::see_other(&format!("{to}{sealed}")),
        None => refuse(visit, client, &back(flow), &too_long()).await,
    }
}

fn too_long() -> OAuthError {
    OAuthError::request("the request is too long for an address, push it first (RFC 9126)")
}

async fn choose(visit: &Visit, client: &Client, flow: &Flow) -> Answer {
    let person = visit.signed_in()?;
    let chosen = Flow { progress: step::Progress { chosen: true, ..flow.progress }, ..flow.clone() };
    let Some(chosen) = chosen.seal(&visit.app) else {
        return refuse(visit, client, &back(flow), &too_long()).await;
    };
    let mut other = url::form_urlencoded::Serializer::new(String::new());
    // Whoever signs in now has chosen by that.
    other.append_pair("return_to", &format!("{}?flow={chosen}", flow::PATH));
    let page = ChooseAccountPage {
        client: card(client),
        display_name: person.shown_name().to_owned(),
        username: person.name.as_str().to_owned(),
        go_on: format!("{}?flow={chosen}", flow::PATH),
        another: format!("/login?again=1&{}", other.finish()),
    };
    answer::page_leading_to(visit, StatusCode::OK, &page, &flow.request.redirect_uri)
}

/// The question, with everything that the client would get.
async fn consent(visit: &Visit, client: &Client, flow: &Flow, wanted: &Consent) -> Answer {
    let person = visit.signed_in()?;
    let Some(sealed) = flow.seal(&visit.app) else {
        return refuse(visit, client, &back(flow), &too_long()).await;
    };
    let given = visit.app.oauth.consents.of(person.id, visit.now).await?;
    let before = given.of(&client.client_id);
    let row = |scope: &str| ScopeRow {
        name: scope.to_owned(),
        is_fixed: scope == "openid",
        is_new: before.is_some_and(|before| !before.scope.has(scope)),
    };
    let mut scopes: Vec<ScopeRow> = wanted.scope.iter().map(row).collect();
    // Who somebody is comes first; the rest as it is named.
    scopes.sort_by_key(|row| !row.is_fixed);
    let page = ConsentPage {
        csrf: visit.token("consent"),
        flow: sealed,
        client: card(client),
        display_name: person.shown_name().to_owned(),
        username: person.name.as_str().to_owned(),
        scopes,
        claims: wanted.claims.iter().map(ToString::to_string).collect(),
        resources: wanted.resources.iter().map(ToString::to_string).collect(),
        details: wanted.details.as_ref().and_then(readable),
        offline: wanted.scope.has("offline_access"),
        leads_to: host_of(&flow.request.redirect_uri),
    };
    answer::page_leading_to(visit, StatusCode::OK, &page, &flow.request.redirect_uri)
}

/// `POST /oauth/consent`
pub async fn decide(visit: Visit) -> Answer {
    let flow = Flow::read(&visit.app, visit.form.text("flow"), visit.now).await?;
    let Some(flow) = flow else { return too_late(&visit) };
    let Some(client) = client(&visit, &flow.request.client).await? else {
        return error_page(&visit, &unknown_client());
    };
    let client = &client.record;
    if visit.form.get("decision") != Some("allow") {
        let error = OAuthError::new(OAuthCode::AccessDenied, "the person said no");
        return refuse_flow(&visit, client, &flow, &error).await;
    }
    let person = visit.signed_in()?;
    // Somebody else may have signed in in another tab, or the sign-in may have grown too old: then that comes first.
    let subject = visit.app.oauth.subject(client, person.id);
    let proofs = visit.session()?.session.record.subject.clone();
    let authenticated = proofs.and_then(|subject| auth_time(&subject.proofs)).ok_or(Refusal::NotSignedIn)?;
    let signed_in = SignedIn { person: person.id, subject: &subject, authenticated };
    let mut request = flow.request.clone();
    request.prompt.consent = false;
    match step::next(&request, flow.progress, Some(signed_in), true, visit.now) {
        Next::Grant => {}
        _ => return lead(&visit, client, &flow, &format!("{}?flow=", flow::PATH)).await,
    }
    if !spent(&visit, &flow).await? {
        return too_late(&visit);
    }
    let allowed = narrowed(&visit.form, &request.scope);
    // Claims are asked for whatever the scopes are (OpenID Connect Core §5.5), but a scope that was declined takes its claims along.
    request.claims = request.claims.without(&request.scope.but_not(&allowed));
    let narrowed = Flow { request: law::Request { scope: allowed.clone(), ..request }, ..flow };
    let consent = narrowed.wanted(client, visit.now);
    visit.app.oauth.consents.give(person.id, consent, visit.now).await?;
    let mut event = visit.event(Fact::ConsentGiven, Some(person.id));
    event.detail = Some(format!("client {}: {allowed}", client.client_id));
    visit.record(event).await;
    grant(&visit, client, &narrowed, allowed).await
}

/// What was ticked of what was asked for; never more.
pub(crate) fn narrowed(form: &Form, asked: &Scope) -> Scope {
    let ticked: Vec<&str> = asked
        .iter()
        .filter(|scope| *scope == "openid" || form.get(&format!("scope:{scope}")).is_some())
        .collect();
    ticked.join(" ").parse().unwrap_or(Scope::NONE)
}

/// Gives the client what it asked for.
async fn grant(visit: &Visit, client: &Client, flow: &Flow, scope: Scope) -> Answer {
    let (app, now, request) = (&visit.app, visit.now, &flow.request);
    let session = &visit.session()?.session.record;
    let subject = session.subject.as_ref().ok_or(Refusal::NotSignedIn)?;
    let authorized = Authorized {
        person: subject.person,
        session: session.id,
        since: subject.since,
        proofs: subject.proofs.clone(),
        scope,
        resources: request.resources.clone(),
        nonce: request.nonce.clone(),
        claims: request.claims.clone(),
        acr: Some(law::ACR_VALUES[0].into()),
        details: request.details.clone(),
    };
    let mut parameters = Vec::new();
    let mut code = None;
    if request.response_type.code {
        let binding = Binding {
            client: client.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            redirect_named: request.redirect_named,
            challenge: request.challenge,
            dpop_jkt: request.dpop_jkt,
        };
        let issued = app.oauth.codes.issue(binding, authorized.clone(), now).await?;
        parameters.push(("code", issued.to_string()));
        code = Some(issued);
    }
    let mut token = None;
    if request.response_type.token {
        let minted = front_channel_token(visit, client, &authorized).await?;
        parameters.push(("access_token", minted.token.to_string()));
        parameters.push(("token_type", "Bearer".to_owned()));
        parameters.push(("expires_in", minted.expires_in.as_secs().to_string()));
        parameters.push(("scope", authorized.scope.to_string()));
        token = Some(minted);
    }
    if request.response_type.id_token {
        let party = Some(&*client.client_id);
        app.sessions.join(session.id, None, party, now).await?.ok_or(Refusal::NotSignedIn)?;
        let about = About {
            client,
            person: visit.signed_in()?,
            session: Some(session.id),
            proofs: &authorized.proofs,
            acr: authorized.acr.as_deref(),
            claims: Some(&authorized.claims),
            scope: &authorized.scope,
            nonce: authorized.nonce.as_deref(),
            access_token: token.as_ref().map(|token| token.token.as_str()),
            code: code.as_ref().map(|code| code.as_str()),
            state: request.state.as_deref(),
        };
        parameters.push(("id_token", id_token::make(app, &about, now).await?));
    }
    let is_openid = authorized.scope.has("openid");
    if is_openid
        && let Some(state) =
            browser_state::session_state(app, &client.client_id, &request.redirect_uri, session)
    {
        parameters.push(("session_state", state));
    }
    let mut response = Reply::new(parameters).send(visit, client, &back(flow)).await?;
    if is_openid && let Some(cookie) = browser_state::put(visit, session) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// An access token straight from here: legacy.
async fn front_channel_token(
    visit: &Visit,
    client: &Client,
    authorized: &Authorized,
) -> Result<crate::tokens::mint::Minted, Failure> {
    let (app, now) = (&visit.app, visit.now);
    let living = visit.session()?;
    let known = living.person.as_ref().ok_or(Refusal::NotSignedIn)?;
    let target = scopes::target(app, client, &authorized.scope, &authorized.resources)
        .map_err(|error| Refusal::Malformed(error.description.into_owned()))?;
    let extent = Extent {
        claims: authorized.claims.clone(),
        acr: authorized.acr.clone(),
        details: authorized.details.clone(),
        ..Extent::default()
    };
    let given = Given {
        person: authorized.person,
        client: client.client_id.clone(),
        session: Some(authorized.session),
        since: authorized.since,
        proofs: authorized.proofs.clone(),
        audience: target.audience.clone(),
        scope: authorized.scope.clone(),
        extent: Some(Box::new(extent)),
    };
    let grant = app.tokens.grants.begin(given, now).await?;
    let session = &living.session.record;
    let hung = crate::oauth::hang(app, session, &grant.record, now).await?;
    let listed =
        app.oauth.consents.with_grant(authorized.person, &client.client_id, grant.record.id, now).await?;
    if !hung || !listed {
        app.tokens.grants.end(grant.record.id, gateward_kernel::grant::Ending::Asked, now).await?;
        return Err(Refusal::NotSignedIn.into());
    }
    let of = Of { client, grant: &grant.record, session: Some(session), person: known };
    Ok(issue::access_token(app, of, &target, Bound::default(), None, now).await?)
}

/// Whether this completes the request: of many who come with one that was pushed, one does (RFC 9126 §4).
async fn spent(visit: &Visit, flow: &Flow) -> Result<bool, Failure> {
    match flow.pushed {
        Some(id) => Ok(visit.app.oauth.pushed.spend(id, visit.now).await?),
        None => Ok(true),
    }
}

/// A refusal completes a request, too.
async fn refuse_flow(visit: &Visit, client: &Client, flow: &Flow, error: &OAuthError) -> Answer {
    match spent(visit, flow).await? {
        true => refuse(visit, client, &back(flow), error).await,
        false => too_late(visit),
    }
}

fn too_late(visit: &Visit) -> Answer {
    let error =
        OAuthError::request("this sign-in took too long, or is over; begin it again at the application");
    error_page(visit, &error)
}

async fn client(visit: &Visit, name: &str) -> Result<Option<Arc<Loaded<Client>>>, Failure> {
    Ok(visit.app.oauth.clients.find(name, visit.now).await?)
}

fn unknown_client() -> OAuthError {
    OAuthError::new(OAuthCode::InvalidClient, "client_id names no client that is known here")
}

fn back(flow: &Flow) -> Back {
    let request = &flow.request;
    Back {
        client: request.client.clone(),
        redirect_uri: request.redirect_uri.clone(),
        mode: request.mode,
        state: request.state.clone(),
    }
}

async fn refuse(visit: &Visit, client: &Client, back: &Back, error: &OAuthError) -> Answer {
    tracing::info!(
        request = visit.request,
        client = %client.client_id,
        code = error.code.name(),
        description = %error.description,
        "an authorization request was refused"
    );
    Reply::error(error).send(visit, client, back).await
}

/// For errors that nobody can be told of but the person.
pub(crate) fn error_page(visit: &Visit, error: &OAuthError) -> Answer {
    tracing::info!(
        request = visit.request,
        code = error.code.name(),
        description = %error.description,
        "an authorization request was refused"
    );
    let status = error.code.status().min(400);
    let page = ErrorPage {
        status,
        title: ErrorTitle::BadRequest,
        detail: Some(error.description.clone().into_owned()),
        code: error.code.name().to_owned(),
        request_id: visit.request.clone(),
        base_url: None,
    };
    answer::page_with(visit, answer::status(status), &page)
}

/// How a client is shown.
pub fn card(client: &Client) -> ClientCard {
    let metadata = &client.metadata;
    let document = (client.origin == Origin::Document).then(|| host_of(&client.client_id));
    ClientCard {
        name: client.shown_name().to_owned(),
        home: metadata.client_uri.clone(),
        policy: metadata.policy_uri.clone(),
        terms: metadata.tos_uri.clone(),
        logo: metadata.logo_uri.is_some().then(|| logo::address(&client.client_id)),
        came_by_itself: client.came_by_itself(),
        document,
    }
}

/// Where the person will be led, in as few words as tell it.
fn host_of(uri: &str) -> String {
    let url = url::Url::parse(uri).ok();
    url.and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| uri.split(':').next().unwrap_or_default().to_owned())
}

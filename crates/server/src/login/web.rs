//! `/login`, and `POST /api/v1/login`.

use axum::response::Response;
use gateward_guard::Opened;
use gateward_kernel::event::Fact;
use gateward_kernel::person::Person;
use gateward_kernel::person::password::Password;
use gateward_kernel::redirect::ReturnTo;
use gateward_kernel::refusal::Refusal;
use gateward_kernel::session::Transport;
use gateward_kernel::token::Scope;
use http::StatusCode;
use http::header::{RETRY_AFTER, SET_COOKIE};
use serde::Deserialize;
use serde_json::{Value, json};

use super::flow::{self, Credentials};
use crate::face::answer::{self, Answer};
use crate::face::failure::Failure;
use crate::face::page::{LoginError, LoginPage};
use crate::face::visit::Visit;
use crate::oauth::authorize::flow::Flow;
use crate::oauth::authorize::web::card;
use crate::session::url;
use crate::session::view::SessionView;
use crate::session::web::{UserView, hand_over};
use crate::tokens::flow as tokens;
use crate::tokens::resource::Resource;

/// `GET /login`
pub async fn page(visit: Visit) -> Answer {
    let back = return_to(&visit, visit.query.text("return_to"));
    if visit.person().is_some() && visit.query.get("again").is_none() {
        let target = back.as_ref().map_or("/account", ReturnTo::target);
        return match back.as_ref().and_then(ReturnTo::app) {
            // Sending them back there would send them here again, for ever.
            Some(app) if !visit.app.cookie_reaches(app) => Err(Refusal::Malformed(format!(
                "You are signed in, but the session cookie does not reach {app}. The administrator has to set \
                 [cookie] domain to a domain that holds both hosts."
            ))
            .into()),
            _ => answer::see_other(target),
        };
    }
    let typed: String = visit.query.text("login_hint").chars().take(320).collect();
    let page = form(&visit, back.as_ref(), &typed, false, None).await?;
    show(&visit, StatusCode::OK, page)
}

/// `POST /login`
pub async fn submit(visit: Visit) -> Answer {
    let back = return_to(&visit, visit.form.text("return_to"));
    let remember = visit.form.get("remember").is_some();
    let username = visit.form.text("username");
    let by_url = url::may_come_without_cookie(&visit);
    let given = Credentials {
        username,
        password: Password::typed(visit.form.text("password").to_owned()),
        remember,
        transport: if by_url { Transport::Url } else { Transport::Cookie },
    };
    let (person, opened) = match flow::sign_in(&visit, given).await {
        Ok(signed_in) => signed_in,
        Err(failure) => return refused(&visit, back.as_ref(), username, remember, failure).await,
    };
    let target = back.as_ref().map_or("/account", ReturnTo::target);
    if by_url {
        let secret = opened.handle.print();
        return answer::see_other(&url::with_secret(target, &secret).ok_or(Refusal::CodeInvalid)?);
    }
    let mut response = answer::see_other(target)?;
    hand_over(&visit, &opened, &mut response)?;
    remember_device(&visit, &person.record, &mut response);
    Ok(response)
}

/// The form again, with what was wrong; everything but the password is kept.
async fn refused(
    visit: &Visit,
    back: Option<&ReturnTo>,
    username: &str,
    remember: bool,
    failure: Failure,
) -> Answer {
    let Some(refusal) = failure.refusal() else { return Err(failure) };
    let error = match &refusal {
        Refusal::WrongCredentials => LoginError::WrongCredentials,
        Refusal::Throttled(_) => {
            LoginError::Throttled { retry_after_seconds: refusal.retry_after_seconds().unwrap_or(1) }
        }
        Refusal::Busy(_) => LoginError::Busy,
        _ => return Err(failure),
    };
    failure.log(&visit.request, &visit.path);
    let page = form(visit, back, username, remember, Some(error)).await?;
    let mut response = show(visit, answer::status(refusal.row().status), page)?;
    if let Some(seconds) = refusal.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from(seconds));
    }
    Ok(response)
}

/// The page, and the redirect URI of the client that the person is on the way to.
async fn form(
    visit: &Visit,
    back: Option<&ReturnTo>,
    username: &str,
    remember: bool,
    error: Option<LoginError>,
) -> Result<(LoginPage, Option<Box<str>>), Failure> {
    let app = back.and_then(ReturnTo::app);
    let flow = match back {
        Some(back) => Flow::in_target(&visit.app, back.target(), visit.now).await?,
        None => None,
    };
    let client = match &flow {
        Some(flow) => visit.app.oauth.clients.find(&flow.request.client, visit.now).await?,
        None => None,
    };
    let page = LoginPage {
        action: "/login".to_owned(),
        csrf: visit.token("login"),
        username: username.chars().take(320).collect(),
        remember,
        remember_offered: true,
        error,
        return_to: back.map(|back| back.target().to_owned()),
        app: app.map(|host| visit.app.gatehouse.name(host).unwrap_or(host).to_owned()),
        cancel: back.filter(|_| client.is_some()).map(|back| format!("{}&cancel=1", back.target())),
        client: client.map(|client| card(&client.record)),
    };
    Ok((page, flow.map(|flow| flow.request.redirect_uri)))
}

/// Browsers follow a form only to where its page says that it may lead, also by redirects: to the client in the end.
fn show(visit: &Visit, status: StatusCode, (page, redirect_uri): (LoginPage, Option<Box<str>>)) -> Answer {
    match redirect_uri {
        Some(uri) => answer::page_leading_to(visit, status, &page, &uri),
        None => answer::page_with(visit, status, &page),
    }
}

fn return_to(visit: &Visit, text: &str) -> Option<ReturnTo> {
    ReturnTo::read(text, &visit.app.base, |host| visit.app.is_app(host))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    username: String,
    password: String,
    #[serde(default)]
    remember: bool,
    #[serde(default)]
    transport: Way,
    audience: Option<String>,
    scope: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    #[default]
    Cookie,
    Header,
    Token,
}

/// `POST /api/v1/login`
pub async fn api(visit: Visit) -> Answer {
    let body: LoginBody = visit.json()?;
    let wanted = wanted(&visit, &body)?;
    let transport = match body.transport {
        Way::Cookie => Transport::Cookie,
        Way::Header => Transport::Header,
        Way::Token => Transport::Token,
    };
    let given = Credentials {
        username: &body.username,
        password: Password::typed(body.password),
        remember: body.remember,
        transport,
    };
    let (person, opened) = flow::sign_in(&visit, given).await?;
    let Some((resource, scope)) = wanted else { return told(&visit, &person.record, &opened) };
    let issued = tokens::begin(&visit, &person.record, &opened, resource, scope).await?;
    let mut event = visit.event(Fact::TokensIssued, Some(person.record.id));
    event.session = Some(opened.session.record.id);
    visit.record(event).await;
    let Value::Object(tokens) = json!(issued.view()) else { return Err(Refusal::Unavailable.into()) };
    let session = &opened.session.record;
    let view = SessionView::of(session, Some(session.id), visit.app.sessions.policy());
    let mut body = json!({ "user": UserView::of(&person.record), "session": view });
    if let Some(body) = body.as_object_mut() {
        body.extend(tokens);
    }
    answer::json(&body)
}

/// The resource and the scopes of the tokens that are asked for, refused before any password is compared.
fn wanted<'a>(visit: &'a Visit, body: &LoginBody) -> Result<Option<(&'a Resource, Scope)>, Refusal> {
    let invalid = |field, problem: &str| Err(Refusal::Invalid { field, problem: problem.into() });
    if !matches!(body.transport, Way::Token) {
        return match (&body.audience, &body.scope) {
            (None, None) => Ok(None),
            (Some(_), _) => invalid("audience", "is for \"transport\": \"token\" only"),
            (None, Some(_)) => invalid("scope", "is for \"transport\": \"token\" only"),
        };
    }
    match visit.app.tokens.resources.find(body.audience.as_deref()) {
        Some(resource) => Ok(Some((resource, resource.grant(body.scope.as_deref())?))),
        None => invalid("audience", "is no [[resource]] of the settings"),
    }
}

fn told(visit: &Visit, person: &Person, opened: &Opened) -> Answer {
    let session = &opened.session.record;
    let view = SessionView::of(session, Some(session.id), visit.app.sessions.policy());
    let mut body = json!({ "user": UserView::of(person), "session": view });
    if session.transport == Transport::Header {
        let secret: Value = opened.handle.print().as_str().into();
        if let Some(session) = body.get_mut("session").and_then(Value::as_object_mut) {
            session.insert("secret".into(), secret);
        }
        return answer::json_with(StatusCode::OK, &body);
    }
    let mut response: Response = answer::json(&body)?;
    hand_over(visit, opened, &mut response)?;
    remember_device(visit, person, &mut response);
    Ok(response)
}

/// Gives the browser the cookie by which its device is known from now on.
pub fn remember_device(visit: &Visit, person: &Person, response: &mut Response) {
    let known = flow::device_cookie(visit);
    let value = visit.app.throttle.remember_device(known, person.id, &*visit.app.entropy);
    if let Ok(header) = visit.app.cookies.device.set(&value, Some(crate::app::DEVICE_LIFETIME)) {
        response.headers_mut().append(SET_COOKIE, header);
    }
}

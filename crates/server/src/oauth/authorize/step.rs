//! What comes next for a request, of all that may have to be asked of its person (OpenID Connect Core §3.1.2.3 and §3.1.2.4).

use std::time::Duration;

use gateward_kernel::id::PersonId;
use gateward_kernel::oauth::{OAuthCode, OAuthError};
use gateward_kernel::time::Moment;
use serde::{Deserialize, Serialize};

use super::law::Request;

/// Somebody who is signed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignedIn<'a> {
    /// Who.
    pub person: PersonId,
    /// Under which name the client knows them.
    pub subject: &'a str,
    /// When they proved who they are.
    pub authenticated: Moment,
}

/// What the person has done for this very request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// When it began.
    pub began: Moment,
    /// Whether they have said which account.
    pub chosen: bool,
}

/// What comes next.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// Somebody has to sign in.
    SignIn,
    /// The person has to say which account.
    Choose,
    /// The person has to agree.
    Consent,
    /// The client gets what it asked for.
    Grant,
    /// The client is told why not.
    Refuse(OAuthError),
}

/// Decides what comes next; `agreed` says whether the person has agreed to everything before, and need not be asked again.
pub fn next(
    request: &Request,
    progress: Progress,
    signed_in: Option<SignedIn<'_>>,
    agreed: bool,
    now: Moment,
) -> Next {
    let refuse = |code, why: &'static str| Next::Refuse(OAuthError::new(code, why));
    let none = request.prompt.none;
    let proven = signed_in.filter(|signed_in| {
        is_who_is_wanted(request, signed_in) && is_recent(request, progress, signed_in, now)
    });
    if proven.is_none() {
        return match none {
            true => refuse(OAuthCode::LoginRequired, "nobody is signed in who would do"),
            false => Next::SignIn,
        };
    }
    if request.prompt.select_account && !progress.chosen {
        return Next::Choose;
    }
    if !agreed || request.prompt.consent {
        return match none {
            true => refuse(OAuthCode::ConsentRequired, "the person has not agreed to this yet"),
            false => Next::Consent,
        };
    }
    Next::Grant
}

fn is_who_is_wanted(request: &Request, signed_in: &SignedIn<'_>) -> bool {
    let is_hinted = request.subject.as_deref().is_none_or(|wanted| wanted == signed_in.subject);
    is_hinted && request.claims.allows_subject(signed_in.subject)
}

/// Whether they signed in lately enough. Whoever did so after the request came has, whatever it says.
fn is_recent(request: &Request, progress: Progress, signed_in: &SignedIn<'_>, now: Moment) -> bool {
    if signed_in.authenticated >= progress.began {
        return true;
    }
    let age = now.since(signed_in.authenticated);
    !request.prompt.login && request.max_age.is_none_or(|longest| age <= Duration::from_secs(longest))
}

#[cfg(test)]
mod tests {
    use gateward_kernel::claims::{ClaimsRequest, Custom};
    use gateward_kernel::oauth::{ResponseMode, ResponseType};

    use super::*;
    use crate::oauth::authorize::law::Prompt;

    const BEGAN: Moment = Moment::from_micros(1_000_000_000);

    fn at(seconds: i64) -> Moment {
        Moment::from_micros(BEGAN.micros() + seconds * 1_000_000)
    }

    fn request() -> Request {
        Request {
            client: "app".into(),
            redirect_uri: "https://app.example/cb".into(),
            redirect_named: true,
            response_type: ResponseType::CODE,
            mode: ResponseMode::QUERY,
            scope: "openid".parse().unwrap(),
            state: None,
            nonce: None,
            challenge: None,
            prompt: Prompt::default(),
            max_age: None,
            acr: Vec::new(),
            claims: ClaimsRequest::default(),
            resources: Vec::new(),
            dpop_jkt: None,
            details: None,
            subject: None,
            login_hint: None,
        }
    }

    fn signed_in(seconds: i64) -> Option<SignedIn<'static>> {
        Some(SignedIn { person: PersonId::from_bytes([1; 16]), subject: "ann", authenticated: at(seconds) })
    }

    fn told(request: &Request, signed_in: Option<SignedIn<'_>>, agreed: bool) -> Next {
        next(request, Progress { began: BEGAN, chosen: false }, signed_in, agreed, at(10))
    }

    fn code(next: Next) -> OAuthCode {
        match next {
            Next::Refuse(error) => error.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nobody_signs_in_or_agrees_more_often_than_asked() {
        assert_eq!(told(&request(), None, true), Next::SignIn);
        assert_eq!(told(&request(), signed_in(-3600), false), Next::Consent);
        assert_eq!(told(&request(), signed_in(-3600), true), Next::Grant);
    }

    #[test]
    fn a_prompt_is_taken_at_its_word() {
        let with = |prompt| Request { prompt, ..request() };
        let login = with(Prompt { login: true, ..Prompt::default() });
        assert_eq!(told(&login, signed_in(-1), true), Next::SignIn);
        assert_eq!(told(&login, signed_in(0), true), Next::Grant);
        let consent = with(Prompt { consent: true, ..Prompt::default() });
        assert_eq!(told(&consent, signed_in(-1), true), Next::Consent);
        let choose = with(Prompt { select_account: true, ..Prompt::default() });
        assert_eq!(told(&choose, signed_in(-1), true), Next::Choose);
        let chosen = next(&choose, Progress { began: BEGAN, chosen: true }, signed_in(-1), true, at(1));
        assert_eq!(chosen, Next::Grant);
        let none = with(Prompt { none: true, ..Prompt::default() });
        assert_eq!(code(told(&none, None, true)), OAuthCode::LoginRequired);
        assert_eq!(code(told(&none, signed_in(-1), false)), OAuthCode::ConsentRequired);
        assert_eq!(told(&none, signed_in(-1), true), Next::Grant);
    }

    #[test]
    fn an_age_counts_to_the_second_and_a_fresh_sign_in_always() {
        let with = |max_age| Request { max_age: Some(max_age), ..request() };
        assert_eq!(told(&with(20), signed_in(-10), true), Next::Grant);
        assert_eq!(told(&with(19), signed_in(-10), true), Next::SignIn);
        assert_eq!(told(&with(0), signed_in(-1), true), Next::SignIn);
        assert_eq!(told(&with(0), signed_in(1), true), Next::Grant);
    }

    #[test]
    fn only_who_is_wanted_will_do() {
        let other = Request { subject: Some("ben".into()), ..request() };
        assert_eq!(told(&other, signed_in(1), true), Next::SignIn);
        let none = Request { prompt: Prompt { none: true, ..Prompt::default() }, ..other };
        assert_eq!(code(told(&none, signed_in(1), true)), OAuthCode::LoginRequired);
        let claims =
            ClaimsRequest::parse(r#"{"id_token":{"sub":{"value":"ben"}}}"#, Custom::default()).unwrap();
        assert_eq!(told(&Request { claims, ..request() }, signed_in(1), true), Next::SignIn);
    }
}

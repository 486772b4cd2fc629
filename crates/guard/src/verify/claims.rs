//! What an accepted token says.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::jose::{self, BadClaims, text_claim, time_claim};
use gateward_kernel::time::Moment;
use gateward_kernel::token::Scope;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::status::Place;
use crate::bearer::{BearerRejection, Resource};

const MINUTE: Duration = Duration::from_secs(60);

/// The claims of an access token that was accepted (RFC 9068 §2.2): everything in here is vouched for by the issuer.
#[derive(Clone, Debug)]
pub struct Claims {
    issuer: String,
    subject: String,
    audiences: Vec<String>,
    expires: Moment,
    issued: Moment,
    id: Option<String>,
    client: Option<String>,
    scope: Scope,
    authenticated: Option<Moment>,
    acr: Option<String>,
    amr: Vec<String>,
    session: Option<String>,
    groups: Vec<String>,
    others: Map<String, Value>,
    /// How demands that are not met are answered.
    resource: Arc<Resource>,
}

/// The claims that have an accessor of their own.
const OWN: [&str; 9] =
    ["client_id", "scope", "gateward_iat", "auth_time", "acr", "amr", "sid", "groups", "status"];

/// What a payload says, before anybody asked whether it is believed.
pub(crate) struct Said {
    pub(crate) registered: jose::Claims,
    own: [Option<Value>; OWN.len()],
}

impl Said {
    pub(crate) fn read(payload: &[u8]) -> Result<Self, BadClaims> {
        let (registered, own) = jose::Claims::read_with(payload, OWN)?;
        Ok(Said { registered, own })
    }
}

impl Claims {
    /// Takes what is believed over, and where its revocation is published. `sub` is needed; where it is left out, as introspection
    /// may, it is the client itself (RFC 9068 §2.2). Errors say which claim has the wrong form.
    pub(crate) fn read(
        said: Said,
        issuer: &str,
        resource: Arc<Resource>,
    ) -> Result<(Self, Option<Place>), BadClaims> {
        let claims = said.registered;
        let [client, scope, issued, authenticated, acr, amr, session, groups, status] = said.own;
        let client = text_claim(client, "client_id")?;
        let scope = match text_claim(scope, "scope")? {
            None => Scope::default(),
            Some(scope) => scope.parse().map_err(|_| BadClaims::Type("scope"))?,
        };
        let issued = match issued {
            None => claims.issued_at.unwrap_or(Moment::DAWN),
            Some(micros) => Moment::from_micros(micros.as_i64().ok_or(BadClaims::Type("gateward_iat"))?),
        };
        let place = status.as_ref().map(Place::read).transpose()?;
        let believed = Claims {
            issuer: claims.issuer.unwrap_or_else(|| issuer.to_owned()),
            subject: claims.subject.or_else(|| client.clone()).ok_or(BadClaims::Missing("sub"))?,
            expires: claims.expires.ok_or(BadClaims::Missing("exp"))?,
            issued,
            client,
            scope,
            authenticated: time_claim(authenticated, "auth_time")?,
            acr: text_claim(acr, "acr")?,
            amr: texts(amr, "amr")?,
            session: text_claim(session, "sid")?,
            groups: groups.map(some_texts).unwrap_or_default(),
            audiences: claims.audiences,
            id: claims.id,
            others: claims.others,
            resource,
        };
        Ok((believed, place))
    }

    /// `iss`: who issued the token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`: whom it is about. A person's id, or that of a client which acts for itself.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `aud`: for which resources it is good; yours is among them.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// `exp`: when it ends.
    pub const fn expires(&self) -> Moment {
        self.expires
    }

    /// When it was issued: `gateward_iat` where it is there, else `iat`.
    pub const fn issued(&self) -> Moment {
        self.issued
    }

    /// `jti`: its own name.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// `client_id`: to which client it was issued.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// `scope`: what it allows.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// `sid`: the session it hangs on.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// `auth_time`: when the person proved who they are.
    pub const fn authenticated(&self) -> Option<Moment> {
        self.authenticated
    }

    /// `acr`: how strong the proof was.
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// `amr`: by which methods (RFC 8176).
    pub fn amr(&self) -> &[String] {
        &self.amr
    }

    /// `groups`: what the person belongs to (RFC 9068 §2.2.3.1); texts only, and none where the claim is missing.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(String::as_str)
    }

    pub(crate) const fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// A claim that has no method of its own here, as it came.
    pub fn other(&self, name: &str) -> Option<&Value> {
        self.others.get(name)
    }

    /// The claims that have no method of their own here, read into a type of the application, such as
    /// `struct Tenant { tenant: String }`. Errors when they
    /// have another form, which is a misunderstanding between issuer and application.
    pub fn custom<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde::Deserialize::deserialize(Value::Object(self.others.clone()))
    }

    /// Demands a scope: without it the answer is 403 `insufficient_scope` (RFC 6750 §3.1), naming the scope.
    ///
    /// ```
    /// use gateward_guard::bearer::{Bearer, BearerRejection};
    ///
    /// async fn publish(Bearer(who): Bearer) -> Result<String, BearerRejection> {
    ///     who.require_scope("articles:publish")?;
    ///     Ok(format!("published by {}", who.subject()))
    /// }
    /// ```
    pub fn require_scope(&self, scope: &str) -> Result<(), BearerRejection> {
        let wanted: Scope = scope.parse().unwrap_or_default();
        // A demand that cannot be read is met by nobody.
        if !wanted.is_empty() && self.scope.covers(&wanted) {
            return Ok(());
        }
        Err(BearerRejection::insufficient_scope(scope, &self.resource))
    }

    /// Demands that the person proved who they are in one of these ways (`acr`), and at most so long ago (`auth_time`). Else the
    /// answer is 401 `insufficient_user_authentication`, from which the client learns what to ask for (RFC 9470 §3).
    pub fn require_sign_in(&self, acr: &[&str], max_age: Option<Duration>) -> Result<(), BearerRejection> {
        let strong = acr.is_empty() || self.acr.as_deref().is_some_and(|own| acr.contains(&own));
        let now = self.resource.clock.0.now();
        // The clocks of issuer and resource differ a little; a proof from further ahead is none.
        let recent = max_age.is_none_or(|max_age| {
            self.authenticated.is_some_and(|at| at <= now + MINUTE && now.since(at) <= max_age)
        });
        if strong && recent {
            return Ok(());
        }
        Err(BearerRejection::step_up(acr, max_age, &self.resource))
    }
}

fn texts(claim: Option<Value>, name: &'static str) -> Result<Vec<String>, BadClaims> {
    let wrong = BadClaims::Type(name);
    match claim {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => {
            let text = |item| if let Value::String(text) = item { Ok(text) } else { Err(wrong) };
            list.into_iter().map(text).collect()
        }
        Some(_) => Err(wrong),
    }
}

/// The texts of a list. Issuers that follow SCIM put objects there (RFC 7643 §4.1.2), which name nothing here.
fn some_texts(claim: Value) -> Vec<String> {
    let Value::Array(list) = claim else { return Vec::new() };
    list.into_iter()
        .filter_map(|item| if let Value::String(text) = item { Some(text) } else { None })
        .collect()
}

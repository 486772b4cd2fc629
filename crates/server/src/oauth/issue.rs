//! What the token endpoint answers: one place that puts access token, refresh token and ID token together (RFC 6749 §5.1, OpenID
//! Connect Core §3.1.3.3).

use std::sync::Arc;

use gateward_kernel::confirmation::{Confirmation, Thumbprint};
use gateward_kernel::grant::Grant;
use gateward_kernel::id::SessionId;
use gateward_kernel::oauth::{Authorized, Client};
use gateward_kernel::session::Session;
use gateward_kernel::token::Scope;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::call::{Call, Trouble};
use super::id_token::{self, About};
use super::scopes::Target;
use crate::app::App;
use crate::people::Known;
use crate::tokens::mint::{Holder, Minted, Order};

/// The keys that the client has proved with this call.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Bound {
    /// What access tokens are bound to.
    pub confirmation: Confirmation,
}

impl Bound {
    /// What this call proves, and what the client must prove.
    pub async fn of(call: &Call, client: &Client) -> Result<Self, Trouble> {
        let jkt = super::dpop::proved(call, client).await?;
        let certificate = super::mtls::shown(call, client)?;
        Ok(Bound { confirmation: Confirmation { jkt, certificate } })
    }

    /// The key of the DPoP proof.
    pub const fn key(&self) -> Option<Thumbprint> {
        self.confirmation.jkt
    }

    /// Whether everything that this grant is bound to was proved.
    pub fn shows(&self, grant: &Grant) -> bool {
        let bound = grant.extent.as_ref().map_or(Confirmation::NONE, |extent| extent.confirmation);
        bound.is_shown_by(self.confirmation.jkt.as_ref(), self.confirmation.certificate.as_ref())
    }
}

/// Whose tokens are made.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// For which client.
    pub client: &'a Client,
    /// Of which grant.
    pub grant: &'a Grant,
    /// The session it hangs on.
    pub session: Option<&'a Session>,
    /// Who gave it.
    pub person: &'a Arc<Known>,
}

/// Tokens on their way to their client.
#[derive(Debug)]
pub struct Issued {
    access: Minted,
    bound: Bound,
    scope: Scope,
    refresh: Option<Zeroizing<String>>,
    id_token: Option<String>,
    details: Option<Value>,
    /// What kind of token an exchange has made (RFC 8693 §2.2.1).
    pub issued_type: Option<&'static str>,
}

/// The answer in JSON.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Scope::is_empty")]
    scope: &'a Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<&'a Value>,
}

impl Issued {
    /// For the client's eyes only.
    pub fn view(&self) -> View<'_> {
        View {
            access_token: &self.access.token,
            token_type: if self.bound.key().is_some() { "DPoP" } else { "Bearer" },
            expires_in: self.access.expires_in.as_secs(),
            scope: &self.scope,
            refresh_token: self.refresh.as_ref().map(|token| token.as_str()),
            id_token: self.id_token.as_deref(),
            issued_token_type: self.issued_type,
            authorization_details: self.details.as_ref(),
        }
    }
}

/// Tokens that a client asked for itself.
pub async fn to_client(
    call: &Call,
    client: &Client,
    target: Target,
    bound: Bound,
) -> Result<Issued, Trouble> {
    let place = call.app.tokens.grants.place_of_client(&client.client_id, call.now).await?;
    let order = Order {
        holder: Holder::Client(place),
        client: &client.client_id,
        audience: &target.audience,
        scope: &target.scope,
        terms: target.terms,
        confirmation: bound.confirmation,
        details: None,
        act: None,
    };
    let access = call.app.tokens.mint.access_token(&order, call.now).await?;
    Ok(Issued {
        access,
        bound,
        scope: target.scope,
        refresh: None,
        id_token: None,
        details: None,
        issued_type: None,
    })
}

/// The access token that a grant yields.
pub async fn access_token(
    app: &App,
    of: Of<'_>,
    target: &Target,
    bound: Bound,
    act: Option<&Value>,
    now: gateward_kernel::time::Moment,
) -> Result<Minted, gateward_kernel::ports::Fault> {
    let order = Order {
        holder: Holder::Grant { grant: of.grant, session: of.session, person: of.person.person() },
        client: &of.client.client_id,
        audience: &target.audience,
        scope: &target.scope,
        terms: target.terms,
        confirmation: bound.confirmation,
        details: of.grant.extent.as_ref().and_then(|extent| extent.details.as_ref()),
        act,
    };
    app.tokens.mint.access_token(&order, now).await
}

/// An access token of a grant, and nothing beside it; `kind` is what an exchange tells of it.
pub async fn access_alone(
    call: &Call,
    of: Of<'_>,
    target: Target,
    bound: Bound,
    act: Option<&Value>,
    kind: Option<&'static str>,
) -> Result<Issued, Trouble> {
    let access = access_token(&call.app, of, &target, bound, act, call.now).await?;
    Ok(Issued {
        access,
        bound,
        scope: target.scope,
        refresh: None,
        id_token: None,
        details: of.grant.extent.as_ref().and_then(|extent| extent.details.clone()),
        issued_type: kind,
    })
}

/// The first tokens of a grant.
pub async fn first(
    call: &Call,
    of: Of<'_>,
    target: Target,
    bound: Bound,
    authorized: &Authorized,
    refreshes: bool,
) -> Result<Issued, Trouble> {
    // Offline access does not end with the session, and yet the person has signed in there.
    let said = Said { nonce: authorized.nonce.as_deref(), session: Some(authorized.session) };
    issue(call, of, target, bound, said, refreshes).await
}

/// The next tokens of a grant that was refreshed.
pub async fn to_person(call: &Call, of: Of<'_>, target: Target, bound: Bound) -> Result<Issued, Trouble> {
    let said = Said { nonce: None, session: of.grant.session };
    issue(call, of, target, bound, said, true).await
}

/// What the ID token says of the sign-in.
struct Said<'a> {
    nonce: Option<&'a str>,
    session: Option<SessionId>,
}

async fn issue(
    call: &Call,
    of: Of<'_>,
    target: Target,
    bound: Bound,
    said: Said<'_>,
    refreshes: bool,
) -> Result<Issued, Trouble> {
    let app = &call.app;
    let access = access_token(app, of, &target, bound, None, call.now).await?;
    // A resource that is named narrows the access token alone (OpenID Connect Core §3.1.3.3, RFC 8707 §2.2).
    let id_token = match of.grant.scope.has("openid") && target.asked.has("openid") {
        false => None,
        true => {
            let about = About {
                client: of.client,
                person: of.person.person(),
                session: said.session,
                proofs: &of.grant.proofs,
                acr: of.grant.extent.as_ref().and_then(|extent| extent.acr.as_deref()),
                claims: of.grant.extent.as_ref().map(|extent| &extent.claims),
                scope: &target.asked,
                nonce: said.nonce,
                access_token: Some(&access.token),
                code: None,
                state: None,
            };
            Some(id_token::make(app, &about, call.now).await?)
        }
    };
    Ok(Issued {
        refresh: refreshes.then(|| app.tokens.grants.token(of.grant).print()),
        details: of.grant.extent.as_ref().and_then(|extent| extent.details.clone()),
        scope: target.scope,
        access,
        bound,
        id_token,
        issued_type: None,
    })
}

//! Client credentials (RFC 6749 §4.4): a client asks for itself. Nothing is written.

use std::sync::Arc;

use gateward_kernel::oauth::Client;
use gateward_kernel::oauth::{OAuthCode, OAuthError};
use gateward_kernel::record::Loaded;
use gateward_kernel::token::Scope;

use crate::oauth::call::Call;
use crate::oauth::issue::{self, Bound};
use crate::oauth::scopes::{self, Unknown};
use crate::oauth::token::Granted;

/// Takes `scope` and `resource`.
pub async fn grant(call: &Call, client: &Arc<Loaded<Client>>) -> Granted {
    let (app, client) = (&call.app, &client.record);
    let bound = Bound::of(call, client).await?;
    let named = scopes::named(app, client, call.form.all("resource"))?;
    let asked = match call.optional("scope") {
        Some(text) => text.parse::<Scope>().map_err(|_| {
            OAuthError::new(OAuthCode::InvalidScope, "scope is no list of scopes (RFC 6749, section 3.3)")
        })?,
        None => everything(call, client, &named),
    };
    let asked = scopes::known(app, client, &asked, Unknown::Refused)?;
    // Nobody signed in: there is nobody to tell about.
    if !asked.and(&app.tokens.resources.userinfo().scopes).is_empty() {
        return Err(OAuthError::new(
            OAuthCode::InvalidScope,
            "scopes of OpenID Connect are about a person, and here is none",
        )
        .into());
    }
    let target = scopes::target(app, client, &asked, &named)?;
    issue::to_client(call, client, target, bound).await
}

/// What a client gets that asks for nothing in particular: all that its resources have and it may ask for.
fn everything(call: &Call, client: &Client, named: &[Box<str>]) -> Scope {
    let resources = &call.app.tokens.resources;
    let meant = resources.others().iter().filter(|one| {
        named.is_empty()
            && !client.metadata.gateward_resources.is_empty()
            && client.metadata.gateward_resources.iter().any(|own| one.audience.has(own))
            || named.iter().any(|own| one.audience.has(own))
    });
    let all = meant.fold(Scope::NONE, |all, one| all.or(&one.scopes));
    let own = client.metadata.scope.as_ref().map_or_else(
        || all.clone(),
        |own| match all.is_empty() {
            true => own.clone(),
            false => own.and(&all),
        },
    );
    own.but_not(&resources.userinfo().scopes)
}

//! Redeeming a code (RFC 6749 §4.1.3): one change, which fixes the id of the grant to come.

use std::sync::Arc;

use gateward_guard::{Accountable, People};
use gateward_kernel::event::Fact;
use gateward_kernel::grant::{Ending, Extent, Given};
use gateward_kernel::id::GrantId;
use gateward_kernel::oauth::client::GrantType;
use gateward_kernel::oauth::{
    Authorized, Client, Code, CodeHandle, CodePresented, CodeRedemption, OAuthError,
};
use gateward_kernel::record::Loaded;
use gateward_kernel::session::Standing;

use crate::oauth::call::{Call, Trouble};
use crate::oauth::details;
use crate::oauth::issue::{self, Bound};
use crate::oauth::scopes::{self, Target, Unknown};
use crate::oauth::token::Granted;

fn invalid() -> OAuthError {
    OAuthError::grant("the code is not valid, or not valid any more")
}

/// Takes `code`, `redirect_uri`, `code_verifier`, and `resource` to ask for less.
pub async fn grant(call: &Call, client: &Arc<Loaded<Client>>) -> Granted {
    let (app, now) = (&call.app, call.now);
    let handle = CodeHandle::read(call.required("code")?.as_bytes()).map_err(|_| invalid())?;
    // Before anything is written down for the proof of a key: whoever invents codes makes nobody write.
    if !app.oauth.codes.made(&handle) {
        return Err(invalid().into());
    }
    let bound = Bound::of(call, &client.record).await?;
    let presented = CodePresented {
        client: &client.record.client_id,
        redirect_uri: call.optional("redirect_uri"),
        verifier: call.optional("code_verifier"),
        dpop_jkt: bound.key(),
    };
    let named = scopes::named(app, &client.record, call.form.all("resource"))?;
    let id = app.tokens.grants.fresh_id();
    let redeemed = app.oauth.codes.redeem(&handle, presented, id, now).await?;
    let (code, redemption) = redeemed.ok_or_else(invalid)?;
    match redemption {
        CodeRedemption::Redeemed => {}
        CodeRedemption::Replayed(first) => {
            replayed(call, &client.record, &code, first).await?;
            return Err(invalid().into());
        }
        CodeRedemption::WrongVerifier => {
            return Err(OAuthError::grant("code_verifier does not fit code_challenge").into());
        }
        CodeRedemption::OtherRedirect => {
            return Err(OAuthError::grant("redirect_uri is not the one of the authorization request").into());
        }
        CodeRedemption::OtherKey => {
            return Err(OAuthError::grant("the DPoP proof is by another key than dpop_jkt").into());
        }
        CodeRedemption::OtherClient | CodeRedemption::Expired => return Err(invalid().into()),
    }
    begin(call, &client.record, &code.authorized, id, &named, bound).await
}

/// Makes the grant of what a person has given, under an id that is used for that alone, and its first tokens.
pub(super) async fn begin(
    call: &Call,
    client: &Client,
    authorized: &Authorized,
    id: GrantId,
    named: &[Box<str>],
    bound: Bound,
) -> Granted {
    let (app, now) = (&call.app, call.now);
    let person = app.sessions.people().load(authorized.person, now).await?.ok_or_else(invalid)?;
    let session = app.sessions.book().load(authorized.session, now).await?.ok_or_else(invalid)?;
    let standing = session.record.check_with(Some(person.validity()), now, app.sessions.policy());
    if standing != Standing::Alive {
        return Err(invalid().into());
    }
    // What was taken from the client since the person agreed is no longer to be had.
    let scope = scopes::known(app, client, &authorized.scope, Unknown::PassedOver)?;
    let authorized = &Authorized { scope, ..authorized.clone() };
    details::check(call, authorized.details.as_ref())?;
    let whole = scopes::target(app, client, &authorized.scope, &authorized.resources)?;
    let target = match named.is_empty() {
        true => whole.clone(),
        false if named.iter().all(|name| whole.audience.has(name)) => {
            scopes::target(app, client, &authorized.scope, named)?
        }
        false => {
            let error = "a resource is not among those that were granted";
            return Err(OAuthError::new(gateward_kernel::oauth::OAuthCode::InvalidTarget, error).into());
        }
    };
    let given = given(client, authorized, &whole, bound);
    let offline = given.session.is_none();
    let grant = app.tokens.grants.begin_as(id, given, now).await?.ok_or_else(invalid)?;
    // Hung on the session, so that it ends with it; an offline one, so that the client is told of the end. What it rests on is
    // another record: both go into one group commit.
    let (hung, listed) = tokio::join!(
        crate::oauth::hang(app, &session.record, &grant.record, now),
        app.oauth.consents.with_grant(authorized.person, &client.client_id, id, now),
    );
    if !(hung? && listed?) {
        app.tokens.grants.end(id, Ending::Asked, now).await?;
        return Err(invalid().into());
    }
    let mut event = call.event(Fact::TokensIssued, Some(authorized.person));
    event.session = Some(authorized.session);
    event.detail = Some(format!("client {}", client.client_id));
    call.record(event).await;
    let of = issue::Of {
        client,
        grant: &grant.record,
        session: (!offline).then_some(&session.record),
        person: &person,
    };
    let refreshes = client.may(GrantType::RefreshToken);
    issue::first(call, of, target, bound, authorized, refreshes).await
}

/// What the code becomes.
fn given(client: &Client, authorized: &Authorized, target: &Target, bound: Bound) -> Given {
    let extent = Extent {
        claims: authorized.claims.clone(),
        acr: authorized.acr.clone(),
        details: authorized.details.clone(),
        // Whoever can prove which client it is needs no other bond (RFC 9449 §5).
        confirmation: if client.is_confidential() { Default::default() } else { bound.confirmation },
        stays: client.metadata.gateward_refresh_token_stays,
    };
    let offline = authorized.scope.has("offline_access") && client.may(GrantType::RefreshToken);
    Given {
        person: authorized.person,
        client: client.client_id.clone(),
        session: (!offline).then_some(authorized.session),
        since: authorized.since,
        proofs: authorized.proofs.clone(),
        audience: target.audience.clone(),
        scope: authorized.scope.clone(),
        extent: Some(Box::new(extent)),
    }
}

/// Two hold what one should hold: what came of the code is ended, also when it has not come yet (RFC 6749 §4.1.2).
async fn replayed(call: &Call, client: &Client, code: &Code, first: GrantId) -> Result<(), Trouble> {
    let (app, authorized) = (&call.app, &code.authorized);
    let target = scopes::target(app, client, &authorized.scope, &authorized.resources)?;
    let never = given(client, authorized, &target, Bound::default());
    app.tokens.grants.forbid(first, never, call.now).await?;
    let mut event = call.event(Fact::CodeReused, Some(authorized.person));
    event.session = Some(authorized.session);
    event.detail = Some(format!("client {}", client.client_id));
    call.record(event).await;
    Ok(())
}

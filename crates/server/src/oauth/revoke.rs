//! `POST /oauth/revoke` (RFC 7009): a client gives a token back, and everything of the same grant with it. A token that is not
//! good any more, or never was, is as good as given back.

use gateward_kernel::event::Fact;
use gateward_kernel::grant::{Ending, RefreshToken};
use gateward_kernel::id::GrantId;
use gateward_kernel::oauth::{OAuthCode, OAuthError};
use gateward_kernel::status::SubjectTag;

use super::call::{Answered, Call, json_answer};
use super::client_auth;
use crate::tokens::bearer;

/// `POST /oauth/revoke`
pub async fn answer(call: Call) -> Answered {
    let client = client_auth::authenticate(&call).await?;
    let token = call.required("token")?;
    let (app, now) = (&call.app, call.now);
    let grant: Option<(GrantId, _)> = match RefreshToken::read(token.as_bytes()) {
        Ok(token) => {
            let found = app.tokens.grants.of_token(&token, now).await?;
            let own = found.filter(|(grant, _)| grant.record.client == client.record.client_id);
            own.map(|(grant, _)| (grant.record.id, grant.record.session))
        }
        Err(_) => {
            let found = bearer::inspect(app, token.as_bytes(), now).await?;
            let own = found.filter(|found| found.facts.client == client.record.client_id);
            match own {
                // The client's own tokens are of one grant, its own: all of them are given back.
                Some(found) if found.person.is_none() => {
                    app.tokens.status.cut(SubjectTag::of(&found.facts.client), now).await?;
                    None
                }
                // One that was exchanged hangs on what was given to another client, which is not this one's to end.
                Some(found)
                    if found
                        .grant
                        .as_ref()
                        .is_some_and(|grant| grant.record.client != client.record.client_id) =>
                {
                    let error = "a token that was exchanged ends with the one that it was exchanged for";
                    return Err(OAuthError::new(OAuthCode::UnsupportedTokenType, error).into());
                }
                Some(found) => found.grant.as_ref().map(|grant| (grant.record.id, grant.record.session)),
                None => None,
            }
        }
    };
    if let Some((grant, session)) = grant {
        app.tokens.grants.end(grant, Ending::Asked, now).await?;
        if let Some(session) = session {
            app.sessions.detach(session, grant, now).await?;
        }
        let mut event = call.event(Fact::TokensRevoked, None);
        event.session = session;
        event.detail = Some(format!("client {}", client.record.client_id));
        call.record(event).await;
    }
    let mut response = json_answer(http::StatusCode::OK, &serde_json::json!({}))?;
    call.allow_origin(&client.record.metadata.gateward_cors_origins, &mut response);
    Ok(response)
}

//! `POST /oauth/token` (RFC 6749 §3.2): one table of grants.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use gateward_kernel::oauth::client::GrantType;
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use gateward_kernel::record::Loaded;

use super::call::{Answered, Call, json_answer};
use super::grants::{code, credentials, device, exchange, jwt_bearer, refresh};
use super::issue::Issued;
use super::{client_auth, details, id_token};

/// What becomes of a grant.
pub type Granted = Result<Issued, super::call::Trouble>;

type Handler =
    for<'a> fn(&'a Call, &'a Arc<Loaded<Client>>) -> Pin<Box<dyn Future<Output = Granted> + Send + 'a>>;

/// The grants there are.
const GRANTS: &[(GrantType, Handler)] = &[
    (GrantType::AuthorizationCode, |call, client| Box::pin(code::grant(call, client))),
    (GrantType::RefreshToken, |call, client| Box::pin(refresh::grant(call, client))),
    (GrantType::ClientCredentials, |call, client| Box::pin(credentials::grant(call, client))),
    (GrantType::DeviceCode, |call, client| Box::pin(device::grant(call, client))),
    (GrantType::TokenExchange, |call, client| Box::pin(exchange::grant(call, client))),
    (GrantType::JwtBearer, |call, client| Box::pin(jwt_bearer::grant(call, client))),
];

/// The names of the grants, for metadata.
pub fn grants() -> impl Iterator<Item = &'static str> {
    GRANTS.iter().map(|(grant, _)| grant.name())
}

/// `POST /oauth/token`
pub async fn answer(call: Call) -> Answered {
    let asked = call.required("grant_type")?;
    let grant = asked.parse::<GrantType>().ok();
    let row = grant.and_then(|grant| GRANTS.iter().find(|(own, _)| *own == grant));
    let Some((grant, handler)) = row else {
        return Err(
            OAuthError::new(OAuthCode::UnsupportedGrantType, "there is no such grant type here").into()
        );
    };
    let client = client_auth::authenticate(&call).await?;
    if !client.record.may(*grant) {
        return Err(OAuthError::new(
            OAuthCode::UnauthorizedClient,
            "the client has not registered this grant type",
        )
        .into());
    }
    let rests_on_consent =
        matches!(grant, GrantType::AuthorizationCode | GrantType::DeviceCode | GrantType::RefreshToken);
    if rests_on_consent {
        id_token::can_be_made(&call.app, &client.record, call.now).await?;
    }
    if !rests_on_consent {
        // Nobody was asked about any.
        details::check(&call, None)?;
    }
    let issued = handler(&call, &client).await?;
    let mut response = json_answer(http::StatusCode::OK, &issued.view())?;
    call.allow_origin(&client.record.metadata.gateward_cors_origins, &mut response);
    Ok(response)
}

//! The error codes of OAuth and OpenID Connect, and the one table of how each is told.

use std::borrow::Cow;

use crate::refusal::Loudness;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $status:literal $loudness:ident,)+) => {
        /// An error code of the OAuth parameters registry (RFC 6749 §11.4).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum OAuthCode { $($(#[$doc])* $variant,)+ }

        impl OAuthCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As it stands in the `error` parameter.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status, where it is answered directly.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// How loudly it is logged.
            pub const fn loudness(self) -> Loudness {
                match self { $(Self::$variant => Loudness::$loudness,)+ }
            }
        }
    };
}

codes! {
    /// A parameter is missing, there twice, or malformed (RFC 6749 §4.1.2.1, §5.2).
    InvalidRequest = "invalid_request" 400 Info,
    /// The client is unknown, or did not prove that it is this one (RFC 6749 §5.2).
    InvalidClient = "invalid_client" 401 Warn,
    /// The code, refresh token or assertion is not good, or not for this client (RFC 6749 §5.2).
    InvalidGrant = "invalid_grant" 400 Info,
    /// The client may not use this grant or response type (RFC 6749 §5.2).
    UnauthorizedClient = "unauthorized_client" 400 Info,
    /// There is no such grant type here (RFC 6749 §5.2).
    UnsupportedGrantType = "unsupported_grant_type" 400 Info,
    /// There is no such response type here (RFC 6749 §4.1.2.1).
    UnsupportedResponseType = "unsupported_response_type" 400 Info,
    /// A scope is unknown, or more than was granted (RFC 6749 §5.2).
    InvalidScope = "invalid_scope" 400 Info,
    /// The person, or a rule, said no (RFC 6749 §4.1.2.1).
    AccessDenied = "access_denied" 400 Info,
    /// A mistake of our own (RFC 6749 §4.1.2.1).
    ServerError = "server_error" 500 Warn,
    /// Worth trying again (RFC 6749 §4.1.2.1).
    TemporarilyUnavailable = "temporarily_unavailable" 503 Warn,
    /// A page would have to be shown, and may not (OpenID Connect Core §3.1.2.6).
    InteractionRequired = "interaction_required" 400 Debug,
    /// Somebody would have to sign in, and no page may be shown.
    LoginRequired = "login_required" 400 Debug,
    /// An account would have to be chosen, and no page may be shown.
    AccountSelectionRequired = "account_selection_required" 400 Debug,
    /// Somebody would have to agree, and no page may be shown.
    ConsentRequired = "consent_required" 400 Debug,
    /// `request_uri` yields nothing that is good.
    InvalidRequestUri = "invalid_request_uri" 400 Info,
    /// The request object is not good (RFC 9101 §7).
    InvalidRequestObject = "invalid_request_object" 400 Info,
    /// Request objects are not taken.
    RequestNotSupported = "request_not_supported" 400 Info,
    /// `request_uri` is not taken.
    RequestUriNotSupported = "request_uri_not_supported" 400 Info,
    /// `registration` is not taken.
    RegistrationNotSupported = "registration_not_supported" 400 Info,
    /// The demanded way of signing in cannot be offered (OpenID Connect Unmet Authentication Requirements 1.0).
    UnmetAuthenticationRequirements = "unmet_authentication_requirements" 400 Info,
    /// The resource is unknown, or not for this client (RFC 8707 §2).
    InvalidTarget = "invalid_target" 400 Info,
    /// Rich authorization details that are unknown or malformed (RFC 9396 §5).
    InvalidAuthorizationDetails = "invalid_authorization_details" 400 Info,
    /// The person has not decided yet (RFC 8628 §3.5).
    AuthorizationPending = "authorization_pending" 400 Debug,
    /// The device asks too often (RFC 8628 §3.5).
    SlowDown = "slow_down" 400 Info,
    /// The device code is too old (RFC 8628 §3.5).
    ExpiredToken = "expired_token" 400 Debug,
    /// A redirect URI cannot be registered (RFC 7591 §3.2.2).
    InvalidRedirectUri = "invalid_redirect_uri" 400 Info,
    /// Client metadata cannot be accepted (RFC 7591 §3.2.2).
    InvalidClientMetadata = "invalid_client_metadata" 400 Info,
    /// A software statement cannot be believed (RFC 7591 §3.2.2).
    InvalidSoftwareStatement = "invalid_software_statement" 400 Info,
    /// The DPoP proof must carry a nonce of ours (RFC 9449 §8).
    UseDpopNonce = "use_dpop_nonce" 400 Debug,
    /// The DPoP proof is not good (RFC 9449 §5).
    InvalidDpopProof = "invalid_dpop_proof" 400 Info,
    /// The access token is not good (RFC 6750 §3.1).
    InvalidToken = "invalid_token" 401 Info,
    /// The access token does not allow this (RFC 6750 §3.1).
    InsufficientScope = "insufficient_scope" 403 Info,
    /// A stronger or newer sign-in is needed (RFC 9470 §3).
    InsufficientUserAuthentication = "insufficient_user_authentication" 401 Info,
    /// Tokens of this type cannot be revoked (RFC 7009 §2.2.1).
    UnsupportedTokenType = "unsupported_token_type" 400 Info,
}

/// An error as it is told: the code, and a sentence for the developer of the client. What the sentence says may be known to
/// whoever asked; it holds nothing of what was sent but names of parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OAuthError {
    /// The code.
    pub code: OAuthCode,
    /// The `error_description`: printable ASCII without quotes and backslashes (RFC 6749 §5.2).
    pub description: Cow<'static, str>,
}

impl OAuthError {
    /// This code, explained by a sentence.
    pub fn new(code: OAuthCode, description: impl Into<Cow<'static, str>>) -> Self {
        OAuthError { code, description: described(description.into()) }
    }

    /// A parameter is missing or wrong.
    pub fn request(description: impl Into<Cow<'static, str>>) -> Self {
        OAuthError::new(OAuthCode::InvalidRequest, description)
    }

    /// What was presented is not good; why is only in the log.
    pub fn grant(description: &'static str) -> Self {
        OAuthError::new(OAuthCode::InvalidGrant, description)
    }
}

/// Only the characters that an `error_description` may have.
fn described(text: Cow<'static, str>) -> Cow<'static, str> {
    let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    match text.chars().all(allowed) {
        true => text,
        false => text.chars().map(|c| if allowed(c) { c } else { '?' }).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_names_of_the_registry_and_each_stands_once() {
        let names: HashSet<_> = OAuthCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), OAuthCode::ALL.len());
        for code in OAuthCode::ALL {
            assert!(code.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!((400..=503).contains(&code.status()));
        }
    }

    #[test]
    fn a_description_has_only_the_characters_it_may() {
        let told = OAuthError::request("say \"no\"\r\n\\ é");
        assert_eq!(told.description, "say ?no???? ?");
        assert_eq!(OAuthError::request("redirect_uri is missing").description, "redirect_uri is missing");
    }
}

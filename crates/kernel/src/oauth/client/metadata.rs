//! Client metadata by its registered names (RFC 7591 §2, OpenID Connect Registration §2): one form for registration, settings,
//! the command line and the record.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kinds::{ApplicationType, AssertionAudience, AuthMethod, ConsentPolicy, GrantType, SubjectType};
use crate::jose::{ContentEncryption, JwkSet, KeyManagementAlgorithm, SignatureAlgorithm};
use crate::oauth::{RedirectUri, ResponseType};
use crate::token::Scope;

/// A public key set, kept as it was read.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeySetText(pub Value);

impl KeySetText {
    /// The keys; those that cannot be used here are passed over (RFC 7517 §5).
    pub fn keys(&self) -> Option<JwkSet> {
        JwkSet::from_json(self.0.to_string().as_bytes()).ok()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

macro_rules! metadata {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)+) => {
        /// What a client says of itself, and what it may do. Members that nobody here understands are passed over (RFC 7591
        /// §2).
        #[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Metadata {
            $($(#[$doc])* #[serde(skip_serializing_if = "is_default")] pub $name: $type,)+
        }
    };
}

metadata! {
    /// Where people are sent back to.
    redirect_uris: Vec<RedirectUri>,
    /// How it proves that it is this client.
    token_endpoint_auth_method: AuthMethod,
    /// With which algorithm its assertions are signed; any asymmetric one of ours when it is not said.
    token_endpoint_auth_signing_alg: Option<SignatureAlgorithm>,
    /// By what it may ask for access tokens.
    grant_types: GrantTypes,
    /// What it may ask the authorization endpoint for.
    response_types: ResponseTypes,
    /// What sort it is.
    application_type: Option<ApplicationType>,
    /// What people read.
    client_name: Option<String>,
    /// Its home page.
    client_uri: Option<String>,
    /// Its picture.
    logo_uri: Option<String>,
    /// What it says of data protection.
    policy_uri: Option<String>,
    /// Its terms.
    tos_uri: Option<String>,
    /// Who is responsible: mail addresses.
    contacts: Vec<String>,
    /// The scopes that it may ask for; all that there are when it is not said.
    scope: Option<Scope>,
    /// Its public keys.
    jwks: Option<KeySetText>,
    /// Where its public keys are.
    jwks_uri: Option<String>,
    /// What software it is.
    software_id: Option<String>,
    /// In which version.
    software_version: Option<String>,
    /// Whether it learns of people by a name of its own.
    subject_type: Option<SubjectType>,
    /// The list of redirect URIs of all clients of its sector.
    sector_identifier_uri: Option<String>,
    /// How its ID tokens are signed.
    id_token_signed_response_alg: Option<SignatureAlgorithm>,
    /// How their key is encrypted for it.
    id_token_encrypted_response_alg: Option<KeyManagementAlgorithm>,
    /// How they are encrypted.
    id_token_encrypted_response_enc: Option<ContentEncryption>,
    /// How UserInfo is signed; plain JSON when it is not said.
    userinfo_signed_response_alg: Option<SignatureAlgorithm>,
    /// How its key is encrypted for it.
    userinfo_encrypted_response_alg: Option<KeyManagementAlgorithm>,
    /// How it is encrypted.
    userinfo_encrypted_response_enc: Option<ContentEncryption>,
    /// How its request objects are signed.
    request_object_signing_alg: Option<SignatureAlgorithm>,
    /// How their key is encrypted for us.
    request_object_encryption_alg: Option<KeyManagementAlgorithm>,
    /// How they are encrypted.
    request_object_encryption_enc: Option<ContentEncryption>,
    /// How answers of the authorization endpoint are signed (JARM §3).
    authorization_signed_response_alg: Option<SignatureAlgorithm>,
    /// How their key is encrypted for it.
    authorization_encrypted_response_alg: Option<KeyManagementAlgorithm>,
    /// How they are encrypted.
    authorization_encrypted_response_enc: Option<ContentEncryption>,
    /// How introspection answers are signed (RFC 9701 §6).
    introspection_signed_response_alg: Option<SignatureAlgorithm>,
    /// How long ago a person may have signed in, in seconds, when a request does not say.
    default_max_age: Option<u64>,
    /// Whether ID tokens always say when the person signed in; they do.
    require_auth_time: bool,
    /// How a person is to sign in when a request does not say.
    default_acr_values: Vec<String>,
    /// Where it begins a sign-in that somebody else starts (OpenID Connect Core §4).
    initiate_login_uri: Option<String>,
    /// Where its request objects are.
    request_uris: Vec<String>,
    /// Where people are sent after they signed out there.
    post_logout_redirect_uris: Vec<RedirectUri>,
    /// What is loaded in a frame when somebody signs out (OpenID Connect Front-Channel Logout §2).
    frontchannel_logout_uri: Option<String>,
    /// Whether it wants to know of which session.
    frontchannel_logout_session_required: bool,
    /// What is told when a session ends (OpenID Connect Back-Channel Logout §2.2).
    backchannel_logout_uri: Option<String>,
    /// Whether it wants to know of which session.
    backchannel_logout_session_required: bool,
    /// Whether it pushes every request first (RFC 9126 §6).
    require_pushed_authorization_requests: bool,
    /// Whether it signs every request (RFC 9101 §10.5).
    require_signed_request_object: bool,
    /// Whether its access tokens are bound to a key by DPoP (RFC 9449 §5.2).
    dpop_bound_access_tokens: bool,
    /// Whether its access tokens are bound to its certificate (RFC 8705 §3.4).
    tls_client_certificate_bound_access_tokens: bool,
    /// The subject of its certificate (RFC 8705 §2.1.2); exactly one of these.
    tls_client_auth_subject_dn: Option<String>,
    /// A DNS name in it.
    tls_client_auth_san_dns: Option<String>,
    /// A URI in it.
    tls_client_auth_san_uri: Option<String>,
    /// An IP address in it.
    tls_client_auth_san_ip: Option<String>,
    /// A mail address in it.
    tls_client_auth_san_email: Option<String>,
    /// Which types of rich authorization requests it may make (RFC 9396 §10).
    authorization_details_types: Vec<String>,
    /// The resources that it may ask for; all of the settings when it is not said.
    gateward_resources: Vec<String>,
    /// Whether a code may be asked for without PKCE; for clients that are older than RFC 7636.
    gateward_pkce_optional: bool,
    /// Whether people are asked.
    gateward_consent: ConsentPolicy,
    /// From which pages a browser may call the token endpoint and UserInfo for it (CORS): origins.
    gateward_cors_origins: Vec<String>,
    /// What its access tokens are: `jwt` or `opaque`; as the resource says when it is not said.
    gateward_access_token_format: Option<String>,
    /// How long its access tokens count, in seconds, at most as long as the resource says.
    gateward_access_token_lifetime: Option<u64>,
    /// Whether its refresh tokens stay the same; for profiles that say so (FAPI 2.0 Security Profile §5.3.2.1).
    gateward_refresh_token_stays: bool,
    /// For whom its assertions must be.
    gateward_assertion_audience: AssertionAudience,
    /// Whether it may use the implicit and hybrid flows, where the installation allows them at all.
    gateward_legacy_flows: bool,
    /// Whether it may ask what any token is (RFC 7662 §4): a resource that checks tokens.
    gateward_introspects: bool,
}

/// How one of the things that a client is told is encrypted for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encryption {
    /// How the names of its members begin.
    pub name: &'static str,
    /// How the key gets there; nothing is encrypted when it is not said.
    pub algorithm: Option<KeyManagementAlgorithm>,
    /// How the content is encrypted.
    pub content: Option<ContentEncryption>,
}

impl Default for AuthMethod {
    /// RFC 7591 §2.
    fn default() -> Self {
        AuthMethod::SecretBasic
    }
}

#[expect(clippy::derivable_impls, reason = "the table of lists derives the same for each")]
impl Default for ConsentPolicy {
    fn default() -> Self {
        ConsentPolicy::Ask
    }
}

#[expect(clippy::derivable_impls, reason = "the table of lists derives the same for each")]
impl Default for AssertionAudience {
    fn default() -> Self {
        AssertionAudience::Any
    }
}

/// The grant types; the code flow when it is not said (RFC 7591 §2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantTypes(pub Vec<GrantType>);

impl Default for GrantTypes {
    fn default() -> Self {
        GrantTypes(vec![GrantType::AuthorizationCode])
    }
}

impl GrantTypes {
    /// Whether this is among them.
    pub fn contains(&self, grant: &GrantType) -> bool {
        self.0.contains(grant)
    }
}

/// The response types; a code when it is not said (RFC 7591 §2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseTypes(pub Vec<ResponseType>);

impl Default for ResponseTypes {
    fn default() -> Self {
        ResponseTypes(vec![ResponseType::CODE])
    }
}

impl Metadata {
    /// The redirect URI that a request means: the one it names, or the only one there is (RFC 6749 §3.1.2.3).
    pub fn redirect_uri(&self, asked: Option<&str>) -> Option<Box<str>> {
        match (asked, self.redirect_uris.as_slice()) {
            (None, [only]) => Some(only.as_str().into()),
            (None, _) => None,
            (Some(asked), all) => all.iter().any(|own| own.admits(asked)).then(|| asked.into()),
        }
    }

    /// Whether it can ever get an ID token: it has a grant that gives them, and may ask for `openid`.
    pub fn gets_id_tokens(&self) -> bool {
        [GrantType::AuthorizationCode, GrantType::Implicit, GrantType::DeviceCode]
            .iter()
            .any(|grant| self.grant_types.contains(grant))
            && self.scope.as_ref().is_none_or(|scope| scope.has("openid"))
    }

    /// The algorithm of its ID tokens: RS256 when it is not said (OpenID Connect Registration §2).
    pub fn id_token_alg(&self) -> SignatureAlgorithm {
        self.id_token_signed_response_alg.unwrap_or(SignatureAlgorithm::Rs256)
    }

    /// What is encrypted for it, and how.
    pub(super) fn encryptions(&self) -> [Encryption; 3] {
        [
            Encryption {
                name: "id_token",
                algorithm: self.id_token_encrypted_response_alg,
                content: self.id_token_encrypted_response_enc,
            },
            Encryption {
                name: "userinfo",
                algorithm: self.userinfo_encrypted_response_alg,
                content: self.userinfo_encrypted_response_enc,
            },
            Encryption {
                name: "authorization",
                algorithm: self.authorization_encrypted_response_alg,
                content: self.authorization_encrypted_response_enc,
            },
        ]
    }

    /// Whether something is signed or encrypted for it or by it with its secret, so that the secret itself must be known.
    pub fn needs_plain_secret(&self) -> bool {
        let by_secret = self.token_endpoint_auth_method == AuthMethod::SecretJwt;
        let algorithms = [
            self.id_token_signed_response_alg,
            self.userinfo_signed_response_alg,
            self.request_object_signing_alg,
            self.authorization_signed_response_alg,
            self.introspection_signed_response_alg,
        ];
        let mut encrypted = self.encryptions().into_iter().filter_map(|one| one.algorithm);
        by_secret
            || algorithms.into_iter().flatten().any(SignatureAlgorithm::is_hmac)
            || encrypted.any(KeyManagementAlgorithm::is_symmetric)
    }

    /// About how many bytes it takes in memory beside its own size.
    pub fn weight(&self) -> usize {
        // Texts dominate; a client has few hundred bytes of them, and there are few clients.
        let uris: usize = self.redirect_uris.iter().map(|uri| uri.as_str().len() + 16).sum();
        uris + self.jwks.as_ref().map_or(0, |keys| keys.0.to_string().len() * 3) + 512
    }
}

//! Whether metadata makes a client that can work and harms nobody.

use url::Url;

use super::kinds::{ApplicationType, AuthMethod, GrantType, SubjectType};
use super::metadata::{Encryption, KeySetText, Metadata};
use crate::jose::jwe::EncryptingKey;
use crate::jose::{ContentEncryption, KeyManagementAlgorithm, SignatureAlgorithm};
use crate::oauth::{OAuthCode, OAuthError, RedirectUri};

/// The most entries of each list.
const MOST: usize = 32;
/// The longest text, in bytes.
const LONGEST: usize = 2048;
/// The longest name that people read, in bytes.
const LONGEST_NAME: usize = 128;

/// What the installation allows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// Whether the implicit and hybrid flows exist here at all.
    pub legacy_flows: bool,
    /// What is signed with by keys of the installation.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// Where addresses that are asked may be without TLS.
    pub plain_http: Vec<url::Origin>,
}

impl Rules {
    fn allows_plain(&self, uri: &str) -> bool {
        uri.starts_with("http://") && Url::parse(uri).is_ok_and(|url| self.plain_http.contains(&url.origin()))
    }
}

/// What is wrong with a host.
const NO_HOST: &str = "a host has letters, digits, dots, hyphens and underscores only";

/// Why metadata was not accepted: the code and the sentence.
pub type BadMetadata = OAuthError;

fn bad(sentence: impl Into<String>) -> BadMetadata {
    OAuthError::new(OAuthCode::InvalidClientMetadata, sentence.into())
}

impl Metadata {
    /// Refuses metadata that contradicts itself or the rules.
    pub fn check(&self, rules: &Rules) -> Result<(), BadMetadata> {
        self.check_flows(rules)?;
        self.check_redirects()?;
        self.check_keys()?;
        self.check_signed(rules)?;
        self.check_addresses(rules)?;
        self.check_encryption()?;
        self.check_certificate()?;
        self.check_texts()
    }

    fn check_flows(&self, rules: &Rules) -> Result<(), BadMetadata> {
        let grants = &self.grant_types;
        if grants.0.len() > MOST || self.response_types.0.len() > MOST {
            return Err(bad(format!("a list has more than {MOST} entries")));
        }
        let mut legacy = grants.contains(&GrantType::Implicit);
        for kind in &self.response_types.0 {
            legacy |= kind.is_legacy();
            if kind.code && !grants.contains(&GrantType::AuthorizationCode) {
                return Err(bad("response_types has code, and grant_types lacks authorization_code"));
            }
            if kind.is_legacy() && !grants.contains(&GrantType::Implicit) {
                return Err(bad("response_types has token or id_token, and grant_types lacks implicit"));
            }
        }
        if legacy && !rules.legacy_flows {
            return Err(bad("the implicit and hybrid flows are switched off here"));
        }
        if legacy && !self.gateward_legacy_flows {
            return Err(bad("gateward_legacy_flows must be true for the implicit and hybrid flows"));
        }
        // Nothing proves a key or a certificate where the browser carries the token (RFC 9449 §5, RFC 8705 §3).
        let by_browser = self.response_types.0.iter().any(|kind| kind.token);
        if by_browser && (self.dpop_bound_access_tokens || self.tls_client_certificate_bound_access_tokens) {
            return Err(bad(
                "an access token of the implicit flow cannot be bound to a key or a certificate",
            ));
        }
        let is_public = self.token_endpoint_auth_method == AuthMethod::None;
        let by_itself = [GrantType::ClientCredentials, GrantType::JwtBearer, GrantType::TokenExchange];
        if is_public && by_itself.iter().any(|grant| grants.contains(grant)) {
            return Err(bad(
                "a client without authentication cannot use client_credentials, jwt-bearer or token-exchange",
            ));
        }
        if is_public && self.gateward_introspects {
            return Err(bad("a client without authentication cannot introspect"));
        }
        Ok(())
    }

    fn check_redirects(&self) -> Result<(), BadMetadata> {
        let bad_uri =
            |sentence: &str| Err(OAuthError::new(OAuthCode::InvalidRedirectUri, sentence.to_owned()));
        let redirects = [GrantType::AuthorizationCode, GrantType::Implicit];
        if redirects.iter().any(|grant| self.grant_types.contains(grant)) && self.redirect_uris.is_empty() {
            return bad_uri("redirect_uris is missing");
        }
        if self.redirect_uris.len() > MOST || self.post_logout_redirect_uris.len() > MOST {
            return bad_uri("there are more than 32 URIs");
        }
        let mut all = self.redirect_uris.iter().chain(&self.post_logout_redirect_uris);
        if !all.all(|uri| Url::parse(uri.as_str()).is_ok_and(|url| has_plain_host(&url))) {
            return bad_uri(NO_HOST);
        }
        let is_native = self.application_type == Some(ApplicationType::Native);
        if !is_native && self.redirect_uris.iter().any(RedirectUri::has_own_scheme) {
            return bad_uri("an own scheme is for application_type native");
        }
        let implicit = self.response_types.0.iter().any(|kind| kind.is_legacy());
        if implicit && !is_native && self.redirect_uris.iter().any(RedirectUri::is_native) {
            return bad_uri(
                "the implicit flow of a web client leads to https only (OpenID Connect Registration, section 2)",
            );
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), BadMetadata> {
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(bad("jwks and jwks_uri exclude each other"));
        }
        if let Some(jwks) = &self.jwks {
            let text = jwks.0.to_string();
            if text.len() > 64 * 1024 {
                return Err(bad("jwks is longer than 64 KiB"));
            }
            if jwks.keys().is_none_or(|keys| keys.keys.is_empty()) {
                return Err(bad("jwks holds no key that can be used"));
            }
            let private = ["d", "p", "q", "dp", "dq", "qi", "k"];
            let keys = jwks.0.get("keys").and_then(|keys| keys.as_array());
            let holds_private =
                keys.into_iter().flatten().any(|key| private.iter().any(|name| key.get(name).is_some()));
            if holds_private {
                return Err(bad("jwks holds a private key or a shared secret; it is for public keys"));
            }
        }
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        let needs_keys = matches!(
            self.token_endpoint_auth_method,
            AuthMethod::PrivateKeyJwt | AuthMethod::SelfSignedTlsClientAuth
        );
        if needs_keys && !has_keys {
            return Err(bad(format!("{} needs jwks or jwks_uri", self.token_endpoint_auth_method)));
        }
        let is_hmac = self.token_endpoint_auth_signing_alg.map(SignatureAlgorithm::is_hmac);
        match (self.token_endpoint_auth_method, is_hmac) {
            (AuthMethod::PrivateKeyJwt, Some(true)) | (AuthMethod::SecretJwt, Some(false)) => {
                Err(bad("token_endpoint_auth_signing_alg does not fit token_endpoint_auth_method"))
            }
            _ if self.needs_plain_secret() && !self.has_secret() => {
                Err(bad("an HMAC algorithm needs a client secret"))
            }
            _ => Ok(()),
        }
    }

    /// What is to be signed for it can be: by a key of the installation, or by its own secret.
    fn check_signed(&self, rules: &Rules) -> Result<(), BadMetadata> {
        for (name, algorithm) in [
            (
                "id_token_signed_response_alg",
                self.gets_id_tokens().then(|| self.id_token_alg()).or(self.id_token_signed_response_alg),
            ),
            ("userinfo_signed_response_alg", self.userinfo_signed_response_alg),
            ("authorization_signed_response_alg", self.authorization_signed_response_alg),
            ("introspection_signed_response_alg", self.introspection_signed_response_alg),
        ] {
            if let Some(algorithm) = algorithm.filter(|one| !one.is_hmac() && !rules.algorithms.contains(one))
            {
                let here: Vec<&str> = rules.algorithms.iter().map(|one| one.name()).collect();
                return Err(bad(format!(
                    "{name} is {algorithm}, and here is signed with {}",
                    here.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// Whether the client gets a secret.
    pub fn has_secret(&self) -> bool {
        use AuthMethod::{SecretBasic, SecretJwt, SecretPost};
        matches!(self.token_endpoint_auth_method, SecretBasic | SecretPost | SecretJwt)
    }

    fn check_addresses(&self, rules: &Rules) -> Result<(), BadMetadata> {
        for (name, uri) in [
            ("jwks_uri", &self.jwks_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
            ("backchannel_logout_uri", &self.backchannel_logout_uri),
        ] {
            if let Some(uri) = uri {
                asked(name, uri, rules)?;
            }
        }
        for (name, uri) in [
            ("frontchannel_logout_uri", &self.frontchannel_logout_uri),
            ("initiate_login_uri", &self.initiate_login_uri),
        ] {
            if let Some(uri) = uri {
                address(name, uri, &["https"])?;
            }
        }
        for (name, uri) in [
            ("client_uri", &self.client_uri),
            ("logo_uri", &self.logo_uri),
            ("policy_uri", &self.policy_uri),
            ("tos_uri", &self.tos_uri),
        ] {
            if let Some(uri) = uri {
                address(name, uri, &["https", "http"])?;
            }
        }
        for uri in &self.request_uris {
            // A fragment there names a version of the content (OpenID Connect Core §6.2).
            let bare = uri.split('#').next().unwrap_or_default();
            asked("request_uris", bare, rules)?;
        }
        if let Some(uri) = &self.frontchannel_logout_uri {
            // Loaded by the person's browser: no client leads it elsewhere than it may lead it anyhow (OpenID Connect Front-Channel Logout §2).
            let origin = |uri: &str| Url::parse(uri).ok().map(|url| url.origin());
            let own = origin(uri);
            if !self.redirect_uris.iter().any(|redirect| origin(redirect.as_str()) == own) {
                return Err(bad("frontchannel_logout_uri has not scheme, host and port of a redirect URI"));
            }
        }
        for origin in &self.gateward_cors_origins {
            let is_origin = Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !is_origin {
                return Err(bad(
                    "gateward_cors_origins holds something else than an origin such as https://app.example",
                ));
            }
        }
        let hosts: std::collections::BTreeSet<_> = self.redirect_uris.iter().filter_map(host).collect();
        let is_pairwise = self.subject_type == Some(SubjectType::Pairwise);
        if is_pairwise && self.sector_identifier_uri.is_none() && hosts.len() > 1 {
            return Err(bad("pairwise with redirect URIs of several hosts needs sector_identifier_uri"));
        }
        Ok(())
    }

    /// What is to be encrypted for it can be: by a key of its own, or by its secret (OpenID Connect Core §10.2). Otherwise each code
    /// would be spent for nothing.
    fn check_encryption(&self) -> Result<(), BadMetadata> {
        if self.request_object_encryption_alg.is_some() || self.request_object_encryption_enc.is_some() {
            return Err(bad("request_object_encryption_…: encrypted request objects are not taken here"));
        }
        for Encryption { name, algorithm, content } in self.encryptions() {
            let Some(algorithm) = algorithm else {
                if content.is_some() {
                    return Err(bad(format!("{name}: an _enc needs its _alg")));
                }
                continue;
            };
            let content = content.unwrap_or_default();
            match algorithm.is_symmetric() {
                true if !self.has_secret() => {
                    return Err(bad(format!("{name}: {algorithm} needs a client secret")));
                }
                // The key is made of a SHA-256 of the secret.
                true if algorithm == KeyManagementAlgorithm::Dir && content.key_size() > 32 => {
                    return Err(bad(format!("{name}: {algorithm} does not go with {content} here")));
                }
                true => {}
                false => self.check_public_key(name, algorithm, content)?,
            }
        }
        Ok(())
    }

    fn check_public_key(
        &self,
        name: &str,
        algorithm: KeyManagementAlgorithm,
        content: ContentEncryption,
    ) -> Result<(), BadMetadata> {
        if self.jwks.is_none() && self.jwks_uri.is_none() {
            return Err(bad(format!("{name}: {algorithm} needs jwks or jwks_uri")));
        }
        // What is at `jwks_uri` is another matter each time.
        let fits = |jwks: &KeySetText| {
            jwks.keys().is_some_and(|keys| EncryptingKey::among(&keys, algorithm, content).is_some())
        };
        match self.jwks.as_ref().is_none_or(fits) {
            true => Ok(()),
            false => Err(bad(format!("{name}: jwks holds no key for {algorithm}"))),
        }
    }

    fn check_certificate(&self) -> Result<(), BadMetadata> {
        let named = [
            &self.tls_client_auth_subject_dn,
            &self.tls_client_auth_san_dns,
            &self.tls_client_auth_san_uri,
            &self.tls_client_auth_san_ip,
            &self.tls_client_auth_san_email,
        ];
        let count = named.iter().filter(|name| name.is_some()).count();
        match (self.token_endpoint_auth_method, count) {
            (AuthMethod::TlsClientAuth, 1) => Ok(()),
            (AuthMethod::TlsClientAuth, _) => {
                Err(bad("tls_client_auth needs exactly one tls_client_auth_… (RFC 8705, section 2.1.2)"))
            }
            (_, 0) => Ok(()),
            _ => Err(bad("tls_client_auth_… is for token_endpoint_auth_method tls_client_auth")),
        }
    }

    fn check_texts(&self) -> Result<(), BadMetadata> {
        let is_odd =
            |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if self.client_name.as_ref().is_some_and(|name| {
            name.trim().is_empty() || name.len() > LONGEST_NAME || name.chars().any(is_odd)
        }) {
            return Err(bad(format!(
                "client_name has 1 to {LONGEST_NAME} bytes without control characters and marks that turn the direction of writing"
            )));
        }
        let lists =
            [&self.contacts, &self.default_acr_values, &self.request_uris, &self.authorization_details_types];
        for list in lists.into_iter().chain([&self.gateward_resources, &self.gateward_cors_origins]) {
            if list.len() > MOST || list.iter().any(|text| text.len() > LONGEST || text.chars().any(is_odd)) {
                return Err(bad(format!("a list has at most {MOST} entries of at most {LONGEST} bytes")));
            }
        }
        for text in [&self.software_id, &self.software_version].into_iter().flatten() {
            if text.len() > LONGEST_NAME || text.chars().any(is_odd) {
                return Err(bad(format!(
                    "software_id and software_version have at most {LONGEST_NAME} bytes"
                )));
            }
        }
        if !matches!(self.gateward_access_token_format.as_deref(), None | Some("jwt" | "opaque")) {
            return Err(bad("gateward_access_token_format is jwt or opaque"));
        }
        if self.gateward_access_token_lifetime == Some(0) {
            return Err(bad("gateward_access_token_lifetime is at least 1 second"));
        }
        Ok(())
    }
}

/// An address that is asked: by https, but for exceptions of the installation.
fn asked(name: &str, uri: &str, rules: &Rules) -> Result<(), BadMetadata> {
    match rules.allows_plain(uri) {
        true => address(name, uri, &["http"]),
        false => address(name, uri, &["https"]),
    }
}

/// An address of one of these schemes, without a user and a fragment.
fn address(name: &str, text: &str, schemes: &[&str]) -> Result<(), BadMetadata> {
    let is_plain = text.len() <= LONGEST && text.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let url = Url::parse(text).ok().filter(|_| is_plain);
    if url.as_ref().is_some_and(|url| !has_plain_host(url)) {
        return Err(bad(format!("{name}: {NO_HOST}")));
    }
    let is_good = url.is_some_and(|url| {
        schemes.contains(&url.scheme())
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    });
    match is_good {
        true => Ok(()),
        false => Err(bad(format!(
            "{name} is an address that begins with {}://, without a user and a fragment",
            schemes.join(":// or ")
        ))),
    }
}

/// Whether its host has the letters of a name or an address. A parser of addresses takes more, such as `;` and `,`, which have a meaning in a
/// content security policy.
fn has_plain_host(url: &Url) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    url.host_str().is_none_or(|host| host.bytes().all(is_plain))
}

fn host(uri: &RedirectUri) -> Option<String> {
    Url::parse(uri.as_str()).ok()?.host_str().map(str::to_owned)
}

//! Mutual TLS (RFC 8705): clients that prove themselves by a certificate, and tokens bound to one.

use gateward_kernel::confirmation::{CertificateThumbprint, Confirmation};
use gateward_kernel::oauth::client::AuthMethod;
use gateward_kernel::oauth::{Client, OAuthCode, OAuthError};
use http::HeaderValue;

use super::call::{Call, Trouble};
use super::keys;
use crate::certificate::ClientCertificate;
use crate::certificate::law::{CertificateName, is_key_of};

fn invalid(description: &'static str) -> Trouble {
    OAuthError::new(OAuthCode::InvalidClient, description).into()
}

/// Whether the client's certificate is the one it registered: by a name that an authority vouches for (RFC 8705 §2.1), or by
/// its key (§2.2).
pub async fn prove(call: &Call, client: &Client) -> Result<(), Trouble> {
    let certificate = call.certificate.as_ref().ok_or_else(|| invalid("no client certificate was shown"))?;
    let proved = match client.metadata.token_endpoint_auth_method {
        AuthMethod::TlsClientAuth => is_vouched_for(call, certificate) && bears_name_of(client, certificate),
        _ => {
            // A certificate names no key of the set: after a new one it is looked for there.
            let own = certificate.clone();
            let keys = keys::that(&call.app, client, move |set| is_key_of(&own, set), call.now).await;
            let keys =
                keys.map_err(|problem| OAuthError::new(OAuthCode::InvalidClient, problem.to_string()))?;
            is_key_of(certificate, &keys)
        }
    };
    match proved {
        true => Ok(()),
        false => Err(invalid("the client certificate is not the one that the client has registered")),
    }
}

fn is_vouched_for(call: &Call, certificate: &ClientCertificate) -> bool {
    call.app.authorities.get().is_some_and(|authorities| authorities.vouch_for(certificate, call.now))
}

fn bears_name_of(client: &Client, certificate: &ClientCertificate) -> bool {
    let metadata = &client.metadata;
    let named = [
        ("tls_client_auth_subject_dn", &metadata.tls_client_auth_subject_dn),
        ("tls_client_auth_san_dns", &metadata.tls_client_auth_san_dns),
        ("tls_client_auth_san_uri", &metadata.tls_client_auth_san_uri),
        ("tls_client_auth_san_ip", &metadata.tls_client_auth_san_ip),
        ("tls_client_auth_san_email", &metadata.tls_client_auth_san_email),
    ];
    let registered = named.iter().find_map(|(parameter, value)| Some((*parameter, value.as_deref()?)));
    registered.is_some_and(|(parameter, value)| {
        CertificateName::read(parameter, value).is_ok_and(|name| name.is_of(certificate))
    })
}

/// The certificate that access tokens are bound to, where the client wants that (RFC 8705 §3).
pub fn shown(call: &Call, client: &Client) -> Result<Option<CertificateThumbprint>, Trouble> {
    if !client.metadata.tls_client_certificate_bound_access_tokens {
        return Ok(None);
    }
    let certificate = call.certificate.as_ref();
    certificate.map(|own| Some(*own.thumbprint())).ok_or_else(|| invalid("no client certificate was shown"))
}

/// Checks that whoever presents a token at a resource of ours shows the certificate it is bound to (RFC 8705 §3).
pub fn shown_at_resource(call: &Call, bound: &Confirmation) -> Result<(), Trouble> {
    let shown = call.certificate.as_ref().map(|certificate| certificate.thumbprint());
    if bound.certificate.as_ref().is_none_or(|own| shown == Some(own)) {
        return Ok(());
    }
    let error =
        OAuthError::new(OAuthCode::InvalidToken, "the token is bound to a certificate that was not shown");
    let challenge = HeaderValue::from_static("Bearer realm=\"gateward\", error=\"invalid_token\"");
    Err(Trouble::Challenge(error, vec![challenge]))
}

//! Making JWS in compact form (RFC 7515 §7.1).

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::jwk::KeyError;
use super::keys::{SigningFailed, SigningKey};

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The claims could not be written as JSON.
    #[error("the claims cannot be written as JSON")]
    NotJson,
    /// The crypto library failed.
    #[error(transparent)]
    Failed(#[from] SigningFailed),
}

/// Signs many tokens of one kind: the header is the same for all, and encoded once.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    /// base64url(header) and the dot after it.
    prefix: String,
}

impl Signer {
    /// Signs with this key; the header holds `alg`, `kid` where the key has an id, and `typ` unless it is empty.
    pub fn new(key: SigningKey, typ: &str) -> Self {
        Self::encoded(key, typ, Map::new())
    }

    /// The same with more header members, such as `cty`, or the `jwk` of a DPoP proof (RFC 9449 §4.2). Errors when a member
    /// would say what only this module says, or would change how the token is read (`crit`, `b64`, `zip`, `enc`).
    pub fn with_members(key: SigningKey, typ: &str, members: Map<String, Value>) -> Result<Self, KeyError> {
        const OURS: [&str; 7] = ["alg", "kid", "typ", "crit", "b64", "zip", "enc"];
        if OURS.iter().any(|name| members.contains_key(*name)) {
            return Err(KeyError::Purpose("a header member that is not for callers to set"));
        }
        Ok(Self::encoded(key, typ, members))
    }

    fn encoded(key: SigningKey, typ: &str, members: Map<String, Value>) -> Self {
        let mut header = Map::new();
        header.insert("alg".into(), key.algorithm().name().into());
        if let Some(kid) = key.kid() {
            header.insert("kid".into(), kid.into());
        }
        if !typ.is_empty() {
            header.insert("typ".into(), typ.into());
        }
        header.extend(members);
        let mut prefix = BASE64URL_NOPAD.encode(Value::Object(header).to_string().as_bytes());
        prefix.push('.');
        Signer { key, prefix }
    }

    /// The key it signs with.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Appends the token with this payload to `out`. After an error `out` is as it was.
    pub fn sign_into(&self, payload: &[u8], out: &mut String) -> Result<(), SigningFailed> {
        let start = self.begin(payload.len(), out);
        BASE64URL_NOPAD.encode_append(payload, out);
        self.finish(start, out)
    }

    /// Appends the token with these claims to `out`. After an error `out` is as it was.
    pub fn sign_claims_into(&self, claims: &impl Serialize, out: &mut String) -> Result<(), SignError> {
        // The claims of most access tokens have less. The encoder is quick with one long piece and slow with the many short
        // ones that JSON is written in.
        let mut payload = Vec::with_capacity(1024);
        serde_json::to_writer(&mut payload, claims).map_err(|_| SignError::NotJson)?;
        Ok(self.sign_into(&payload, out)?)
    }

    /// The token with this payload.
    pub fn sign(&self, payload: &[u8]) -> Result<String, SigningFailed> {
        let mut out = String::new();
        self.sign_into(payload, &mut out)?;
        Ok(out)
    }

    /// The token with these claims.
    pub fn sign_claims(&self, claims: &impl Serialize) -> Result<String, SignError> {
        let mut out = String::new();
        self.sign_claims_into(claims, &mut out)?;
        Ok(out)
    }

    /// Makes room for a token with a payload of about this length, and writes the header.
    fn begin(&self, payload: usize, out: &mut String) -> usize {
        let start = out.len();
        // Four characters for three bytes; a signature of 2048-bit RSA has 342.
        out.reserve(self.prefix.len() + payload.div_ceil(3) * 4 + 1 + 342);
        out.push_str(&self.prefix);
        start
    }

    fn finish(&self, start: usize, out: &mut String) -> Result<(), SigningFailed> {
        // `start` is where this token begins; what stood there before is not signed.
        let (_, token) = out.as_bytes().split_at_checked(start).unwrap_or_default();
        match self.key.sign(token) {
            Ok(signature) => {
                out.push('.');
                BASE64URL_NOPAD.encode_append(signature.as_ref(), out);
                Ok(())
            }
            Err(failed) => {
                out.truncate(start);
                Err(failed)
            }
        }
    }
}

//! Reading a key from JSON: every member's type, encoding and length, then the numbers themselves.

use aws_lc_rs::signature::{RsaKeyPair, RsaPublicKeyComponents};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::super::strict;
use super::{
    EcCurve, EcKey, Jwk, KeyError, KeyMaterial, KeyOperation, KeyUse, MAX_KEY_LEN, MAX_KID_LEN, OctKey,
    OkpCurve, OkpKey, RsaKey,
};

impl Jwk {
    /// Reads one key. Members that are not known are passed over (RFC 7517 §4); members named twice, at any level, and
    /// anything malformed are refused.
    pub fn from_json(json: &[u8]) -> Result<Self, KeyError> {
        if json.len() > MAX_KEY_LEN {
            return Err(KeyError::TooLong);
        }
        Jwk::from_members(strict::object(json)?)
    }

    /// Reads one key from the members of an object that was read elsewhere, such as the `jwk` of a header or of `cnf`.
    pub fn from_members(members: Map<String, Value>) -> Result<Self, KeyError> {
        let mut members = Members(members);
        let kid = members.text("kid")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_LEN) {
            return Err(KeyError::Malformed("kid"));
        }
        let alg = members.text("alg")?.map(|name| name.parse()).transpose();
        let alg = alg.map_err(|_| KeyError::Unsupported("alg"))?;
        let purpose = match members.text("use")?.as_deref() {
            None => None,
            Some("sig") => Some(KeyUse::Signature),
            Some("enc") => Some(KeyUse::Encryption),
            Some(_) => return Err(KeyError::Unsupported("use")),
        };
        let operations = members.operations()?;
        let material = match members.text("kty")?.as_deref() {
            Some("EC") => KeyMaterial::Ec(members.ec()?),
            Some("OKP") => KeyMaterial::Okp(members.okp()?),
            Some("RSA") => KeyMaterial::Rsa(members.rsa()?),
            Some("oct") => KeyMaterial::Oct(OctKey::new(members.required_bytes("k")?)?),
            Some(_) => return Err(KeyError::Unsupported("kty")),
            None => return Err(KeyError::Missing("kty")),
        };
        let key = Jwk { kid, alg, purpose, operations, material };
        key.check_consistency()?;
        Ok(key)
    }
}

/// The members of a key that is being read; what is left of them is wiped.
struct Members(Map<String, Value>);

impl Drop for Members {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

impl Members {
    fn text(&mut self, name: &'static str) -> Result<Option<String>, KeyError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(KeyError::Malformed(name)),
        }
    }

    /// Base64url without padding and without stray bits (RFC 7515 §2), never empty.
    fn bytes(&mut self, name: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let Some(text) = self.text(name)?.map(Zeroizing::new) else { return Ok(None) };
        match BASE64URL_NOPAD.decode(text.as_bytes()) {
            Ok(bytes) if !bytes.is_empty() => Ok(Some(Zeroizing::new(bytes))),
            _ => Err(KeyError::Malformed(name)),
        }
    }

    fn required_bytes(&mut self, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.bytes(name)?.ok_or(KeyError::Missing(name))
    }

    fn operations(&mut self) -> Result<Option<Vec<KeyOperation>>, KeyError> {
        let names = match self.0.remove("key_ops") {
            None => return Ok(None),
            Some(Value::Array(names)) => names,
            Some(_) => return Err(KeyError::Malformed("key_ops")),
        };
        let mut operations = Vec::new();
        for name in &names {
            let name = name.as_str().ok_or(KeyError::Malformed("key_ops"))?;
            // Operations that are not registered allow nothing here and forbid nothing (RFC 7517 §4.3).
            let Some((operation, _)) = KeyOperation::ALL.iter().find(|(_, known)| *known == name) else {
                continue;
            };
            if operations.contains(operation) {
                return Err(KeyError::Contradiction("`key_ops` names an operation twice"));
            }
            operations.push(*operation);
        }
        Ok(Some(operations))
    }

    /// RFC 7518 §6.2: coordinates have the full size of the curve, leading zero bytes included.
    fn ec(&mut self) -> Result<EcKey, KeyError> {
        let curve = match self.text("crv")?.as_deref() {
            Some("P-256") => EcCurve::P256,
            Some("P-384") => EcCurve::P384,
            Some("P-521") => EcCurve::P521,
            Some(_) => return Err(KeyError::Unsupported("crv")),
            None => return Err(KeyError::Missing("crv")),
        };
        let mut point = vec![4];
        for name in ["x", "y"] {
            let coordinate = self.required_bytes(name)?;
            if coordinate.len() != curve.size() {
                return Err(KeyError::Malformed(name));
            }
            point.extend_from_slice(&coordinate);
        }
        EcKey::new(curve, &point, self.bytes("d")?)
    }

    /// RFC 8037 §2.
    fn okp(&mut self) -> Result<OkpKey, KeyError> {
        let curve = match self.text("crv")?.as_deref() {
            Some("Ed25519") => OkpCurve::Ed25519,
            Some("X25519") => OkpCurve::X25519,
            Some(_) => return Err(KeyError::Unsupported("crv")),
            None => return Err(KeyError::Missing("crv")),
        };
        let x = self.required_bytes("x")?.as_slice().try_into().map_err(|_| KeyError::Malformed("x"))?;
        let d = match self.bytes("d")? {
            None => None,
            Some(d) => {
                let mut seed = Zeroizing::new([0; 32]);
                if d.len() != seed.len() {
                    return Err(KeyError::Malformed("d"));
                }
                seed.copy_from_slice(&d);
                Some(seed)
            }
        };
        OkpKey::new(curve, x, d)
    }

    /// RFC 7518 §6.3. Some libraries put a zero byte before numbers whose first bit is set (a note in §6.3.1.1 says so):
    /// it is dropped, so that the same key is the same key, with the same thumbprint.
    fn rsa(&mut self) -> Result<RsaKey, KeyError> {
        if self.0.contains_key("oth") {
            return Err(KeyError::Unsupported("oth"));
        }
        let (n, e) = (self.required_bytes("n")?, self.required_bytes("e")?);
        let (n, e) = (without_zeros(&n), without_zeros(&e));
        let key = RsaKey::from_numbers(n, e)?;
        let Some(d) = self.bytes("d")? else {
            return if ["p", "q", "dp", "dq", "qi"].iter().any(|name| self.0.contains_key(*name)) {
                Err(KeyError::Missing("d"))
            } else {
                Ok(key)
            };
        };
        let mut factor = |name| self.bytes(name)?.ok_or(KeyError::NoPrimeFactors);
        let (p, q, dp, dq, qi) = (factor("p")?, factor("q")?, factor("dp")?, factor("dq")?, factor("qi")?);
        // Bounded here, so that nobody makes the library multiply numbers of any length.
        if [&d, &p, &q, &dp, &dq, &qi].iter().any(|number| number.len() > n.len() + 1) {
            return Err(KeyError::NotAKey);
        }
        let pair = RsaKeyPair::from_components(&aws_lc_rs::rsa::KeyPairComponents {
            public_key: RsaPublicKeyComponents { n, e },
            d: d.as_slice(),
            p: p.as_slice(),
            q: q.as_slice(),
            dP: dp.as_slice(),
            dQ: dq.as_slice(),
            qInv: qi.as_slice(),
        });
        RsaKey::from_pair(&pair.map_err(|_| KeyError::NotAKey)?)
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

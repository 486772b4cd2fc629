//! Writing keys as JSON, and their thumbprints (RFC 7638).

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::{Jwk, KeyMaterial, KeyOperation};

impl Jwk {
    /// The public key as JSON. `None` for a shared secret, which has no public part.
    pub fn to_json(&self) -> Option<String> {
        let mut out = Object::new();
        self.public()?.write(&mut out);
        Some(String::clone(&out.finish()))
    }

    /// The key as JSON with its private part, where it has one.
    pub fn to_private_json(&self) -> Zeroizing<String> {
        let mut out = Object::new();
        self.write(&mut out);
        out.finish()
    }

    /// The SHA-256 thumbprint (RFC 7638 §3): the same for the private and the public key, and whatever the key says about
    /// itself. That of a shared secret is a digest of the secret, and as little public as it.
    pub fn thumbprint_bytes(&self) -> [u8; 32] {
        let mut required = Object::new();
        match &self.material {
            KeyMaterial::Ec(key) => {
                required.text("crv", key.curve().name());
                required.text("kty", "EC");
                required.number("x", key.x());
                required.number("y", key.y());
            }
            KeyMaterial::Okp(key) => {
                required.text("crv", key.curve().name());
                required.text("kty", "OKP");
                required.number("x", key.x());
            }
            KeyMaterial::Rsa(key) => {
                required.number("e", key.e());
                required.text("kty", "RSA");
                required.number("n", key.n());
            }
            KeyMaterial::Oct(key) => {
                required.number("k", key.bytes());
                required.text("kty", "oct");
            }
        }
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, required.finish().as_bytes()).as_ref());
        out
    }

    /// The SHA-256 thumbprint in base64url: 43 characters.
    pub fn thumbprint(&self) -> String {
        BASE64URL_NOPAD.encode(&self.thumbprint_bytes())
    }

    fn write(&self, out: &mut Object) {
        let kty = match &self.material {
            KeyMaterial::Ec(_) => "EC",
            KeyMaterial::Okp(_) => "OKP",
            KeyMaterial::Rsa(_) => "RSA",
            KeyMaterial::Oct(_) => "oct",
        };
        out.text("kty", kty);
        if let Some(kid) = &self.kid {
            out.quoted("kid", kid);
        }
        if let Some(purpose) = self.purpose {
            out.text("use", purpose.name());
        }
        if let Some(operations) = &self.operations {
            let named = |(operation, name): &(KeyOperation, &'static str)| {
                operations.contains(operation).then(|| format!("\"{name}\""))
            };
            let names: Vec<String> = KeyOperation::ALL.iter().filter_map(named).collect();
            out.raw("key_ops", &format!("[{}]", names.join(",")));
        }
        if let Some(alg) = self.alg {
            out.text("alg", alg.name());
        }
        self.write_material(out);
    }

    fn write_material(&self, out: &mut Object) {
        match &self.material {
            KeyMaterial::Ec(key) => {
                out.text("crv", key.curve().name());
                out.number("x", key.x());
                out.number("y", key.y());
                if let Some(d) = key.d() {
                    out.number("d", d);
                }
            }
            KeyMaterial::Okp(key) => {
                out.text("crv", key.curve().name());
                out.number("x", key.x());
                if let Some(d) = key.d() {
                    out.number("d", d.as_slice());
                }
            }
            KeyMaterial::Rsa(key) => {
                out.number("n", key.n());
                out.number("e", key.e());
                for (name, number) in key.private_numbers().into_iter().flatten() {
                    out.number(name, number);
                }
            }
            KeyMaterial::Oct(key) => out.number("k", key.bytes()),
        }
    }
}

/// A JSON object that is being written, wiped when dropped. It never grows beyond its first allocation, so that no copy
/// of a secret stays behind.
struct Object(Zeroizing<String>);

impl Object {
    /// Room for a 4096-bit private RSA key with the longest id (each byte of which may need six).
    const ROOM: usize = 8 * 1024;

    fn new() -> Self {
        let mut text = Zeroizing::new(String::with_capacity(Self::ROOM));
        text.push('{');
        Object(text)
    }

    /// A value that needs no escaping.
    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push('"');
        self.0.push_str(value);
        self.0.push('"');
    }

    fn number(&mut self, name: &str, bytes: &[u8]) {
        self.name(name);
        self.0.push('"');
        BASE64URL_NOPAD.encode_append(bytes, &mut self.0);
        self.0.push('"');
    }

    fn quoted(&mut self, name: &str, value: &str) {
        self.raw(name, &serde_json::Value::from(value).to_string());
    }

    fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.push_str(json);
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn finish(mut self) -> Zeroizing<String> {
        self.0.push('}');
        self.0
    }
}

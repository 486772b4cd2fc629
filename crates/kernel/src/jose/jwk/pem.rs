//! Keys as PEM text (RFC 7468): PKCS#8, `SubjectPublicKeyInfo`, SEC 1 and PKCS#1 in; PKCS#8 and `SubjectPublicKeyInfo` out.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey, RsaKeyPair};
use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::generate::{ec_key, okp_key};
use super::{EcCurve, EcKey, Jwk, KeyError, KeyMaterial, MAX_KEY_LEN, OkpCurve, OkpKey, RsaKey, der};

/// What stands before the 32 private bytes in a PKCS#8 document of an X25519 key (RFC 8410 §7).
const X25519_PRIVATE: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];
/// What stands before the 32 bytes of a public Ed25519 key (RFC 8410 §4).
const ED25519_PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// What stands before the 32 bytes of a public X25519 key (RFC 8410 §4).
const X25519_PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0];

impl Jwk {
    /// Reads a private or public key. The text holds that one key; text before and after it, and the block of curve
    /// parameters some tools write first, are passed over. Encrypted keys and certificates are not read.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.len() > MAX_KEY_LEN {
            return Err(KeyError::TooLong);
        }
        let mut rest = pem;
        loop {
            let (label, document, after) = block(rest)?;
            let material = match label {
                // What follows a document belongs to no key; the library would pass over it.
                "PRIVATE KEY" | "PUBLIC KEY" | "RSA PUBLIC KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY"
                    if !der::is_whole(&document) =>
                {
                    Err(KeyError::NotAKey)
                }
                "PRIVATE KEY" => from_pkcs8(&document),
                "PUBLIC KEY" => from_spki(&document),
                "RSA PUBLIC KEY" => RsaKey::from_public_der(&document).map(KeyMaterial::Rsa),
                "RSA PRIVATE KEY" => RsaKeyPair::from_der(&document)
                    .map_err(|_| KeyError::NotAKey)
                    .and_then(|pair| RsaKey::from_pair(&pair))
                    .map(KeyMaterial::Rsa),
                "EC PRIVATE KEY" => from_sec1(&document),
                "EC PARAMETERS" => {
                    rest = after;
                    continue;
                }
                "ENCRYPTED PRIVATE KEY" => Err(KeyError::Pem("the key is encrypted; decrypt it first")),
                "CERTIFICATE" => Err(KeyError::Pem("this is a certificate; extract its public key first")),
                _ => Err(KeyError::Pem("the label is that of no key")),
            };
            if block(after).is_ok() {
                return Err(KeyError::Pem("there is more than one key"));
            }
            return material.map(Jwk::bare);
        }
    }

    /// Reads a public key from the DER document of a `SubjectPublicKeyInfo`, such as that in a certificate.
    pub fn from_spki(document: &[u8]) -> Result<Self, KeyError> {
        match der::is_whole(document) {
            true => from_spki(document).map(Jwk::bare),
            false => Err(KeyError::NotAKey),
        }
    }

    /// The public key as `SubjectPublicKeyInfo`. A shared secret has no such form.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let document = match &self.material {
            KeyMaterial::Ec(key) => ParsedPublicKey::new(key.curve().verification(), key.point())
                .map_err(|_| KeyError::NotAKey)
                .and_then(|key| AsDer::as_der(&key).map_err(|_| KeyError::NotAKey))?
                .as_ref()
                .to_vec(),
            KeyMaterial::Okp(key) => match key.curve() {
                OkpCurve::Ed25519 => [&ED25519_PUBLIC[..], key.x()].concat(),
                OkpCurve::X25519 => [&X25519_PUBLIC[..], key.x()].concat(),
            },
            KeyMaterial::Rsa(key) => key.spki()?,
            KeyMaterial::Oct(_) => return Err(KeyError::Purpose("a shared secret has no PEM form")),
        };
        Ok(String::clone(&armoured("PUBLIC KEY", &document)))
    }

    /// The private key as PKCS#8.
    pub fn to_private_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let document = match &self.material {
            KeyMaterial::Ec(key) => {
                let d = key.d().ok_or(KeyError::NotPrivate)?;
                let pair =
                    EcdsaKeyPair::from_private_key_and_public_key(key.curve().signing(), d, key.point());
                let document = pair.map_err(|_| KeyError::NotAKey)?.to_pkcs8v1();
                Zeroizing::new(document.map_err(|_| KeyError::NotAKey)?.as_ref().to_vec())
            }
            KeyMaterial::Okp(key) => {
                let d = key.d().ok_or(KeyError::NotPrivate)?;
                match key.curve() {
                    OkpCurve::Ed25519 => {
                        let pair = Ed25519KeyPair::from_seed_unchecked(&**d);
                        let document = pair.map_err(|_| KeyError::NotAKey)?.to_pkcs8v1();
                        Zeroizing::new(document.map_err(|_| KeyError::NotAKey)?.as_ref().to_vec())
                    }
                    OkpCurve::X25519 => Zeroizing::new([&X25519_PRIVATE[..], d.as_slice()].concat()),
                }
            }
            KeyMaterial::Rsa(key) => key.pkcs8().ok_or(KeyError::NotPrivate)?.clone(),
            KeyMaterial::Oct(_) => return Err(KeyError::Purpose("a shared secret has no PEM form")),
        };
        Ok(armoured("PRIVATE KEY", &document))
    }
}

/// The document names its own kind; the library says which of ours it is.
fn from_pkcs8(document: &[u8]) -> Result<KeyMaterial, KeyError> {
    if let Ok(pair) = RsaKeyPair::from_pkcs8(document) {
        return RsaKey::from_pair(&pair).map(KeyMaterial::Rsa);
    }
    for curve in EcCurve::ALL {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(curve.signing(), document) {
            return ec_key(curve, &pair).map(KeyMaterial::Ec);
        }
    }
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8(document) {
        let seed = pair.seed().map_err(|_| KeyError::NotAKey)?;
        let bytes = aws_lc_rs::encoding::AsBigEndian::as_be_bytes(&seed).map_err(|_| KeyError::NotAKey)?;
        return okp_from(OkpCurve::Ed25519, bytes.as_ref());
    }
    match document.strip_prefix(&X25519_PRIVATE) {
        Some(bytes) => okp_from(OkpCurve::X25519, bytes),
        None => Err(KeyError::NotAKey),
    }
}

fn okp_from(curve: OkpCurve, bytes: &[u8]) -> Result<KeyMaterial, KeyError> {
    let mut d = Zeroizing::new([0; 32]);
    if bytes.len() != d.len() {
        return Err(KeyError::NotAKey);
    }
    d.copy_from_slice(bytes);
    okp_key(curve, d).map(KeyMaterial::Okp)
}

/// RFC 5915. The curve is named inside, so that only the right one is taken.
fn from_sec1(document: &[u8]) -> Result<KeyMaterial, KeyError> {
    for curve in EcCurve::ALL {
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve.signing(), document) {
            return ec_key(curve, &pair).map(KeyMaterial::Ec);
        }
    }
    Err(KeyError::NotAKey)
}

fn from_spki(document: &[u8]) -> Result<KeyMaterial, KeyError> {
    match RsaKey::from_public_der(document) {
        // It may be another kind of key.
        Err(KeyError::NotAKey) => {}
        read => return read.map(KeyMaterial::Rsa),
    }
    for curve in EcCurve::ALL {
        if let Ok(key) = ParsedPublicKey::new(curve.verification(), document) {
            // Written again by the library, it ends with the uncompressed point (RFC 5480 §2).
            let written = AsDer::as_der(&key).map_err(|_| KeyError::NotAKey)?;
            let start = written.as_ref().len().checked_sub(1 + 2 * curve.size()).ok_or(KeyError::NotAKey)?;
            let (_, point) = written.as_ref().split_at_checked(start).ok_or(KeyError::NotAKey)?;
            return EcKey::new(curve, point, None).map(KeyMaterial::Ec);
        }
    }
    for (curve, prefix) in [(OkpCurve::Ed25519, ED25519_PUBLIC), (OkpCurve::X25519, X25519_PUBLIC)] {
        if let Some(Ok(x)) = document.strip_prefix(&prefix).map(<[u8; 32]>::try_from) {
            return OkpKey::new(curve, x, None).map(KeyMaterial::Okp);
        }
    }
    Err(KeyError::NotAKey)
}

/// The first block of the text: its label, its content, and the text after it.
fn block(text: &str) -> Result<(&str, Zeroizing<Vec<u8>>, &str), KeyError> {
    const NOT_PEM: KeyError = KeyError::Pem("there is no complete block of BEGIN and END lines");
    let (_, text) = text.split_once("-----BEGIN ").ok_or(NOT_PEM)?;
    let (label, text) = text.split_once("-----").ok_or(NOT_PEM)?;
    let (body, text) = text.split_once("-----END ").ok_or(NOT_PEM)?;
    let (end, after) = text.split_once("-----").ok_or(NOT_PEM)?;
    if end != label {
        return Err(KeyError::Pem("the labels of BEGIN and END differ"));
    }
    if body.contains(':') {
        return Err(KeyError::Pem("the key is encrypted; decrypt it first"));
    }
    let mut dense = Zeroizing::new(Vec::with_capacity(body.len()));
    dense.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let document = BASE64.decode(&dense).map_err(|_| KeyError::Pem("the content is not base64"))?;
    Ok((label, Zeroizing::new(document), after))
}

fn armoured(label: &str, document: &[u8]) -> Zeroizing<String> {
    // Enough for text and labels, so that it never moves and leaves no copy.
    let mut text = Zeroizing::new(String::with_capacity(document.len() * 3 / 2 + 128));
    for part in ["-----BEGIN ", label, "-----\n"] {
        text.push_str(part);
    }
    for line in document.chunks(48) {
        BASE64.encode_append(line, &mut text);
        text.push('\n');
    }
    for part in ["-----END ", label, "-----\n"] {
        text.push_str(part);
    }
    text
}

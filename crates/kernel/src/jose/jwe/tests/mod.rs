mod attacks;
mod examples;
mod keys;
mod limits;
mod rfc7520;
mod round_trips;
mod vectors;

use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::*;
use crate::jose::alg::KeyAlgorithm;
use crate::jose::jwk::{EcCurve, Jwk, KeyMaterial, OkpCurve};
use crate::secret::SeededEntropy;

/// A reader that takes everything there is.
pub(super) const EVERYTHING: Allowed<'static> =
    Allowed { algorithms: KeyManagementAlgorithm::ALL, encryptions: ContentEncryption::ALL };

/// The keys that tests of every algorithm go through: all kinds that fit it. Made once, since RSA keys take long.
fn keys_for(algorithm: KeyManagementAlgorithm, encryption: ContentEncryption) -> Vec<Jwk> {
    static RSA: OnceLock<Jwk> = OnceLock::new();
    static CURVES: OnceLock<Vec<Jwk>> = OnceLock::new();
    match algorithm {
        KeyManagementAlgorithm::RsaOaep256 => {
            vec![RSA.get_or_init(|| Jwk::generate_rsa(2048).unwrap().with_kid("rsa")).clone()]
        }
        KeyManagementAlgorithm::EcdhEs
        | KeyManagementAlgorithm::EcdhEsA128Kw
        | KeyManagementAlgorithm::EcdhEsA256Kw => CURVES
            .get_or_init(|| {
                vec![
                    Jwk::generate_ec(EcCurve::P256).unwrap().with_kid("p256"),
                    Jwk::generate_ec(EcCurve::P384).unwrap().with_kid("p384"),
                    Jwk::generate_ec(EcCurve::P521).unwrap().with_kid("p521"),
                    Jwk::generate_okp(OkpCurve::X25519, &SeededEntropy::new(3)).unwrap().with_kid("x25519"),
                ]
            })
            .clone(),
        KeyManagementAlgorithm::A256Kw => {
            vec![Jwk::generate_oct(32, &SeededEntropy::new(4)).unwrap().with_kid("kw")]
        }
        KeyManagementAlgorithm::Dir => {
            let key = Jwk::generate_oct(encryption.key_size(), &SeededEntropy::new(5)).unwrap();
            vec![key.for_algorithm(KeyAlgorithm::Content(encryption)).unwrap().with_kid("direct")]
        }
    }
}

/// All pairs of algorithms with all keys that fit them.
fn all_kinds() -> Vec<(KeyManagementAlgorithm, ContentEncryption, Jwk)> {
    let pairs = KeyManagementAlgorithm::ALL
        .iter()
        .flat_map(|algorithm| ContentEncryption::ALL.iter().map(|encryption| (*algorithm, *encryption)));
    pairs
        .flat_map(|(algorithm, encryption)| {
            keys_for(algorithm, encryption).into_iter().map(move |key| (algorithm, encryption, key))
        })
        .collect()
}

/// What the sender has of a key: the public part, or the shared secret.
fn senders(key: &Jwk) -> Jwk {
    key.public().unwrap_or_else(|| key.clone())
}

fn encrypt(
    algorithm: KeyManagementAlgorithm,
    encryption: ContentEncryption,
    key: &Jwk,
    plain: &[u8],
) -> String {
    let key = EncryptingKey::new(&senders(key), algorithm, encryption).unwrap();
    key.encrypt(plain, Labels::default(), &SeededEntropy::new(6)).unwrap()
}

fn decrypt(algorithm: KeyManagementAlgorithm, key: &Jwk, token: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let keys = [DecryptingKey::new(key, algorithm).unwrap()];
    Ok(parse(token)?.open(&keys, EVERYTHING, &SeededEntropy::new(7))?)
}

/// Either of the two ways in which a token fails.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    NotDecrypted(#[from] NotDecrypted),
}

const UNDECRYPTABLE: Failure = Failure::NotDecrypted(NotDecrypted::Undecryptable);

/// A token whose header is this text, with the other parts of `token`.
fn with_header(token: &str, header: &str) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", BASE64URL_NOPAD.encode(header.as_bytes()))
}

fn header_text(token: &str) -> String {
    let (header, _) = token.split_once('.').unwrap();
    String::from_utf8(BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.replace(char::is_whitespace, "").as_bytes()).unwrap()
}

fn b64(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
}

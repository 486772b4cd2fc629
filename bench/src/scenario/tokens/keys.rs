//! One key in two hands: the bare library's, and ours.

use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use data_encoding::BASE64URL_NOPAD;
use gateward_guard::SystemEntropy;
use gateward_kernel::jose::{Jwk, JwkSet, KeyAlgorithm, KeyMaterial, SignatureAlgorithm, Signer, SigningKey};

/// What people sign with.
pub(super) const ALGORITHMS: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::Es256, SignatureAlgorithm::EdDsa, SignatureAlgorithm::Rs256];

/// A key of one algorithm.
pub(super) struct Key {
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) raw: RawKey,
    pub(super) raw_public: ParsedPublicKey,
    /// As the mint has it: header encoded, key parsed.
    pub(super) signer: Signer,
    /// As a verifier is told it.
    pub(super) set: JwkSet,
}

impl Key {
    pub(super) fn generate(algorithm: SignatureAlgorithm) -> Result<Self> {
        let jwk = Jwk::generate(algorithm, &SystemEntropy)?
            .with_kid("bench")
            .for_algorithm(KeyAlgorithm::Signature(algorithm))?;
        let (raw, raw_public) = RawKey::of(&jwk)?;
        let public = jwk.public().context("there is no public part")?;
        let signer = Signer::new(SigningKey::new(&jwk, algorithm)?, "at+jwt");
        let set = JwkSet { keys: vec![public], skipped: Vec::new() };
        Ok(Self { algorithm, raw, raw_public, signer, set })
    }
}

/// The library's key, without anything around it.
pub(super) enum RawKey {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl RawKey {
    fn of(jwk: &Jwk) -> Result<(Self, ParsedPublicKey)> {
        let private = "there is no private part";
        match jwk.material() {
            KeyMaterial::Ec(key) => {
                let d = key.d().context(private)?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    d,
                    key.point(),
                );
                let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.point());
                Ok((Self::Ec(pair.map_err(rejected)?), public.map_err(rejected)?))
            }
            KeyMaterial::Okp(key) => {
                let d = key.d().context(private)?;
                let pair = Ed25519KeyPair::from_seed_and_public_key(&**d, key.x()).map_err(rejected)?;
                Ok((Self::Ed25519(pair), ParsedPublicKey::new(&ED25519, key.x()).map_err(rejected)?))
            }
            KeyMaterial::Rsa(key) => {
                let pair = RsaKeyPair::from_pkcs8(key.pkcs8().context(private)?).map_err(rejected)?;
                let public = RsaPublicKeyComponents { n: key.n(), e: key.e() }
                    .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                    .map_err(|error| anyhow!("{error}"))?;
                Ok((Self::Rsa(pair), public))
            }
            KeyMaterial::Oct(_) => bail!("a shared secret is no key pair"),
        }
    }

    /// Signs and throws the signature away.
    pub(super) fn sign(&self, random: &SystemRandom, message: &[u8]) -> Result<()> {
        let failed = |_| anyhow!("signing failed");
        match self {
            Self::Ec(pair) => {
                std::hint::black_box(pair.sign(random, message).map_err(failed)?);
            }
            Self::Ed25519(pair) => {
                std::hint::black_box(pair.try_sign(message).map_err(failed)?);
            }
            Self::Rsa(pair) => {
                let mut signature = [0; 256];
                pair.sign(&RSA_PKCS1_SHA256, random, message, &mut signature).map_err(failed)?;
                std::hint::black_box(signature);
            }
        }
        Ok(())
    }
}

fn rejected(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("the library does not take the key: {error}")
}

/// A token taken apart, as the bare library needs it.
pub(super) struct Parts {
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl Parts {
    pub(super) fn of(token: &str) -> Result<Self> {
        let (message, signature) = token.rsplit_once('.').context("a token has three parts")?;
        Ok(Self { message: message.into(), signature: BASE64URL_NOPAD.decode(signature.as_bytes())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hands_hold_the_same_key() {
        for algorithm in ALGORITHMS {
            let key = Key::generate(algorithm).unwrap();
            let parts = Parts::of(&key.signer.sign(b"{}").unwrap()).unwrap();
            assert!(key.raw_public.verify_sig(&parts.message, &parts.signature).is_ok());
            assert!(key.raw_public.verify_sig(b"other", &parts.signature).is_err());
            key.raw.sign(&SystemRandom::new(), &parts.message).unwrap();
        }
    }
}

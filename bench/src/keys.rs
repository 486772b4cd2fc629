//! One key in two hands: the bare library's, and ours.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use data_encoding::BASE64URL_NOPAD;
use gateward_guard::SystemEntropy;
use gateward_kernel::jose::{Jwk, JwkSet, KeyAlgorithm, KeyMaterial, SignatureAlgorithm, Signer, SigningKey};

use crate::load::Sample;
use crate::solo;

/// What people sign with.
pub(crate) const ALGORITHMS: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::Es256, SignatureAlgorithm::EdDsa, SignatureAlgorithm::Rs256];

/// What the results call signing by the library alone.
pub(crate) fn bare_signing(algorithm: &str) -> String {
    format!("{algorithm}, bare signing")
}

/// A key of one algorithm.
pub(crate) struct Key {
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) raw: RawKey,
    pub(crate) raw_public: ParsedPublicKey,
    /// As the mint has it: header encoded, key parsed.
    pub(crate) signer: Signer,
    /// As a verifier is told it.
    pub(crate) set: JwkSet,
}

impl Key {
    pub(crate) fn generate(algorithm: SignatureAlgorithm) -> Result<Self> {
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
pub(crate) enum RawKey {
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

    /// Signs these messages in turn for this long.
    pub(crate) fn keep_signing(&self, time: Duration, messages: &[Vec<u8>]) -> Result<Sample> {
        let random = SystemRandom::new();
        let mut messages = messages.iter().cycle();
        solo::repeat(time, |_| self.sign(&random, messages.next().context("there are messages")?))
    }

    /// Signs and throws the signature away.
    fn sign(&self, random: &SystemRandom, message: &[u8]) -> Result<()> {
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
pub(crate) struct Parts {
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Parts {
    pub(crate) fn of(token: &str) -> Result<Self> {
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

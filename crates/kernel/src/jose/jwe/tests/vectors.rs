//! Project Wycheproof's vectors for everything a JWE is put together of.

use aws_lc_rs::cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey};
use wycheproof::TestResult;

use super::super::agreement::{Curve, PrivateScalar, PublicPoint, Purpose};
use super::super::content::{ContentKey, iv_len};
use super::super::wrap::{aes_unwrap, aes_wrap, rsa_unwrap, rsa_wrap};
use super::*;
use crate::jose::jwk::MIN_RSA_BITS;

/// Whether a case ended as it must; those that may end either way have been checked otherwise.
fn check(result: TestResult, came_out_right: bool, case: usize, comment: &str) {
    match result {
        TestResult::Valid => assert!(came_out_right, "{case} ({comment}) must be accepted"),
        TestResult::Invalid => assert!(!came_out_right, "{case} ({comment}) must be refused"),
        TestResult::Acceptable => {}
    }
}

fn check_aead(name: wycheproof::aead::TestName, encryption: ContentEncryption, expected: usize) {
    let set = wycheproof::aead::TestSet::load(name).unwrap();
    let groups = set.test_groups.iter().filter(|group| {
        group.key_size == encryption.key_size() * 8 && group.nonce_size == iv_len(encryption) * 8
    });
    let mut count = 0;
    for test in groups.flat_map(|group| &group.tests) {
        let Some(key) = ContentKey::from_bytes(encryption, Zeroizing::new(test.key.to_vec())) else {
            assert!(test.result.must_fail());
            continue;
        };
        let opened = key.open(&test.nonce, &test.aad, Zeroizing::new(test.ct.to_vec()), &test.tag);
        let right = opened.is_ok_and(|plain| plain.as_slice() == test.pt.as_ref());
        check(test.result, right, test.tc_id, &test.comment);
        if test.result == TestResult::Valid {
            let sealed = key.seal(&test.nonce, &test.aad, &test.pt).unwrap();
            assert_eq!(
                (sealed.ciphertext, sealed.tag),
                (test.ct.to_vec(), test.tag.to_vec()),
                "{}",
                test.tc_id
            );
        }
        count += 1;
    }
    assert!(count >= expected, "only {count} cases");
}

#[test]
fn content_encryption() {
    use wycheproof::aead::TestName;
    check_aead(TestName::Aes128CbcHmacSha256, ContentEncryption::A128CbcHs256, 90);
    check_aead(TestName::Aes256CbcHmacSha512, ContentEncryption::A256CbcHs512, 90);
    check_aead(TestName::AesGcm, ContentEncryption::A128Gcm, 50);
    check_aead(TestName::AesGcm, ContentEncryption::A256Gcm, 50);
}

#[test]
fn block_padding() {
    use wycheproof::cipher::{TestName, TestSet};
    let set = TestSet::load(TestName::AesCbcPkcs5).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().filter(|group| group.key_size != 192).flat_map(|group| &group.tests) {
        let algorithm = if test.key.len() == 16 { &AES_128 } else { &AES_256 };
        let key = UnboundCipherKey::new(algorithm, &test.key).unwrap();
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).unwrap();
        let iv: [u8; 16] = test.nonce.as_ref().try_into().unwrap();
        let mut content = test.ct.to_vec();
        let plain = key.decrypt(&mut content, DecryptionContext::Iv128(FixedLength::from(iv)));
        let right = plain.is_ok_and(|plain| plain == test.pt.as_ref());
        check(test.result, right, test.tc_id, &test.comment);
        count += 1;
    }
    assert!(count >= 140, "only {count} cases");
}

#[test]
fn aes_key_wrap() {
    use wycheproof::keywrap::{TestName, TestSet};
    let set = TestSet::load(TestName::AesKeyWrap).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().filter(|group| group.key_size != 192).flat_map(|group| &group.tests) {
        let unwrapped = aes_unwrap(&test.key, &test.ct);
        let right = unwrapped.is_ok_and(|key| key.as_slice() == test.pt.as_ref());
        check(test.result, right, test.tc_id, &test.comment);
        if test.result == TestResult::Valid {
            assert_eq!(aes_wrap(&test.key, &test.pt).unwrap(), test.ct.to_vec(), "{}", test.tc_id);
        }
        count += 1;
    }
    assert!(count >= 100, "only {count} cases");
}

#[test]
fn rsa_oaep() {
    use wycheproof::HashFunction;
    use wycheproof::rsa_oaep::{TestName, TestSet};
    let mut count = 0;
    for name in [
        TestName::Rsa2048Sha256Mgf1Sha256,
        TestName::Rsa3072Sha256Mgf1Sha256,
        TestName::Rsa4096Sha256Mgf1Sha256,
        TestName::RsaMisc,
    ] {
        let set = TestSet::load(name).unwrap();
        let sha256 = (HashFunction::Sha2_256, HashFunction::Sha2_256);
        let fits = |group: &&wycheproof::rsa_oaep::TestGroup| {
            (group.hash, group.mgf_hash) == sha256 && group.key_size >= MIN_RSA_BITS
        };
        for group in set.test_groups.iter().filter(fits) {
            let private = PrivateDecryptingKey::from_pkcs8(&group.pkcs8).unwrap();
            let public = OaepPublicEncryptingKey::new(private.public_key()).unwrap();
            let private = OaepPrivateDecryptingKey::new(private).unwrap();
            // JOSE has no labels: what was made with one must not decrypt, as valid as it is.
            for test in &group.tests {
                let unwrapped = rsa_unwrap(&private, &test.ct);
                let right = unwrapped.is_ok_and(|key| key.as_slice() == test.pt.as_ref());
                let result = if test.label.is_empty() { test.result } else { TestResult::Invalid };
                check(result, right, test.tc_id, &test.comment);
                count += 1;
            }
            let wrapped = rsa_wrap(&public, b"a content key").unwrap();
            assert_eq!(rsa_unwrap(&private, &wrapped).unwrap().as_slice(), b"a content key");
        }
    }
    assert!(count >= 111, "only {count} cases");
}

const PURPOSE: Purpose<'static> = Purpose { algorithm: "A256GCM", apu: b"", apv: b"" };

/// Whether both sides come to this secret. Nobody but the key derivation sees it, so what is derived is compared.
fn agrees(own: Option<&PrivateScalar>, peer: Option<&PublicPoint>, secret: &[u8]) -> Option<bool> {
    let agreed = own?.agree(peer?, &PURPOSE, 32).ok()?;
    Some(agreed == PURPOSE.derive(secret, 32).unwrap())
}

#[test]
fn agreement_on_nist_curves() {
    use wycheproof::ecdh::{TestName, TestSet};
    for (name, curve, expected) in [
        (TestName::EcdhSecp256r1Ecpoint, EcCurve::P256, 350),
        (TestName::EcdhSecp384r1Ecpoint, EcCurve::P384, 780),
        (TestName::EcdhSecp521r1Ecpoint, EcCurve::P521, 650),
    ] {
        let set = TestSet::load(name).unwrap();
        let mut count = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            // Big-endian numbers, as long as they happen to be: JOSE writes them in full size.
            let zeros = test.private_key.iter().take_while(|byte| **byte == 0).count();
            let number = &test.private_key[zeros..];
            let mut d = vec![0; curve.size().saturating_sub(number.len())];
            d.extend_from_slice(number);
            let own = PrivateScalar::new(Curve::Ec(curve), &d);
            let peer = PublicPoint::new(Curve::Ec(curve), &test.public_key);
            let right = agrees(own.as_ref(), peer.as_ref(), &test.shared_secret);
            assert_ne!(right, Some(false), "{} comes to another secret", test.tc_id);
            check(test.result, right == Some(true), test.tc_id, &test.comment);
            count += 1;
        }
        assert!(count >= expected, "only {count} cases");
    }
}

#[test]
fn agreement_on_x25519() {
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    let set = TestSet::load(TestName::X25519).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let own = PrivateScalar::new(Curve::X25519, &test.private_key);
        let peer = PublicPoint::new(Curve::X25519, &test.public_key);
        let right = agrees(own.as_ref(), peer.as_ref(), &test.shared_secret);
        assert_ne!(right, Some(false), "{} comes to another secret", test.tc_id);
        // RFC 8037 §3.2 and its security considerations: a secret of zeros is nobody's secret.
        let zero = test.flags.contains(&TestFlag::ZeroSharedSecret);
        check(
            if zero { TestResult::Invalid } else { test.result },
            right == Some(true),
            test.tc_id,
            &test.comment,
        );
        count += 1;
    }
    assert!(count >= 500, "only {count} cases");
}

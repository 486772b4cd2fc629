//! Project Wycheproof: signatures with traps in them. Keys come in as PEM or bytes, as they would from outside.

use gateward_kernel::jose::{Jwk, SignatureAlgorithm, VerifyingKey};
use wycheproof::TestResult;

/// Holds one verdict against what is right. Where both are acceptable, both are.
fn judge(name: &str, id: usize, expected: TestResult, accepted: bool, counts: &mut (usize, usize)) {
    match expected {
        TestResult::Valid => {
            assert!(accepted, "{name} #{id} is right and was refused");
            counts.0 += 1;
        }
        TestResult::Invalid => {
            assert!(!accepted, "{name} #{id} is wrong and was accepted");
            counts.1 += 1;
        }
        TestResult::Acceptable => {}
    }
}

/// Runs every case of the sets; hands back how many were right and wrong.
macro_rules! run {
    ($module:ident: $($set:ident as $algorithm:ident,)+) => {{
        let mut counts = (0, 0);
        $({
            let set = wycheproof::$module::TestSet::load(wycheproof::$module::TestName::$set).unwrap();
            for group in &set.test_groups {
                let key = Jwk::from_pem(&group.pem).unwrap();
                let key = VerifyingKey::new(&key, SignatureAlgorithm::$algorithm).unwrap();
                for test in &group.tests {
                    let accepted = key.verifies(&test.msg, &test.sig);
                    judge(stringify!($set), test.tc_id, test.result, accepted, &mut counts);
                }
            }
        })+
        counts
    }};
}

#[test]
fn ecdsa() {
    let (right, wrong) = run!(ecdsa:
        EcdsaSecp256r1Sha256P1363 as Es256,
        EcdsaSecp384r1Sha384P1363 as Es384,
        EcdsaSecp521r1Sha512P1363 as Es512,
    );
    assert!(right > 500 && wrong > 200, "{right} and {wrong}");
}

#[test]
fn rsa_pkcs1() {
    let (right, wrong) = run!(rsa_pkcs1_verify:
        Rsa2048Sha256 as Rs256,
        Rsa2048Sha384 as Rs384,
        Rsa2048Sha512 as Rs512,
        Rsa3072Sha256 as Rs256,
        Rsa3072Sha384 as Rs384,
        Rsa3072Sha512 as Rs512,
        Rsa4096Sha256 as Rs256,
        Rsa4096Sha384 as Rs384,
        Rsa4096Sha512 as Rs512,
        Rsa8192Sha256 as Rs256,
        Rsa8192Sha384 as Rs384,
        Rsa8192Sha512 as Rs512,
    );
    assert!(right > 50 && wrong > 2_000, "{right} and {wrong}");
}

#[test]
fn rsa_pss() {
    let (right, wrong) = run!(rsa_pss_verify:
        RsaPss2048Sha256Mgf1SaltLen32 as Ps256,
        RsaPss3072Sha256Mgf1SaltLen32 as Ps256,
        RsaPss4096Sha256Mgf1SaltLen32 as Ps256,
        RsaPss2048Sha384Mgf1SaltLen48 as Ps384,
        RsaPss4096Sha384Mgf1SaltLen48 as Ps384,
        RsaPss4096Sha512Mgf1SaltLen64 as Ps512,
    );
    assert!(right > 100 && wrong > 100, "{right} and {wrong}");
}

/// RFC 7518 §3.5: the salt is as long as the hash. Signatures with other salts, right by themselves, are none of ours.
#[test]
fn rsa_pss_with_other_salts_is_refused() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let mut count = 0;
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen0, SignatureAlgorithm::Ps256),
        (TestName::RsaPss2048Sha256Mgf1Sha1_20, SignatureAlgorithm::Ps256),
        (TestName::RsaPss4096Sha512Mgf1SaltLen32, SignatureAlgorithm::Ps512),
    ] {
        for group in &TestSet::load(name).unwrap().test_groups {
            let key = VerifyingKey::new(&Jwk::from_pem(&group.pem).unwrap(), algorithm).unwrap();
            for test in &group.tests {
                if test.result == TestResult::Valid {
                    assert!(!key.verifies(&test.msg, &test.sig), "{name:?} #{}", test.tc_id);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn eddsa() {
    let (right, wrong) = run!(eddsa: Ed25519 as EdDsa,);
    assert!(right > 50 && wrong > 50, "{right} and {wrong}");
}

/// Secrets shorter than the hash and shortened tags, which Wycheproof also has, are refused whatever they are.
#[test]
fn hmac() {
    use wycheproof::mac::{TestName, TestSet};
    let mut counts = (0, 0);
    let mut refused = 0;
    for (name, algorithm) in [
        (TestName::HmacSha256, SignatureAlgorithm::Hs256),
        (TestName::HmacSha384, SignatureAlgorithm::Hs384),
        (TestName::HmacSha512, SignatureAlgorithm::Hs512),
    ] {
        for group in &TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let key = Jwk::from_secret(&test.key).and_then(|key| VerifyingKey::new(&key, algorithm));
                let Ok(key) = key else {
                    refused += 1;
                    continue;
                };
                let full = group.tag_size == 8 * hash_len(algorithm);
                let expected = if full { test.result } else { TestResult::Invalid };
                judge(
                    algorithm.name(),
                    test.tc_id,
                    expected,
                    key.verifies(&test.msg, &test.tag),
                    &mut counts,
                );
            }
        }
    }
    assert!(counts.0 > 50 && counts.1 > 100 && refused > 10, "{counts:?} {refused}");
}

const fn hash_len(algorithm: SignatureAlgorithm) -> usize {
    match algorithm {
        SignatureAlgorithm::Hs256 => 32,
        SignatureAlgorithm::Hs384 => 48,
        _ => 64,
    }
}

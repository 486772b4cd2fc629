//! The examples of the RFCs.

use super::super::agreement::{Curve, PrivateScalar, PublicPoint, Purpose};
use super::super::content::ContentKey;
use super::super::wrap::{aes_unwrap, aes_wrap};
use super::rfc7520::{self, Example};
use super::*;

fn content_key(encryption: ContentEncryption, bytes: &[u8]) -> ContentKey {
    ContentKey::from_bytes(encryption, Zeroizing::new(bytes.to_vec())).unwrap()
}

/// Sealing yields the example's bytes, and opening them its content.
fn check_content(key: &ContentKey, iv: &[u8], aad: &[u8], plain: &[u8], ciphertext: &[u8], tag: &[u8]) {
    let sealed = key.seal(iv, aad, plain).unwrap();
    assert_eq!((sealed.ciphertext.as_slice(), sealed.tag.as_slice()), (ciphertext, tag));
    let opened = key.open(iv, aad, Zeroizing::new(ciphertext.to_vec()), tag).unwrap();
    assert_eq!(opened.as_slice(), plain);
}

/// RFC 7516 appendix A.1: its key encryption is not in the list, its content encryption is.
#[test]
fn rfc7516_a1_content() {
    let key = [
        177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110, 91, 112, 46,
        34, 105, 47, 130, 203, 46, 122, 234, 64, 252,
    ];
    check_content(
        &content_key(ContentEncryption::A256Gcm, &key),
        &[227, 197, 117, 252, 2, 219, 233, 68, 180, 225, 77, 219],
        b"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ",
        b"The true sign of intelligence is not knowledge but imagination.",
        &b64("5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A"),
        &b64("XFBoMYUZodetZdvTiFvSkQ"),
    );
}

/// RFC 7516 appendices A.2 and A.3 share everything but the key encryption; that of A.3 is AES key wrap.
#[test]
fn rfc7516_a2_and_a3_content_and_wrapped_key() {
    let cek = [
        4, 211, 31, 197, 84, 157, 252, 254, 11, 100, 157, 250, 63, 170, 106, 206, 107, 124, 212, 45, 111,
        107, 9, 219, 200, 177, 0, 240, 143, 156, 44, 207,
    ];
    let key = content_key(ContentEncryption::A128CbcHs256, &cek);
    let iv = [3, 22, 60, 12, 43, 67, 104, 105, 108, 108, 105, 99, 111, 116, 104, 101];
    let ciphertext = b64("KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY");
    for (header, tag) in [
        ("eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0", "9hH0vgRfYgPnAHOd8stkvw"),
        ("eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0", "U0m_YmjN04DJvceFICbCVQ"),
    ] {
        check_content(&key, &iv, header.as_bytes(), b"Live long and prosper.", &ciphertext, &b64(tag));
    }
    let kek = b64("GawgguFyGrWKav7AX4VKUg");
    let wrapped = b64("6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ");
    assert_eq!(aes_wrap(&kek, &cek).unwrap(), wrapped);
    assert_eq!(aes_unwrap(&kek, &wrapped).unwrap().as_slice(), cek);
}

const KERCKHOFFS: &[u8] =
    b"A cipher system must not be required to be secret, and it must be able to fall into \
    the hands of the enemy without inconvenience";
const KERCKHOFFS_AAD: &[u8] = b"The second principle of Auguste Kerckhoffs";
const KERCKHOFFS_IV: &str = "1af38c2dc2b96ffdd86694092341bc04";

/// RFC 7518 appendix B.1.
#[test]
fn rfc7518_b1() {
    check_content(
        &content_key(ContentEncryption::A128CbcHs256, &(0..32).collect::<Vec<u8>>()),
        &hex(KERCKHOFFS_IV),
        KERCKHOFFS_AAD,
        KERCKHOFFS,
        &hex("c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2
              fc6f9b3f399a221489f16362c703233609d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b
              384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade54b8851ffb598f7f80074b9473c82e2db"),
        &hex("652c3fa36b0a7c5b3219fab3a30bc1c4"),
    );
}

/// RFC 7518 appendix B.3.
#[test]
fn rfc7518_b3() {
    check_content(
        &content_key(ContentEncryption::A256CbcHs512, &(0..64).collect::<Vec<u8>>()),
        &hex(KERCKHOFFS_IV),
        KERCKHOFFS_AAD,
        KERCKHOFFS,
        &hex("4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd822c301dd67c373bccb584ad3e9279c2
              e6d12a1374b77f077553df829410446b36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3
              a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950bbe2638d09dd7a4930930806d0703b1f6"),
        &hex("4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5"),
    );
}

/// RFC 7518 appendix C: both sides come to the key of the example.
#[test]
fn rfc7518_c() {
    let alice = r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps","d":"0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"}"#;
    let bob = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}"#;
    let purpose = Purpose { algorithm: "A128GCM", apu: b"Alice", apv: b"Bob" };
    for (own, peer) in [(alice, bob), (bob, alice)] {
        let own = PrivateScalar::of(Jwk::from_json(own.as_bytes()).unwrap().material()).unwrap();
        let peer = PublicPoint::of(Jwk::from_json(peer.as_bytes()).unwrap().material()).unwrap();
        let agreed = own.agree(&peer, &purpose, 16).unwrap();
        assert_eq!(BASE64URL_NOPAD.encode(&agreed), "VqqN6vgjbSBcIijNcacQGg");
    }
}

/// RFC 8037 appendix A.6 gives the keys, the `epk` and the secret both sides come to.
#[test]
fn rfc8037_a6() {
    let bob = PublicPoint::new(Curve::X25519, &b64("3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08")).unwrap();
    let ephemeral = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let ephemeral = PrivateScalar::new(Curve::X25519, &ephemeral).unwrap();
    assert_eq!(
        serde_json::to_string(&ephemeral.epk().unwrap()).unwrap(),
        r#"{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}"#
    );
    let purpose = Purpose { algorithm: "ECDH-ES+A128KW", apu: b"", apv: b"" };
    let secret = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    let derived = purpose.derive(&secret, 16).unwrap();
    assert_eq!(ephemeral.agree(&bob, &purpose, 16).unwrap(), derived);
}

fn check_token(example: &Example, algorithm: KeyManagementAlgorithm, encryption: ContentEncryption) {
    let key = Jwk::from_json(example.key.as_bytes()).unwrap();
    assert_eq!(decrypt(algorithm, &key, example.token).unwrap().as_slice(), rfc7520::PLAIN.as_bytes());
    let header = parse(example.token).unwrap().header().clone();
    assert_eq!((header.alg(), header.enc(), header.kid()), (algorithm, encryption, key.kid()));
    // The last byte of the tag makes the difference.
    let (rest, tag) = example.token.rsplit_once('.').unwrap();
    let mut tag = b64(tag);
    *tag.last_mut().unwrap() ^= 1;
    let changed = format!("{rest}.{}", BASE64URL_NOPAD.encode(&tag));
    assert_eq!(decrypt(algorithm, &key, &changed), Err(UNDECRYPTABLE));
}

#[test]
fn rfc7520_tokens() {
    use {ContentEncryption as Enc, KeyManagementAlgorithm as Alg};
    check_token(&rfc7520::ECDH_ES_A128KW_A128GCM, Alg::EcdhEsA128Kw, Enc::A128Gcm);
    check_token(&rfc7520::ECDH_ES_A128CBC_HS256, Alg::EcdhEs, Enc::A128CbcHs256);
    check_token(&rfc7520::DIR_A128GCM, Alg::Dir, Enc::A128Gcm);
}

/// RFC 7520 §5.6 and §5.8 have nothing random but the values they give: made again, they are the same.
#[test]
fn rfc7520_reproducible() {
    for example in [&rfc7520::DIR_A128GCM, &rfc7520::A128KW_A128GCM] {
        let key: serde_json::Value = serde_json::from_str(example.key).unwrap();
        let key = b64(key["k"].as_str().unwrap());
        let parts: Vec<&str> = example.token.split('.').collect();
        let cek = match parts[1] {
            "" => key,
            wrapped => {
                let cek = aes_unwrap(&key, &b64(wrapped)).unwrap();
                assert_eq!(BASE64URL_NOPAD.encode(&cek), "aY5_Ghmk9KxWPBLu_glx1w");
                assert_eq!(aes_wrap(&key, &cek).unwrap(), b64(wrapped));
                cek.to_vec()
            }
        };
        check_content(
            &content_key(ContentEncryption::A128Gcm, &cek),
            &b64(parts[2]),
            parts[0].as_bytes(),
            rfc7520::PLAIN.as_bytes(),
            &b64(parts[3]),
            &b64(parts[4]),
        );
    }
}

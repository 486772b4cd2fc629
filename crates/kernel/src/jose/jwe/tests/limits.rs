//! Limits: at them, below and above.

use super::*;
use crate::jose::jwk::MAX_KID_LEN;

const ALGORITHM: KeyManagementAlgorithm = KeyManagementAlgorithm::Dir;

fn key(encryption: ContentEncryption) -> Jwk {
    keys_for(ALGORITHM, encryption).remove(0)
}

/// How many bytes of content make a token of at most [`MAX_TOKEN_LEN`] characters.
#[test]
fn tokens_have_a_largest_size() {
    for encryption in ContentEncryption::ALL {
        let key = key(*encryption);
        let to = EncryptingKey::new(&key, ALGORITHM, *encryption).unwrap();
        let make = |length: usize| to.encrypt(&vec![7; length], Labels::default(), &SeededEntropy::new(1));
        // Halves what lies between a length that fits and one that does not.
        let (mut most, mut too_many) = (0, MAX_TOKEN_LEN);
        while too_many - most > 1 {
            let middle = most.midpoint(too_many);
            if make(middle).is_ok() {
                most = middle;
            } else {
                too_many = middle;
            }
        }
        let token = make(most).unwrap();
        // A CBC block more is 21 or 22 characters more.
        assert!((MAX_TOKEN_LEN - 22..=MAX_TOKEN_LEN).contains(&token.len()), "{}", token.len());
        assert_eq!(decrypt(ALGORITHM, &key, &token).unwrap().len(), most);
        assert_eq!(make(most + 1), Err(NotEncrypted::TooLong));
        assert_eq!(make(MAX_TOKEN_LEN), Err(NotEncrypted::TooLong));
        assert_eq!(make(1 << 20), Err(NotEncrypted::TooLong));
    }
}

#[test]
fn longer_tokens_are_refused_unread() {
    let key = key(ContentEncryption::A128Gcm);
    let token = encrypt(ALGORITHM, ContentEncryption::A128Gcm, &key, b"content");
    let parts: Vec<&str> = token.split('.').collect();
    let of_length = |length: usize| {
        let others: usize = parts[0].len() + parts[2].len() + parts[4].len() + 4;
        format!("{}..{}.{}.{}", parts[0], parts[2], "A".repeat(length - others), parts[4])
    };
    for length in [MAX_TOKEN_LEN - 1, MAX_TOKEN_LEN] {
        assert_eq!(decrypt(ALGORITHM, &key, &of_length(length)), Err(UNDECRYPTABLE));
    }
    assert_eq!(parse(&of_length(MAX_TOKEN_LEN + 1)).err(), Some(Malformed::TooLong));
    assert_eq!(parse(&".".repeat(MAX_TOKEN_LEN + 1)).err(), Some(Malformed::TooLong));
    assert_eq!(parse(&".".repeat(MAX_TOKEN_LEN)).err(), Some(Malformed::Parts));
}

#[test]
fn headers_have_a_largest_size() {
    let key = key(ContentEncryption::A128Gcm);
    let token = encrypt(ALGORITHM, ContentEncryption::A128Gcm, &key, b"content");
    let header = header_text(&token);
    let of_length = |length: usize| {
        let filler = "a".repeat(length - header.len() - r#","x":"""#.len());
        header.replace('}', &format!(r#","x":"{filler}"}}"#))
    };
    for (length, refused) in
        [(MAX_HEADER_LEN - 1, None), (MAX_HEADER_LEN, None), (MAX_HEADER_LEN + 1, Some(Malformed::Header))]
    {
        assert_eq!(of_length(length).len(), length);
        assert_eq!(parse(&with_header(&token, &of_length(length))).err(), refused);
    }
    let to = EncryptingKey::new(&key, ALGORITHM, ContentEncryption::A128Gcm).unwrap();
    let bare = header.len() + r#","typ":"""#.len();
    for (length, fits) in [(MAX_HEADER_LEN - 1, true), (MAX_HEADER_LEN, true), (MAX_HEADER_LEN + 1, false)] {
        let typ = "t".repeat(length - bare);
        let made = to.encrypt(b"", Labels { typ: Some(&typ), cty: None }, &SeededEntropy::new(1));
        match made {
            Ok(token) => assert!(fits && decrypt(ALGORITHM, &key, &token).is_ok()),
            Err(reason) => assert!(!fits && reason == NotEncrypted::TooLong),
        }
    }
}

#[test]
fn key_ids_have_a_largest_size() {
    let key = key(ContentEncryption::A128Gcm);
    let token = encrypt(ALGORITHM, ContentEncryption::A128Gcm, &key, b"content");
    for (length, refused) in
        [(MAX_KID_LEN - 1, None), (MAX_KID_LEN, None), (MAX_KID_LEN + 1, Some(Malformed::Header))]
    {
        let header = format!(r#"{{"alg":"dir","enc":"A128GCM","kid":"{}"}}"#, "k".repeat(length));
        assert_eq!(parse(&with_header(&token, &header)).err(), refused);
    }
}

/// Initialization vectors and tags have one length; a shortened tag would be guessed more easily.
#[test]
fn vectors_and_tags_have_their_length() {
    for encryption in ContentEncryption::ALL {
        let key = key(*encryption);
        let token = encrypt(ALGORITHM, *encryption, &key, b"content");
        let parts: Vec<&str> = token.split('.').collect();
        let (iv, tag) = (b64(parts[2]), b64(parts[4]));
        let with = |iv: &[u8], tag: &[u8]| {
            let (iv, tag) = (BASE64URL_NOPAD.encode(iv), BASE64URL_NOPAD.encode(tag));
            decrypt(ALGORITHM, &key, &format!("{}..{iv}.{}.{tag}", parts[0], parts[3]))
        };
        assert!(with(&iv, &tag).is_ok());
        for length in 1..tag.len() {
            assert_eq!(with(&iv, &tag[..length]), Err(UNDECRYPTABLE));
        }
        for length in 1..iv.len() {
            assert_eq!(with(&iv[..length], &tag), Err(UNDECRYPTABLE));
        }
        assert_eq!(with(&[&iv[..], &[0]].concat(), &tag), Err(UNDECRYPTABLE));
        assert_eq!(with(&iv, &[&tag[..], &[0]].concat()), Err(UNDECRYPTABLE));
        assert_eq!(with(&iv, &[tag.as_slice(), &tag].concat()), Err(UNDECRYPTABLE));
    }
}

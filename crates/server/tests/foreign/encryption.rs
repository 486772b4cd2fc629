//! Encrypted tokens: those of ours decrypted there and theirs here, for every algorithm, kind of key and content encryption.

use gateward_guard::ambient::SystemEntropy;
use gateward_kernel::jose::jwe::{Allowed, DecryptingKey, EncryptingKey, Labels, NotDecrypted, parse};
use gateward_kernel::jose::{
    Claims, ContentEncryption, Jwk, KeyAlgorithm, KeyManagementAlgorithm, SignatureAlgorithm,
};
use serde_json::{Value, json};

use crate::keys::{Kind, changed, document, ours};
use crate::library::{Library, Task};
use crate::peer::Peer;
use crate::signatures::{kind_of, signed, verified};

const CONTENT: &str = "Straße nach Köln ☃, and on";

/// The kinds of keys of each algorithm.
const KEYS: [(KeyManagementAlgorithm, &[&str]); 6] = [
    (KeyManagementAlgorithm::RsaOaep256, &["RSA"]),
    (KeyManagementAlgorithm::EcdhEs, CURVES),
    (KeyManagementAlgorithm::EcdhEsA128Kw, CURVES),
    (KeyManagementAlgorithm::EcdhEsA256Kw, CURVES),
    (KeyManagementAlgorithm::A256Kw, &["oct"]),
    (KeyManagementAlgorithm::Dir, &["oct"]),
];
const CURVES: &[&str] = &["P-256", "P-384", "P-521", "X25519"];

/// One way to encrypt.
struct Way {
    algorithm: KeyManagementAlgorithm,
    encryption: ContentEncryption,
    key: Jwk,
}

pub(crate) fn exchange(library: Library) {
    let mut peer = Peer::of(library);
    assert_eq!(KEYS.map(|(algorithm, _)| algorithm), KeyManagementAlgorithm::ALL);
    for (algorithm, kind) in
        KEYS.iter().flat_map(|(algorithm, kinds)| kinds.iter().map(move |kind| (*algorithm, kind)))
    {
        for encryption in ContentEncryption::ALL.iter().copied() {
            let way = Way::new(algorithm, encryption, kind);
            let token = way.encrypted();
            if library.lacks(Task::Encryption, &format!("{algorithm} {kind}")) {
                peer.refuses(&way.encrypting());
                peer.refuses(&way.decrypting(&token));
                continue;
            }
            assert_eq!(
                peer.text(&way.decrypting(&token), "payload"),
                CONTENT,
                "{algorithm} {kind} {encryption}"
            );
            // The content and the tag; the others are not there for each algorithm.
            for part in [3, 4] {
                peer.refuses(&way.decrypting(&changed(&token, part)));
            }
            let token = peer.text(&way.encrypting(), "token");
            assert_eq!(
                way.decrypted(&token).as_deref(),
                Ok(CONTENT),
                "{algorithm} {kind} {encryption}: {token}"
            );
            for part in [3, 4] {
                assert_eq!(way.decrypted(&changed(&token, part)), Err(NotDecrypted::Undecryptable));
            }
        }
    }
}

pub(crate) fn exchange_nested(library: Library) {
    use {ContentEncryption as Enc, KeyManagementAlgorithm as Alg, SignatureAlgorithm as Sig};
    let mut peer = Peer::of(library);
    for (signature, algorithm, kind, encryption) in [
        (Sig::Es256, Alg::EcdhEsA128Kw, "P-256", Enc::A128Gcm),
        (Sig::Rs256, Alg::RsaOaep256, "RSA", Enc::A256CbcHs512),
        (Sig::EdDsa, Alg::EcdhEs, "P-384", Enc::A256Gcm),
        (Sig::Hs512, Alg::Dir, "oct", Enc::A128CbcHs256),
    ] {
        let inner = ours(Kind::named(kind_of(signature)));
        let way = Way::new(algorithm, encryption, kind);
        let plain = signed(signature, &inner);
        let said = verified(signature, &inner, &plain).unwrap();
        let to = EncryptingKey::new(&way.public(), algorithm, encryption).unwrap();
        let token = to.encrypt_nested(&plain, None, &SystemEntropy).unwrap();
        let sign = json!({"alg": signature, "typ": "JWT", "key": document(&inner)});
        let verify = json!({"alg": signature, "key": document(inner.public().as_ref().unwrap_or(&inner))});
        let open = json!({"op": "unnest", "inner": verify, "outer": way.question(&way.key), "token": token});
        let close =
            json!({"op": "nest", "inner": sign, "outer": way.question(&way.public()), "payload": said});
        if library.lacks(Task::Nesting, signature.name()) {
            peer.refuses(&open);
            peer.refuses(&close);
            continue;
        }
        // Read as claims: go-jose writes times as 1.8000003e+09.
        let claims = |payload: &str| Claims::read(payload.as_bytes()).unwrap();
        assert_eq!(claims(&peer.text(&open, "payload")), claims(&said));
        let token = peer.text(&close, "token");
        let keys = [DecryptingKey::new(&way.key, algorithm).unwrap()];
        let encrypted = parse(&token).unwrap();
        let plain = encrypted.open_nested(&keys, way.allowed(), &SystemEntropy).unwrap();
        assert_eq!(claims(&verified(signature, &inner, &plain).unwrap()), claims(&said));
    }
}

impl Way {
    fn new(algorithm: KeyManagementAlgorithm, encryption: ContentEncryption, kind: &str) -> Way {
        let secret = |len| Jwk::generate_oct(len, &SystemEntropy).unwrap().with_kid("shared");
        let key = match algorithm {
            // A secret of 32 bytes fits two content encryptions, and says which is meant.
            KeyManagementAlgorithm::Dir => {
                secret(encryption.key_size()).for_algorithm(KeyAlgorithm::Content(encryption)).unwrap()
            }
            KeyManagementAlgorithm::A256Kw => secret(32),
            _ => ours(Kind::named(kind)),
        };
        Way { algorithm, encryption, key }
    }

    /// What a sender has.
    fn public(&self) -> Jwk {
        self.key.public().unwrap_or_else(|| self.key.clone())
    }

    fn encrypted(&self) -> String {
        let to = EncryptingKey::new(&self.public(), self.algorithm, self.encryption).unwrap();
        to.encrypt(CONTENT.as_bytes(), Labels::default(), &SystemEntropy).unwrap()
    }

    fn decrypted(&self, token: &str) -> Result<String, NotDecrypted> {
        let keys = [DecryptingKey::new(&self.key, self.algorithm).unwrap()];
        let content = parse(token).unwrap().open(&keys, self.allowed(), &SystemEntropy)?;
        Ok(String::from_utf8(content.to_vec()).unwrap())
    }

    fn allowed(&self) -> Allowed<'_> {
        Allowed {
            algorithms: std::slice::from_ref(&self.algorithm),
            encryptions: std::slice::from_ref(&self.encryption),
        }
    }

    fn question(&self, key: &Jwk) -> Value {
        json!({"alg": self.algorithm, "enc": self.encryption, "key": document(key)})
    }

    fn encrypting(&self) -> Value {
        let mut question = self.question(&self.public());
        question["op"] = json!("encrypt");
        question["payload"] = json!(CONTENT);
        question
    }

    fn decrypting(&self, token: &str) -> Value {
        let mut question = self.question(&self.key);
        question["op"] = json!("decrypt");
        question["token"] = json!(token);
        question
    }
}

//! What the tests of the further grants share.

use std::sync::atomic::{AtomicU64, Ordering};

use gateward_kernel::jose::{Jwk, SignatureAlgorithm, Signer, SigningKey};
use gateward_kernel::oauth::client::AuthMethod;
use gateward_kernel::secret::SeededEntropy;
use serde_json::{Map, Value, json};

use super::{Known, header, post};
use crate::house::House;
use crate::wire::{Answer, encode};

/// Asks the token endpoint.
pub(crate) async fn token(house: &House, client: &Known, grant: &str, fields: &[(&str, &str)]) -> Answer {
    let fields: Vec<_> = [("grant_type", grant)].into_iter().chain(fields.iter().copied()).collect();
    post(house, client, "/oauth/token", &fields).await
}

/// A text of an answer.
pub(crate) fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", answer.text())).to_owned()
}

/// What introspection says of a token.
pub(crate) async fn introspect(house: &House, client: &Known, token: &str) -> Value {
    post(house, client, "/oauth/introspect", &[("token", token)]).await.expect(200).json()
}

/// A key that proves itself (RFC 9449).
pub(crate) struct Prover {
    key: Jwk,
    proofs: AtomicU64,
}

impl Prover {
    pub(crate) fn new() -> Prover {
        let key = Jwk::generate(SignatureAlgorithm::Es256, &SeededEntropy::new(1)).unwrap();
        Prover { key, proofs: AtomicU64::new(0) }
    }

    fn proof(&self, house: &House, path: &str) -> String {
        let public: Value = serde_json::from_str(&self.key.to_json().unwrap()).unwrap();
        let members = Map::from_iter([("jwk".to_owned(), public)]);
        let key = SigningKey::new(&self.key, SignatureAlgorithm::Es256).unwrap();
        let claims = json!({
            "htm": "POST",
            "htu": format!("{}{path}", house.app.origin),
            "iat": house.now().seconds(),
            "jti": self.proofs.fetch_add(1, Ordering::Relaxed).to_string(),
        });
        Signer::with_members(key, "dpop+jwt", members).unwrap().sign_claims(&claims).unwrap()
    }

    /// Posts a form as that client, with a proof of this key.
    pub(crate) async fn post(
        &self,
        house: &House,
        client: &Known,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let (proof, basic) = (self.proof(house, path), header(&client.id, &client.secret));
        let mut fields = fields.to_vec();
        let mut headers =
            vec![("Content-Type", "application/x-www-form-urlencoded"), ("DPoP", proof.as_str())];
        match client.method {
            AuthMethod::SecretBasic => headers.push(("Authorization", &basic)),
            _ => fields.push(("client_id", &client.id)),
        }
        house.browser().send("POST", path, &headers, encode(&fields).as_bytes()).await
    }
}

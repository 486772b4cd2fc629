//! What the tests of the further grants share.

use std::sync::atomic::{AtomicU64, Ordering};

use gateward_kernel::jose::{Jwk, SignatureAlgorithm, Signer, SigningKey};
use gateward_kernel::secret::SeededEntropy;
use serde_json::{Value, json};

use super::{Known, post, post_with, public_part};
use crate::house::House;
use crate::wire::Answer;

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
    pub(crate) key: Jwk,
    proofs: AtomicU64,
}

impl Prover {
    pub(crate) fn new() -> Prover {
        let key = Jwk::generate(SignatureAlgorithm::Es256, &SeededEntropy::new(1)).unwrap();
        Prover { key, proofs: AtomicU64::new(0) }
    }

    /// What a good proof says, each under a name of its own.
    pub(crate) fn claims(&self, house: &House, method: &str, path: &str) -> Value {
        json!({
            "htm": method,
            "htu": format!("{}{path}", house.app.origin),
            "iat": house.now().seconds(),
            "jti": self.proofs.fetch_add(1, Ordering::Relaxed).to_string(),
        })
    }

    /// A proof that says this.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as("dpop+jwt", json!({ "jwk": public_part(&self.key) }), claims)
    }

    /// The same under another type, and with these members in its header.
    pub(crate) fn sign_as(&self, typ: &str, members: Value, claims: &Value) -> String {
        let key = SigningKey::new(&self.key, SignatureAlgorithm::Es256).unwrap();
        let members = members.as_object().unwrap().clone();
        Signer::with_members(key, typ, members).unwrap().sign_claims(claims).unwrap()
    }

    /// Posts a form as that client, with a proof of this key.
    pub(crate) async fn post(
        &self,
        house: &House,
        client: &Known,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let proof = self.sign(&self.claims(house, "POST", path));
        post_with(house, client, path, &[("DPoP", &proof)], fields).await
    }
}

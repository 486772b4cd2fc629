//! The whole flow of the FAPI 2.0 Security Profile, with everything at once that the other files take one by one.

use gateward_kernel::jose::SignatureAlgorithm;
use serde_json::json;

use super::grants::{Prover, text};
use super::{BACK, client, decide, key, key_set, merged, parameters, redemption, signed, told_at, verified};
use crate::wire::encode;

#[tokio::test]
async fn pushed_proved_and_bound_from_the_request_to_the_resource() {
    let house = super::house().await;
    let es256 = SignatureAlgorithm::Es256;
    let with_query = "https://app.example/cb?dummy1=lorem&dummy2=ipsum";
    for (id, back) in [("one", BACK), ("two", with_query)] {
        let (own, proof) = (key(es256), Prover::new());
        let more = json!({
            "redirect_uris": [BACK, with_query],
            "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
            "jwks": key_set(&own),
            "require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true,
            "gateward_assertion_audience": "issuer", "gateward_refresh_token_stays": true,
        });
        let app = client(&house, id, more).await;
        let now = house.now().seconds();
        let assertion = |jti: &str| {
            let claims = json!({ "iss": id, "sub": id, "aud": house.app.origin, "iat": now, "exp": now + 60, "jti": jti });
            signed(&own, es256, "JWT", &claims)
        };
        let ask = async |path: &str, fields: &[(&str, &str)]| {
            let assertion = assertion(&format!("{path} {}", fields[0].1));
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let proved = [("client_assertion_type", kind), ("client_assertion", assertion.as_str())];
            proof.post(&house, &app, path, &[fields, &proved].concat()).await
        };
        let asked = parameters(&app, &[("redirect_uri", back)]);
        let asked: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (&**name, &**value)).collect();
        let pushed = ask("/oauth/par", &asked).await.expect(201);
        let uri = text(&pushed, "request_uri");
        let mut ann = house.signed_in("ann").await;
        let path =
            format!("/oauth/authorize?{}", encode(&[("client_id", id), ("request_uri", uri.as_str())]));
        let page = ann.get(&path).await.expect(200);
        let answer = told_at(&decide(&mut ann, &page, "allow", &[]).await, back);
        assert_eq!((answer["state"].as_str(), &answer["iss"]), ("the state", &house.app.origin));
        let mut fields = redemption(&answer["code"]);
        fields[2].1 = back;
        let tokens = ask("/oauth/token", &fields).await.expect(200);
        assert_eq!(text(&tokens, "token_type"), "DPoP");
        let claims = verified(&house, &text(&tokens, "id_token")).await.1;
        assert_eq!((&claims["aud"], &claims["nonce"]), (&json!(id), &json!("the nonce")));
        let refresh_token = text(&tokens, "refresh_token");
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
        let next = ask("/oauth/token", &fields).await.expect(200);
        assert_eq!(text(&next, "refresh_token"), refresh_token);
        for tokens in [tokens, next] {
            let token = text(&tokens, "access_token");
            let ath = super::dpop::ath(&token);
            let claims = merged(proof.claims(&house, "GET", "/oauth/userinfo"), &json!({ "ath": ath }));
            let mut browser = house.browser().with("Authorization", &format!("DPoP {token}"));
            let seen =
                browser.get_with("/oauth/userinfo", &[("DPoP", &proof.sign(&claims))]).await.expect(200);
            assert_eq!(seen.json()["sub"], house.stored("ann").await.id.to_string());
        }
    }
}

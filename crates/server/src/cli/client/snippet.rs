//! What an application of each kind needs to sign people in here, ready to be pasted.

use clap::ValueEnum;
use gateward_kernel::oauth::Client;
use gateward_kernel::oauth::client::AuthMethod;
use serde_json::json;

/// What a client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(in crate::cli) enum Kind {
    /// Pages that run in the browser alone, and keep no secret
    Spa,
    /// An application with a server of its own, which keeps a secret
    Web,
    /// An app on a phone or a desktop, or a command-line tool
    Native,
    /// A program that acts for itself; nobody signs in
    Service,
    /// A client of the Model Context Protocol
    Mcp,
}

/// Ready for this client.
pub(super) fn of(kind: Kind, issuer: &str, client: &Client) -> String {
    let values = Values { issuer, client };
    match kind {
        Kind::Spa => values.fill(SPA),
        Kind::Web => values.fill(WEB),
        Kind::Native => values.fill(NATIVE),
        Kind::Service => values.fill(SERVICE),
        Kind::Mcp => values.mcp(),
    }
}

struct Values<'a> {
    issuer: &'a str,
    client: &'a Client,
}

impl Values<'_> {
    fn fill(&self, template: &str) -> String {
        let metadata = &self.client.metadata;
        let redirect = metadata.redirect_uris.first().map_or("", |uri| uri.as_str());
        let scope = match &metadata.scope {
            Some(own) => own.to_string(),
            None if redirect.is_empty() => String::new(),
            None => "openid profile email".to_owned(),
        };
        let quoted = |text: &str| json!(text).to_string();
        let scope_of_curl =
            if scope.is_empty() { String::new() } else { format!(" \\\n  -d 'scope={}'", shell(&scope)) };
        template
            .replace("{issuer}", &quoted(self.issuer))
            .replace("{client_id}", &quoted(&self.client.client_id))
            .replace("{redirect_uri}", &quoted(redirect))
            .replace("{scope}", &quoted(&scope))
            .replace("{token_endpoint}", &format!("{}/oauth/token", self.issuer))
            .replace("{user}", &shell(&form_encoded(&self.client.client_id)))
            .replace("{and_scope}", &scope_of_curl)
            .replace("{auth}", self.authentication())
            // The library insists on TLS, but for who says that they know what they do.
            .replace(
                "{insecure}",
                match self.issuer.starts_with("https://") {
                    true => "",
                    false => ", { execute: [client.allowInsecureRequests] }",
                },
            )
    }

    /// How openid-client calls the way in which the client proves itself.
    const fn authentication(&self) -> &'static str {
        match self.client.metadata.token_endpoint_auth_method {
            AuthMethod::SecretBasic => "client.ClientSecretBasic(process.env.CLIENT_SECRET)",
            AuthMethod::SecretPost => "client.ClientSecretPost(process.env.CLIENT_SECRET)",
            AuthMethod::SecretJwt => "client.ClientSecretJwt(process.env.CLIENT_SECRET)",
            AuthMethod::PrivateKeyJwt => "client.PrivateKeyJwt(privateKey)",
            AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth => "client.TlsClientAuth()",
            AuthMethod::None => "client.None()",
        }
    }

    fn mcp(&self) -> String {
        let resource = self.client.metadata.gateward_resources.first();
        let port = self
            .client
            .metadata
            .redirect_uris
            .first()
            .and_then(|uri| url::Url::parse(uri.as_str()).ok()?.port());
        let oauth = match port {
            Some(port) => json!({ "clientId": self.client.client_id, "callbackPort": port }),
            None => json!({ "clientId": self.client.client_id }),
        };
        let server = json!({
            "type": "http",
            "url": resource.map_or("https://your-mcp-server.example/mcp", String::as_str),
            "oauth": oauth,
        });
        format!("{:#}", json!({ "mcpServers": { (*self.client.client_id).to_owned(): server } }))
    }
}

/// Between single quotes of a shell.
fn shell(text: &str) -> String {
    text.replace('\'', "'\\''")
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

const SPA: &str = r#"// npm install openid-client
import * as client from 'openid-client'

const config = await client.discovery(new URL({issuer}), {client_id}, undefined, {auth}{insecure})
if (!location.search.includes('code=')) {
  const verifier = client.randomPKCECodeVerifier(), state = client.randomState()
  sessionStorage.setItem('sign-in', JSON.stringify({ verifier, state }))
  location.href = client.buildAuthorizationUrl(config, {
    redirect_uri: {redirect_uri}, scope: {scope}, state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  }).href
} else {
  const { verifier, state } = JSON.parse(sessionStorage.getItem('sign-in'))
  const tokens = await client.authorizationCodeGrant(config, new URL(location.href),
    { pkceCodeVerifier: verifier, expectedState: state })
  console.log(await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub))
}"#;

const WEB: &str = r#"// npm install openid-client
import * as client from 'openid-client'

const config = await client.discovery(new URL({issuer}), {client_id}, undefined,
  {auth}{insecure})

// Keep both in the person's session.
const verifier = client.randomPKCECodeVerifier(), state = client.randomState()
const signIn = client.buildAuthorizationUrl(config, {
  redirect_uri: {redirect_uri}, scope: {scope}, state,
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
})
// Send the browser to signIn.href; at the redirect URI, with the address it came to:
const tokens = await client.authorizationCodeGrant(config, currentUrl,
  { pkceCodeVerifier: verifier, expectedState: state })
console.log(await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub))"#;

const NATIVE: &str = r#"// npm install openid-client
import * as client from 'openid-client'

const config = await client.discovery(new URL({issuer}), {client_id}, undefined, {auth}{insecure})
const verifier = client.randomPKCECodeVerifier(), state = client.randomState()
const signIn = client.buildAuthorizationUrl(config, {
  redirect_uri: {redirect_uri}, scope: {scope}, state,
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
})
// Open signIn.href in the person's browser; with the address that it comes back to:
const tokens = await client.authorizationCodeGrant(config, callbackUrl,
  { pkceCodeVerifier: verifier, expectedState: state })"#;

const SERVICE: &str = r#"# The secret in $CLIENT_SECRET; curl reads it from standard input, so that no process list shows it.
printf 'user = "%s:%s"\n' '{user}' "$CLIENT_SECRET" |
  curl --config - {token_endpoint} \
  -d grant_type=client_credentials{and_scope}"#;

//! OAuth 2.1 and OpenID Connect.

use std::path::PathBuf;

use crate::config::definition::{Record, record, settings};
use crate::config::values::{
    Algorithm, ClientMetadata, ClientName, ForeignClaim, IssuerName, KeysAddress, PersonBy, Registration,
    ResourceName, ScopeName, Span,
};

settings! {
    /// Sign-in for the applications of others: OAuth 2.1 and OpenID Connect. Clients are added by `gateward client add`,
    /// or stand here as `[[client]]`.
    pub struct OAuth {
        /// What is signed for clients: their ID tokens, and what else they register to have signed. A client chooses one of these;
        /// one that says nothing gets RS256, as OpenID Connect wants it. Each has keys of its own, which are made and rotated
        /// as `[keys]` says. Algorithms of `[tokens]` and of resources need not be repeated.
        algorithms: Vec<Algorithm> = "[\"RS256\", \"ES256\", \"PS256\", \"EdDSA\"]";

        /// Whether clients may use the implicit and hybrid flows of OpenID Connect, where tokens stand in the address. OAuth
        /// 2.1 has them no more; some old clients know nothing else. Each client must be allowed them besides.
        legacy_flows: bool = "false";

        /// Whether proofs of possession (DPoP, RFC 9449) must carry a nonce of this server: an attacker who has a client's
        /// machine for a moment cannot make proofs for later. Costs each client one request more now and then.
        dpop_nonces: bool = "false";

        /// Whether clients may ask by a frame of ours whether a person is still signed in in this browser (OpenID Connect Session
        /// Management). Browsers that keep cookies of other sites apart tell them nothing of use; the cookie for it can be read by
        /// the script in that frame.
        session_management: bool = "false";

        /// How long a request that a client has pushed counts, until the person comes with it (RFC 9126).
        pushed_lifetime: Span = "90s" in "5s" ..= "10m";

        /// Whether clients may register themselves (RFC 7591): `off`; `token`, with one that `gateward client invite`
        /// prints; or `open`, every one.
        registration: Registration = "off";

        /// The most clients that are registered by themselves at the same time.
        registrations: u32 = "1000" in "1" ..= "10000";

        /// How many clients may register from one network in an hour.
        registrations_per_hour: u32 = "30" in "1" ..= "100000";

        /// A client that registered itself is forgotten when it was not used for this long.
        registration_idle: Span = "30d" in "2d" ..= "3650d";

        /// Whether clients that register themselves, and prove which they are, may ask for codes without PKCE: for old ones, and for
        /// tests of conformance.
        registration_without_pkce: bool = "false";

        /// Whether a client may be named by the https address of its metadata (OAuth Client ID Metadata Document), so that nobody
        /// has to register it: for clients of MCP servers, for instance. What is there is fetched as `[outbound]` says.
        client_documents: bool = "false";
    }
}

record! {
    /// An application that signs people in here. Others are added while the server runs, by `gateward client add`.
    pub struct Client {
        /// Its `client_id`.
        id: ClientName;

        /// The file of its secret, in one line of at least 32 characters. A client that proves itself without a secret
        /// (`token_endpoint_auth_method`) has none.
        secret_file: Option<PathBuf> = "";

        /// What it says of itself and may do, by the names of RFC 7591 and OpenID Connect Registration, and Gateward's own
        /// `gateward_…`; see [oauth.md](oauth.md).
        metadata: ClientMetadata = "";

        /// The same as a JSON file, beside `metadata` or instead of it. No member may be in both.
        metadata_file: Option<PathBuf> = "";
    }
}

impl Record for Client {
    const ONE_LINE: bool = false;

    fn check(&self) -> Result<(), String> {
        match self.metadata.members().is_empty() && self.metadata_file.is_none() {
            true => {
                Err("metadata and metadata_file are missing; one of them says what the client may do"
                    .to_owned())
            }
            false => Ok(()),
        }
    }
}

record! {
    /// Somebody else whose signed statements about people are exchanged for access tokens (JWT bearer, RFC 7523, section 2.1):
    /// another sign-in service, or a job runner. Whoever holds its keys can act as everybody here, within the scopes: name few
    /// clients and few scopes. Each statement counts once, lives for ten minutes at most, and yields no refresh token.
    pub struct TrustedIssuer {
        /// Its name in the `iss` claim.
        issuer: IssuerName;

        /// Where its public keys are. Either this or `jwks_file`.
        jwks_uri: Option<KeysAddress> = "";

        /// The file of its public keys (RFC 7517), read at the start.
        jwks_file: Option<PathBuf> = "";

        /// For whom its statements must be (`aud`); this server's issuer or token endpoint when none is named.
        audiences: Vec<ResourceName> = "";

        /// By what they name a person here: the user name, the e-mail address (which must be verified), or the id.
        person_by: PersonBy = "username";

        /// In which claim.
        claim: ForeignClaim = "sub";

        /// The clients that may exchange them.
        clients: Vec<ClientName> = "";

        /// The scopes that come of them at most.
        scopes: Vec<ScopeName> = "";
    }
}

impl Record for TrustedIssuer {
    const ONE_LINE: bool = false;

    fn check(&self) -> Result<(), String> {
        if self.jwks_uri.is_some() == self.jwks_file.is_some() {
            return Err("set either jwks_uri or jwks_file".to_owned());
        }
        if self.clients.is_empty() {
            return Err("no client may exchange its statements; add clients = [\"…\"]".to_owned());
        }
        Ok(())
    }
}

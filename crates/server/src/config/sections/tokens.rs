//! Tokens, the resources that accept them, and the keys that sign them.

use std::path::PathBuf;

use crate::config::definition::{Record, record, settings};
use crate::config::values::{Algorithm, ClaimName, ResourceName, ScopeName, Span, TokenFormat, TokenStore};

settings! {
    /// Access and refresh tokens for apps and services. Browsers need none: they have sessions.
    pub struct Tokens {
        /// How long an access token counts. Short, because whoever looks at tokens without asking Gateward only
        /// learns from the status list or the push channel that one was revoked.
        access_lifetime: Span = "5m" in "5s" ..= "24h";

        /// Where opaque access tokens live. `directory`: in the same database as people. Or an address as in
        /// `sessions.store`; they are short-lived, so they may be kept where a little can be lost.
        store: TokenStore = "directory";

        /// What access tokens are: `jwt`, which a resource checks by itself (RFC 9068), or `opaque`, which it has to
        /// ask Gateward about.
        format: TokenFormat = "jwt";

        /// How JWTs are signed: `ES256`, `ES384`, `EdDSA`, `RS256`, `PS256` or another of the RSA family.
        algorithm: Algorithm = "ES256";

        /// Which of a person's custom claims stand in their access tokens.
        claims: Vec<ClaimName> = "";

        /// Whether a person's groups stand in their access tokens.
        groups: bool = "true";

        /// For so long after a refresh the same refresh token yields the same answer again, for a client that lost
        /// the first answer. Used again later, it counts as stolen and ends the access.
        refresh_grace: Span = "30s" in "0s" ..= "10m";

        /// A refresh token that was not used for this long is over. Not longer than `refresh_absolute`.
        refresh_idle: Span = "30d" in "1m" ..= "3650d";

        /// Access by refresh tokens is over after this time, however much it is used.
        refresh_absolute: Span = "180d" in "1m" ..= "3650d";

        /// How long a one-time command counts.
        command_lifetime: Span = "1m" in "5s" ..= "10m";

        /// How long verifiers may keep a status list that they fetched: the time in which a revocation reaches those
        /// that do not listen to the push channel.
        status_ttl: Span = "1m" in "1s" ..= "1h";

        /// How many verifiers may listen to the push channel at the same time.
        push_listeners: u32 = "1000" in "0" ..= "100000";
    }
}

settings! {
    /// The keys that sign tokens. Each is published before it signs, and stays published until the last token it signed
    /// has expired.
    pub struct Keys {
        /// How long a key signs before the next one takes over; `0s`: only when `gateward key rotate` asks for it.
        rotate: Span = "90d" in "0s" ..= "3650d";

        /// How long a key is published before it signs: longer than anybody caches the key set.
        lead: Span = "24h" in "0s" ..= "30d";

        /// How long verifiers may cache the key set. Not longer than `lead`.
        cache: Span = "15m" in "0s" ..= "24h";

        /// The file of the 32-byte key under which private keys are encrypted at rest, as 64 hexadecimal digits. When
        /// it is not set, a key derived from the root key is used. `gateward key reseal` changes from one to the other.
        encryption_key_file: Option<PathBuf> = "";
    }
}

record! {
    /// An API or service that accepts access tokens.
    pub struct Resource {
        /// Its name in the `aud` claim, by which tokens are asked for: usually its https address.
        audience: ResourceName;

        /// The scopes that tokens for it may have. Whoever asks for none gets them all.
        scopes: Vec<ScopeName> = "";

        /// How long its access tokens count; as `tokens.access_lifetime` when not set.
        access_lifetime: Option<Span> = "";

        /// What its access tokens are; as `tokens.format` when not set.
        format: Option<TokenFormat> = "";

        /// How its JWTs are signed; as `tokens.algorithm` when not set.
        algorithm: Option<Algorithm> = "";
    }
}

impl Record for Resource {
    const ONE_LINE: bool = false;

    fn check(&self) -> Result<(), String> {
        let longest = std::time::Duration::from_secs(24 * 3600);
        match self.access_lifetime {
            Some(span) if span.duration().is_zero() || span.duration() > longest => {
                Err("access_lifetime is at most 24h, and more than nothing".to_owned())
            }
            _ => Ok(()),
        }
    }
}

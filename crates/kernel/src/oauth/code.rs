//! Authorization codes (RFC 6749 §4.1.2): one record each, redeemed by one change.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pkce::Challenge;
use crate::claims::ClaimsRequest;
use crate::confirmation::Thumbprint;
use crate::handle;
use crate::id::{GrantId, PersonId, SessionId};
use crate::record::{Decision, Record};
use crate::secret::Digest;
use crate::session::Proof;
use crate::time::Moment;
use crate::token::Scope;

pub use crate::id::CodeId;

/// A code as it travels: `gwz1_` and 72 characters.
pub type CodeHandle = handle::Handle<CodeId>;

/// For so long a code can be redeemed (RFC 6749 §4.1.2 allows ten minutes; FAPI 2.0 Security Profile §5.3.2.1 one).
pub const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// For so long a code that was redeemed is known for what it is, should it come again.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// What somebody has given to a client, before any token is made of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Authorized {
    /// Who.
    pub person: PersonId,
    /// The session in which they did.
    pub session: SessionId,
    /// What that rests on; compared with the person's `valid_from`.
    pub since: Moment,
    /// By which proofs they were known.
    pub proofs: Vec<Proof>,
    /// Which scopes.
    pub scope: Scope,
    /// For which resources (RFC 8707); none when none was named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Box<str>>,
    /// The `nonce`, to stand in the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Box<str>>,
    /// The `claims` that were asked for (OpenID Connect Core §5.5).
    #[serde(default, skip_serializing_if = "ClaimsRequest::is_empty")]
    pub claims: ClaimsRequest,
    /// How they signed in, as `acr` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<Box<str>>,
    /// The rich authorization details (RFC 9396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// A code: one versioned record.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Code {
    /// Its public name.
    pub id: CodeId,
    /// Of its secret.
    #[serde(rename = "secret")]
    pub digest: Digest,
    /// For which client.
    pub client: Box<str>,
    /// Where it was sent.
    pub redirect_uri: Box<str>,
    /// Whether the request named that, so that the redemption must name it too (RFC 6749 §4.1.3).
    pub redirect_named: bool,
    /// Whose verifier opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
    /// The thumbprint of the key that must prove itself (RFC 9449 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<Thumbprint>,
    /// What was given.
    pub authorized: Authorized,
    /// Until when it can be redeemed.
    pub expires: Moment,
    /// What became of it.
    pub state: CodeState,
}

/// What became of a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeState {
    /// Nothing yet.
    Open,
    /// It was redeemed for this grant.
    Redeemed(GrantId),
    /// It came again: two hold what one should hold.
    Replayed(GrantId),
}

/// How a redemption came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeRedemption {
    /// This one may make the grant.
    Redeemed,
    /// It was redeemed before: what came of that is to be ended (RFC 6749 §4.1.2).
    Replayed(GrantId),
    /// It is for another client.
    OtherClient,
    /// It is too old.
    Expired,
    /// The redirect URI is not the one it was sent to.
    OtherRedirect,
    /// A verifier is missing, wrong, or there though no challenge was given (RFC 9700 §4.8.2).
    WrongVerifier,
    /// The key is not the one that the request named (RFC 9449 §10).
    OtherKey,
}

/// What comes with a code.
#[derive(Clone, Copy, Debug)]
pub struct CodePresented<'a> {
    /// The client that proved itself.
    pub client: &'a str,
    /// `redirect_uri`
    pub redirect_uri: Option<&'a str>,
    /// `code_verifier`
    pub verifier: Option<&'a str>,
    /// The thumbprint of the DPoP proof's key.
    pub dpop_jkt: Option<Thumbprint>,
}

impl Code {
    /// Redeems it for the grant of this id. Only who presents everything it is bound to spends it.
    pub fn redeem(
        &self,
        presented: CodePresented<'_>,
        grant: GrantId,
        now: Moment,
    ) -> Decision<Code, CodeRedemption> {
        use CodeRedemption::{
            Expired, OtherClient, OtherKey, OtherRedirect, Redeemed, Replayed, WrongVerifier,
        };
        if *self.client != *presented.client {
            return Decision::Leave(OtherClient);
        }
        match self.state {
            CodeState::Redeemed(first) => {
                let next = Code { state: CodeState::Replayed(first), ..self.clone() };
                return Decision::Write(next, Replayed(first));
            }
            CodeState::Replayed(first) => return Decision::Leave(Replayed(first)),
            CodeState::Open => {}
        }
        if now >= self.expires {
            return Decision::Leave(Expired);
        }
        let redirect_fits = match presented.redirect_uri {
            Some(named) => *self.redirect_uri == *named,
            None => !self.redirect_named,
        };
        if !redirect_fits {
            return Decision::Leave(OtherRedirect);
        }
        let verified = match (&self.challenge, presented.verifier) {
            (Some(challenge), Some(verifier)) => challenge.is_met_by(verifier) == Ok(true),
            (None, None) => true,
            _ => false,
        };
        if !verified {
            return Decision::Leave(WrongVerifier);
        }
        if self.dpop_jkt.is_some_and(|bound| presented.dpop_jkt != Some(bound)) {
            return Decision::Leave(OtherKey);
        }
        Decision::Write(Code { state: CodeState::Redeemed(grant), ..self.clone() }, Redeemed)
    }
}

impl Record for Code {
    const KIND: &'static str = "code";
    const SCHEMA: u8 = 1;
    type Id = CodeId;

    fn id(&self) -> CodeId {
        self.id
    }

    fn death(&self) -> Moment {
        self.expires + REMEMBERED
    }

    fn weight(&self) -> usize {
        size_of::<Self>() + 512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn at(seconds: i64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn key() -> Thumbprint {
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap()
    }

    fn grant(byte: u8) -> GrantId {
        GrantId::from_bytes([byte; 16])
    }

    fn code() -> Code {
        Code {
            id: CodeId::from_bytes([1; 16]),
            digest: Digest::of(b"x"),
            client: "app".into(),
            redirect_uri: "https://app.example/cb".into(),
            redirect_named: true,
            challenge: Some(CHALLENGE.parse().unwrap()),
            dpop_jkt: Some(key()),
            authorized: Authorized {
                person: PersonId::from_bytes([2; 16]),
                session: SessionId::from_bytes([3; 16]),
                since: at(0),
                proofs: Vec::new(),
                scope: Scope::NONE,
                resources: Vec::new(),
                nonce: None,
                claims: ClaimsRequest::default(),
                acr: None,
                details: None,
            },
            expires: at(60),
            state: CodeState::Open,
        }
    }

    fn presented() -> CodePresented<'static> {
        CodePresented {
            client: "app",
            redirect_uri: Some("https://app.example/cb"),
            verifier: Some(VERIFIER),
            dpop_jkt: Some(key()),
        }
    }

    fn told(code: &Code, presented: CodePresented<'_>, now: Moment) -> CodeRedemption {
        match code.redeem(presented, grant(9), now) {
            Decision::Write(_, told) | Decision::Leave(told) => told,
        }
    }

    #[test]
    fn it_is_redeemed_once_and_a_second_time_ends_what_came_of_it() {
        let Decision::Write(redeemed, CodeRedemption::Redeemed) =
            code().redeem(presented(), grant(9), at(59))
        else {
            panic!()
        };
        assert_eq!(redeemed.state, CodeState::Redeemed(grant(9)));
        // Also when it is too old meanwhile, and by whatever else is presented.
        for again in [presented(), CodePresented { verifier: None, ..presented() }] {
            let Decision::Write(replayed, told) = redeemed.redeem(again, grant(8), at(100)) else { panic!() };
            assert_eq!(told, CodeRedemption::Replayed(grant(9)));
            assert_eq!(told, super::CodeRedemption::Replayed(grant(9)));
            assert!(
                matches!(replayed.redeem(again, grant(7), at(100)), Decision::Leave(CodeRedemption::Replayed(id)) if id == grant(9))
            );
        }
        // Another client cannot do harm by it.
        assert_eq!(
            told(&redeemed, CodePresented { client: "other", ..presented() }, at(1)),
            CodeRedemption::OtherClient
        );
    }

    #[test]
    fn it_is_bound_to_everything_it_was_made_for() {
        let told = |change: CodePresented<'_>| told(&code(), change, at(1));
        assert_eq!(told(presented()), CodeRedemption::Redeemed);
        assert_eq!(told(CodePresented { client: "other", ..presented() }), CodeRedemption::OtherClient);
        for other in [None, Some("https://app.example/cb/"), Some("")] {
            assert_eq!(
                told(CodePresented { redirect_uri: other, ..presented() }),
                CodeRedemption::OtherRedirect
            );
        }
        for other in [None, Some(""), Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"), Some(CHALLENGE)] {
            assert_eq!(told(CodePresented { verifier: other, ..presented() }), CodeRedemption::WrongVerifier);
        }
        for other in [None, Some("A".repeat(43).parse().unwrap())] {
            assert_eq!(told(CodePresented { dpop_jkt: other, ..presented() }), CodeRedemption::OtherKey);
        }
    }

    #[test]
    fn a_verifier_without_a_challenge_is_a_downgrade() {
        let plain = Code { challenge: None, dpop_jkt: None, redirect_named: false, ..code() };
        assert_eq!(told(&plain, presented(), at(1)), CodeRedemption::WrongVerifier);
        let bare = CodePresented { verifier: None, redirect_uri: None, ..presented() };
        assert_eq!(told(&plain, bare, at(1)), CodeRedemption::Redeemed);
    }

    #[test]
    fn it_counts_for_a_minute() {
        assert_eq!(told(&code(), presented(), at(59)), CodeRedemption::Redeemed);
        assert_eq!(told(&code(), presented(), at(60)), CodeRedemption::Expired);
    }
}

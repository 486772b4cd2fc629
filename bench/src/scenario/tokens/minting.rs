//! Access tokens as the mint of the server makes them: every claim, serialised into the token.

use anyhow::Result;
use data_encoding::BASE64URL_NOPAD;
use gateward_guard::{SystemClock, SystemEntropy};
use gateward_kernel::confirmation::Confirmation;
use gateward_kernel::id::{PersonId, SessionId};
use gateward_kernel::jose::Signer;
use gateward_kernel::secret::Entropy;
use gateward_kernel::status::{BLOCK_SIZE, LIST_SIZE};
use gateward_kernel::time::Clock;
use gateward_kernel::token::{AccessClaims, Audience, Scope, StatusClaim, StatusListClaim};

/// How long the tokens count, in seconds: longer than a run.
const LIFETIME: i64 = 6 * 3600;

/// What the tokens say, whoever signs them.
pub(super) struct Mint {
    issuer: String,
    audience: Audience,
    scope: Scope,
    groups: Vec<String>,
    person: PersonId,
    session: SessionId,
    list: Place,
}

/// A status list that the server publishes, and a place in it that is somebody's.
pub(super) struct Place {
    pub(super) uri: String,
    pub(super) taken: u32,
}

impl Place {
    /// A place that nobody was given: not in the block that the server hands out from, where some were revoked.
    fn number(&self, number: u32) -> u32 {
        let block = self.taken / BLOCK_SIZE;
        // Steps of an odd number go through the whole list, and are no neighbours.
        let index = number.wrapping_mul(7_919) % LIST_SIZE;
        if index / BLOCK_SIZE == block { (index + BLOCK_SIZE) % LIST_SIZE } else { index }
    }
}

impl Mint {
    pub(super) fn new(issuer: &str, audience: &str, list: Place) -> Result<Self> {
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: Audience::of(audience)?,
            scope: "read write".parse()?,
            groups: ["staff", "engineering"].map(str::to_owned).into(),
            person: PersonId::random(&SystemEntropy),
            session: SessionId::random(&SystemEntropy),
            list,
        })
    }

    /// One token, with a name and a place of its own.
    pub(super) fn token(&self, signer: &Signer, number: u32) -> Result<String> {
        let now = SystemClock.now();
        let mut jti = [0; 16];
        SystemEntropy.fill(&mut jti);
        let (sub, jti, sid) =
            (self.person.to_string(), BASE64URL_NOPAD.encode(&jti), self.session.to_string());
        let claims = AccessClaims {
            iss: &self.issuer,
            sub: &sub,
            aud: &self.audience,
            exp: now.seconds() + LIFETIME,
            iat: now.seconds(),
            jti: &jti,
            client_id: "first-party",
            scope: &self.scope,
            auth_time: Some(now.seconds()),
            acr: None,
            amr: &["pwd"],
            sid: Some(&sid),
            grant: None,
            groups: Some(&self.groups),
            cnf: Confirmation::NONE,
            authorization_details: None,
            act: None,
            status: Some(StatusClaim {
                status_list: StatusListClaim { idx: self.list.number(number), uri: &self.list.uri },
            }),
            issued: now.micros(),
            custom: None,
        };
        Ok(signer.sign_claims(&claims)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_within_the_list_and_outside_the_block_that_is_handed_out() {
        for taken in [0, 5 * BLOCK_SIZE + 7, LIST_SIZE - 1] {
            let place = Place { uri: String::new(), taken };
            for number in 0..20_000 {
                let index = place.number(number);
                assert!(index < LIST_SIZE && index / BLOCK_SIZE != taken / BLOCK_SIZE);
            }
        }
    }
}

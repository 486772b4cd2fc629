//! Clients that register themselves (RFC 7591): what they do not get by saying so, and how many there may be.

use serde::{Deserialize, Serialize};

use super::client::{AuthMethod, BadMetadata, ConsentPolicy, GrantType, Metadata};
use super::{OAuthCode, OAuthError};
use crate::record::{Decision, Record};
use crate::time::Moment;

/// What the installation allows to clients that register themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SelfRules {
    /// Whether the implicit and hybrid flows exist here.
    pub legacy_flows: bool,
    /// Whether they may ask for codes without PKCE.
    pub without_pkce: bool,
    /// Whether an administrator has let this one in, so that it may act for itself, too.
    pub invited: bool,
}

impl Metadata {
    /// The metadata of a client that registers itself: what only an administrator gives to a client is taken out of it.
    ///
    /// # Errors
    /// It asks for a grant that needs nobody to agree, and was not invited.
    pub fn as_registered(mut self, rules: SelfRules) -> Result<Metadata, BadMetadata> {
        let alone = [GrantType::ClientCredentials, GrantType::TokenExchange, GrantType::JwtBearer];
        if !rules.invited && alone.iter().any(|grant| self.grant_types.contains(grant)) {
            return Err(OAuthError::new(
                OAuthCode::InvalidClientMetadata,
                "client_credentials, token-exchange and jwt-bearer are not for clients that register themselves",
            ));
        }
        self.gateward_consent = ConsentPolicy::Ask;
        self.gateward_introspects = false;
        self.gateward_access_token_format = None;
        self.gateward_refresh_token_stays = false;
        self.gateward_pkce_optional =
            rules.without_pkce && self.token_endpoint_auth_method != AuthMethod::None;
        // The installation has switched them on for everybody who registers.
        self.gateward_legacy_flows =
            rules.legacy_flows && self.response_types.0.iter().any(|kind| kind.is_legacy());
        Ok(self)
    }
}

/// The name of the one [`Registry`].
pub const REGISTRY: RegistryId = *b"self-registered\0";
/// What names it.
pub type RegistryId = [u8; 16];

/// A client that registered itself, and until when it is known unless it is used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Place {
    client: Box<str>,
    until: Moment,
}

/// Which clients have registered themselves: one record, so that never more do than may.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registry {
    places: Vec<Place>,
}

impl Registry {
    /// With one client.
    pub fn of(client: &str, until: Moment) -> Self {
        Registry { places: vec![Place { client: client.into(), until }] }
    }

    /// Takes a place for this client, or keeps the one it has for longer; whether there was one among `limit`. The places of clients
    /// that are forgotten are free.
    pub fn with(&self, client: &str, until: Moment, limit: usize, now: Moment) -> Decision<Registry, bool> {
        let others = self.places.iter().filter(|place| place.until > now && *place.client != *client);
        let mut places: Vec<Place> = others.cloned().collect();
        let has_one = self.places.iter().any(|place| *place.client == *client);
        if !has_one && places.len() >= limit {
            return Decision::Leave(false);
        }
        places.push(Place { client: client.into(), until });
        Decision::Write(Registry { places }, true)
    }

    /// Gives a place back.
    pub fn without(&self, client: &str) -> Decision<Registry, ()> {
        let places = self.places.iter().filter(|place| *place.client != *client).cloned().collect();
        Decision::Write(Registry { places }, ())
    }
}

impl Record for Registry {
    const KIND: &'static str = "registry";
    const SCHEMA: u8 = 1;
    type Id = RegistryId;

    fn id(&self) -> RegistryId {
        REGISTRY
    }

    fn death(&self) -> Moment {
        self.places.iter().map(|place| place.until).max().unwrap_or(Moment::DAWN)
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
            + self.places.iter().map(|place| place.client.len() + size_of::<Place>()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn written(decision: Decision<Registry, bool>) -> Registry {
        match decision {
            Decision::Write(next, true) => next,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn there_are_as_many_places_as_may_be_and_those_of_the_forgotten_are_free() {
        let one = Registry::of("a", at(100));
        let two = written(one.with("b", at(200), 2, at(1)));
        assert_eq!(two.with("c", at(200), 2, at(99)), Decision::Leave(false));
        written(two.with("c", at(200), 3, at(99)));
        let three = written(two.with("c", at(200), 2, at(100)));
        assert_eq!(three.death(), at(200));
        // Who has a place keeps it, also where there are too many.
        let longer = written(two.with("a", at(500), 1, at(1)));
        assert_eq!(longer.with("c", at(500), 2, at(150)), Decision::Leave(false));
        let Decision::Write(fewer, ()) = longer.without("a") else { panic!("unchanged") };
        written(fewer.with("c", at(500), 2, at(150)));
    }

    #[test]
    fn nobody_gives_themselves_what_administrators_give() {
        let asked: Metadata = serde_json::from_value(serde_json::json!({
            "redirect_uris": ["https://app.example/cb"],
            "gateward_consent": "skip",
            "gateward_introspects": true,
            "gateward_access_token_format": "jwt",
            "gateward_refresh_token_stays": true,
            "gateward_pkce_optional": true,
            "gateward_legacy_flows": true,
            "gateward_access_token_lifetime": 60,
        }))
        .unwrap();
        let got = asked.clone().as_registered(SelfRules::default()).unwrap();
        let told = serde_json::to_value(&got).unwrap();
        let own: Vec<&String> = told.as_object().unwrap().keys().collect();
        assert_eq!(own, ["gateward_access_token_lifetime", "redirect_uris"]);
        let all = SelfRules { legacy_flows: true, without_pkce: true, invited: true };
        let got = asked.as_registered(all).unwrap();
        assert!(got.gateward_pkce_optional && !got.gateward_legacy_flows);
    }

    #[test]
    fn only_who_was_invited_acts_for_itself() {
        for grant in ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"] {
            let asked: Metadata =
                serde_json::from_value(serde_json::json!({ "grant_types": [grant], "response_types": [] }))
                    .unwrap();
            let refused = asked.clone().as_registered(SelfRules::default()).unwrap_err();
            assert_eq!(refused.code, OAuthCode::InvalidClientMetadata);
            assert!(asked.as_registered(SelfRules { invited: true, ..SelfRules::default() }).is_ok());
        }
    }
}

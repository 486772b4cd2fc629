//! What a person has agreed to, and the access that rests on it: one record per person.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{GrantId, PersonId};
use crate::record::Record;
use crate::time::Moment;
use crate::token::Scope;

/// So many applications a person has at most; the one that was used longest ago gives way.
pub const MAX_CONSENTS: usize = 200;
/// So many grants an application has of one person at most: a browser, a phone and so on. The oldest gives way.
pub const MAX_GRANTS_OF_CLIENT: usize = 50;

/// What a person has agreed to give to one client.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// To whom.
    pub client: Box<str>,
    /// Which scopes.
    pub scope: Scope,
    /// For which resources besides its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Box<str>>,
    /// Which claims of `claims` requests, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Box<str>>,
    /// Whether the person was asked; where the administrator has decided they were not, and are when that changes.
    pub asked: bool,
    /// The rich authorization details that were agreed to last (RFC 9396): agreed to again whenever they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Since when.
    pub given: Moment,
    /// When the client last came with a code.
    pub used: Moment,
    /// What rests on it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantId>,
}

/// All that one person has agreed to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Consents {
    /// Who.
    pub person: PersonId,
    /// To what.
    pub all: Vec<Consent>,
}

impl Consent {
    /// Whether everything that is asked for was agreed to before.
    pub fn covers(&self, other: &Consent) -> bool {
        let within = |asked: &[Box<str>], own: &[Box<str>]| asked.iter().all(|one| own.contains(one));
        self.scope.covers(&other.scope)
            && within(&other.resources, &self.resources)
            && within(&other.claims, &self.claims)
            && (other.details.is_none() || other.details == self.details)
            && (self.asked || !other.asked)
    }

    /// Both together. What nobody was asked about never passes for what they agreed to.
    fn extended(&self, by: Consent) -> Consent {
        if by.asked && !self.asked {
            return Consent { given: self.given, grants: self.grants.clone(), ..by };
        }
        let both = |own: &[Box<str>], more: &[Box<str>]| {
            let mut all: Vec<Box<str>> = own.iter().chain(more).cloned().collect();
            all.sort();
            all.dedup();
            all
        };
        Consent {
            client: by.client,
            scope: self.scope.or(&by.scope),
            resources: both(&self.resources, &by.resources),
            claims: both(&self.claims, &by.claims),
            asked: by.asked,
            details: by.details.or_else(|| self.details.clone()),
            given: self.given,
            used: self.used.max(by.used),
            grants: self.grants.clone(),
        }
    }
}

impl Consents {
    /// Nothing yet.
    pub const fn none(person: PersonId) -> Self {
        Consents { person, all: Vec::new() }
    }

    /// What they agreed to for this client.
    pub fn of(&self, client: &str) -> Option<&Consent> {
        self.all.iter().find(|one| *one.client == *client)
    }

    /// With this consent, which widens an older one; and the grants of whatever gives way to it.
    pub fn with(&self, consent: Consent) -> (Consents, Vec<GrantId>) {
        let mut next = self.clone();
        match next.all.iter_mut().find(|one| one.client == consent.client) {
            Some(own) => *own = own.extended(consent),
            None => next.all.push(consent),
        }
        let mut dropped = Vec::new();
        while next.all.len() > MAX_CONSENTS {
            let oldest = next.all.iter().enumerate().min_by_key(|(_, one)| one.used).map(|(at, _)| at);
            if let Some(at) = oldest {
                dropped.extend(next.all.remove(at).grants);
            }
        }
        (next, dropped)
    }

    /// With this grant of the client, if they still agree to it; and the grants that give way.
    pub fn with_grant(&self, client: &str, grant: GrantId, now: Moment) -> Option<(Consents, Vec<GrantId>)> {
        let mut next = self.clone();
        let own = next.all.iter_mut().find(|one| *one.client == *client)?;
        own.used = own.used.max(now);
        own.grants.retain(|other| *other != grant);
        own.grants.push(grant);
        let surplus = own.grants.len().saturating_sub(MAX_GRANTS_OF_CLIENT);
        let dropped = own.grants.drain(..surplus).collect();
        Some((next, dropped))
    }

    /// Without what was agreed to for this client; and what rested on it.
    pub fn without(&self, client: &str) -> Option<(Consents, Consent)> {
        let mut next = self.clone();
        let at = next.all.iter().position(|one| *one.client == *client)?;
        let gone = next.all.remove(at);
        Some((next, gone))
    }
}

impl Record for Consents {
    const KIND: &'static str = "consents";
    const SCHEMA: u8 = 1;
    type Id = PersonId;

    fn id(&self) -> PersonId {
        self.person
    }

    fn death(&self) -> Moment {
        Moment::NEVER
    }

    fn weight(&self) -> usize {
        let each = |one: &Consent| {
            size_of::<Consent>() + one.client.len() + one.scope.weight() + one.grants.len() * 16
        };
        size_of::<Self>() + self.all.iter().map(each).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn consent(client: &str, scope: &str, used: i64) -> Consent {
        Consent {
            client: client.into(),
            scope: scope.parse().unwrap(),
            resources: Vec::new(),
            claims: Vec::new(),
            asked: true,
            details: None,
            given: at(used),
            used: at(used),
            grants: Vec::new(),
        }
    }

    fn grant(number: u8) -> GrantId {
        GrantId::from_bytes([number; 16])
    }

    fn none() -> Consents {
        Consents::none(PersonId::from_bytes([1; 16]))
    }

    #[test]
    fn agreeing_to_more_keeps_what_was_agreed_to() {
        let (one, _) = none().with(consent("app", "openid email", 1));
        let own = one.of("app").unwrap();
        assert!(own.covers(&consent("app", "email", 2)) && !own.covers(&consent("app", "email phone", 2)));
        let (two, _) = one.with(consent("app", "phone", 2));
        assert!(two.of("app").unwrap().covers(&consent("app", "openid email phone", 3)));
        assert_eq!(two.all.len(), 1);
        let with_details =
            Consent { details: Some(serde_json::json!([{"type": "a"}])), ..consent("app", "", 3) };
        assert!(!two.of("app").unwrap().covers(&with_details));
        assert!(two.with(with_details.clone()).0.of("app").unwrap().covers(&with_details));
    }

    #[test]
    fn what_nobody_was_asked_about_never_passes_for_agreed() {
        let unasked = Consent { asked: false, ..consent("own", "openid phone", 1) };
        let (one, _) = none().with(unasked.clone());
        let own = one.of("own").unwrap();
        assert!(own.covers(&unasked) && !own.covers(&consent("own", "", 1)));
        // When people are asked from then on, they have agreed to what they were asked about.
        let (two, _) = one.with(consent("own", "openid", 2));
        let own = two.of("own").unwrap();
        assert!(own.covers(&consent("own", "openid", 3)) && !own.covers(&consent("own", "phone", 3)));
        let (three, _) = two.with(unasked);
        assert!(!three.of("own").unwrap().covers(&consent("own", "openid", 3)));
    }

    #[test]
    fn a_grant_needs_a_consent_that_is_still_there() {
        let (one, _) = none().with(consent("app", "openid", 1));
        let (two, dropped) = one.with_grant("app", grant(1), at(5)).unwrap();
        assert!(dropped.is_empty() && two.of("app").unwrap().used == at(5));
        let (gone, ended) = two.without("app").unwrap();
        assert_eq!(ended.grants, [grant(1)]);
        assert!(gone.with_grant("app", grant(2), at(6)).is_none() && gone.without("app").is_none());
    }

    #[test]
    fn both_lists_are_bounded_and_the_oldest_gives_way() {
        let mut all = none();
        for number in 0..MAX_CONSENTS {
            let (next, dropped) =
                all.with(consent(&format!("app{number}"), "openid", i64::try_from(number).unwrap()));
            assert!(dropped.is_empty());
            all = next;
        }
        all = all.with_grant("app1", grant(7), at(1)).unwrap().0;
        let (all, dropped) = all.with(consent("more", "openid", 1000));
        assert!(dropped.is_empty() && all.of("app0").is_none() && all.all.len() == MAX_CONSENTS);
        let (all, dropped) = all.with(consent("evenmore", "openid", 1000));
        assert_eq!((dropped, all.all.len()), (vec![grant(7)], MAX_CONSENTS));
        let mut one = none().with(consent("app", "openid", 1)).0;
        for number in 0..MAX_GRANTS_OF_CLIENT {
            let (next, dropped) = one.with_grant("app", grant(u8::try_from(number).unwrap()), at(2)).unwrap();
            assert!(dropped.is_empty());
            one = next;
        }
        let (one, dropped) = one.with_grant("app", grant(200), at(2)).unwrap();
        assert_eq!((dropped, one.of("app").unwrap().grants.len()), (vec![grant(0)], MAX_GRANTS_OF_CLIENT));
    }
}

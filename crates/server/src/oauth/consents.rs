//! What people have agreed to, and what rests on it.

use std::sync::Arc;

use gateward_kernel::grant::Ending;
use gateward_kernel::id::{GrantId, PersonId};
use gateward_kernel::oauth::{Consent, Consents as Record};
use gateward_kernel::ports::{Fault, Kv};
use gateward_kernel::record::{Book, Decision};
use gateward_kernel::time::Moment;

use crate::tokens::grants::Grants;

/// So many are read at once.
const PAGE: usize = 100;

/// All of it.
pub struct Consents {
    book: Book<Record>,
    grants: Arc<Grants>,
}

impl std::fmt::Debug for Consents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Consents")
    }
}

impl Consents {
    /// Consents in this durable store, remembered in up to `cache` bytes.
    pub fn new(kv: Arc<dyn Kv>, cache: usize, grants: Arc<Grants>) -> Self {
        Consents { book: Book::with_near_cache(kv, cache), grants }
    }

    /// All that this person has agreed to.
    pub async fn of(&self, person: PersonId, now: Moment) -> Result<Record, Fault> {
        let found = self.book.load(person, now).await?;
        Ok(found.map_or_else(|| Record::none(person), |found| found.record.clone()))
    }

    /// Writes down that the person agrees to this.
    pub async fn give(&self, person: PersonId, consent: Consent, now: Moment) -> Result<(), Fault> {
        let dropped = loop {
            let decide = |record: &Record| {
                let (next, dropped) = record.with(consent.clone());
                match next == *record {
                    true => Decision::Leave(dropped),
                    false => Decision::Write(next, dropped),
                }
            };
            if let Some((_, dropped)) = self.book.change(person, now, decide).await? {
                break dropped;
            }
            let (first, _) = Record::none(person).with(consent.clone());
            if self.book.create(first, now).await?.is_some() {
                break Vec::new();
            }
        };
        self.end(&dropped, now).await
    }

    /// Writes down that this grant rests on what was agreed to; whether it is still agreed to.
    pub async fn with_grant(
        &self,
        person: PersonId,
        client: &str,
        grant: GrantId,
        now: Moment,
    ) -> Result<bool, Fault> {
        let decide = |record: &Record| match record.with_grant(client, grant, now) {
            Some((next, dropped)) => Decision::Write(next, Some(dropped)),
            None => Decision::Leave(None),
        };
        let Some((_, Some(dropped))) = self.book.change(person, now, decide).await? else { return Ok(false) };
        self.end(&dropped, now).await?;
        Ok(true)
    }

    /// Takes back what was agreed to for this client, and ends everything that rests on it; whether there was anything.
    pub async fn withdraw(&self, person: PersonId, client: &str, now: Moment) -> Result<bool, Fault> {
        let decide = |record: &Record| match record.without(client) {
            Some((next, gone)) => Decision::Write(next, Some(gone)),
            None => Decision::Leave(None),
        };
        let Some((_, Some(gone))) = self.book.change(person, now, decide).await? else { return Ok(false) };
        self.end(&gone.grants, now).await?;
        Ok(true)
    }

    /// Takes back what anybody has agreed to for this client, and ends everything that rests on it. Looks at everybody.
    pub async fn withdraw_all(&self, client: &str, now: Moment) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let (found, next) = self.book.page(after, PAGE, now).await?;
            for found in found.iter().filter(|found| found.record.of(client).is_some()) {
                self.withdraw(found.record.person, client, now).await?;
            }
            match next {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// Forgets a person who goes, and ends everything that rests on what they have agreed to.
    pub async fn forget(&self, person: PersonId, now: Moment) -> Result<(), Fault> {
        // Ended first and taken away then: a crash in between is repeated.
        for consent in self.of(person, now).await?.all {
            self.end(&consent.grants, now).await?;
        }
        if let Some(gone) = self.book.remove(person).await? {
            for consent in gone.record.all {
                self.end(&consent.grants, now).await?;
            }
        }
        Ok(())
    }

    async fn end(&self, grants: &[GrantId], now: Moment) -> Result<(), Fault> {
        for grant in grants {
            self.grants.end(*grant, Ending::Asked, now).await?;
        }
        Ok(())
    }
}

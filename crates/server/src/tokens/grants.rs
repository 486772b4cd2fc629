//! Grants: load, decide, commit. What hangs on sessions ends with them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gateward_guard::Dependents;
use gateward_kernel::grant::{Ending, Given, Grant, Keys, RefreshPolicy, RefreshToken, Refreshed};
use gateward_kernel::id::{GrantId, PersonId};
use gateward_kernel::ports::{Answer, Fault, FaultKind, Kv};
use gateward_kernel::record::{Book, Decision, Loaded};
use gateward_kernel::secret::{Entropy, RootKey};
use gateward_kernel::session::Session;
use gateward_kernel::status::{StatusIndex, SubjectTag};
use gateward_kernel::time::Moment;
use parking_lot::Mutex;

use super::status::Status;

/// The grants of this installation.
pub struct Grants {
    book: Book<Grant>,
    keys: Keys,
    status: Arc<Status>,
    policy: RefreshPolicy,
    entropy: Arc<dyn Entropy>,
    places: Mutex<HashMap<Box<str>, StatusIndex>>,
}

/// So many clients' places are remembered.
const MOST_PLACES: usize = 10_000;

impl std::fmt::Debug for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Grants")
    }
}

impl Grants {
    /// Grants in this durable store, remembered in up to `cache` bytes.
    pub fn new(
        kv: Arc<dyn Kv>,
        cache: usize,
        status: Arc<Status>,
        policy: RefreshPolicy,
        root: &RootKey,
        entropy: Arc<dyn Entropy>,
    ) -> Arc<Self> {
        let book = Book::with_near_cache(kv, cache);
        Arc::new(Grants { book, keys: Keys::new(root), status, policy, entropy, places: Mutex::default() })
    }

    /// A new grant. It is worth nothing until its tokens are handed out, which is done after it was hung on its session.
    pub async fn begin(&self, given: Given, now: Moment) -> Result<Arc<Loaded<Grant>>, Fault> {
        let id = self.fresh_id();
        let contended = || Fault::new("entropy", FaultKind::Contended, "a random grant id was in use");
        self.begin_as(id, given, now).await?.ok_or_else(contended)
    }

    /// An id for a grant to come.
    pub fn fresh_id(&self) -> GrantId {
        GrantId::random(&*self.entropy)
    }

    /// The same under an id that was fixed before; none when that grant has been [forbidden](Self::forbid) meanwhile.
    pub async fn begin_as(
        &self,
        id: GrantId,
        given: Given,
        now: Moment,
    ) -> Result<Option<Arc<Loaded<Grant>>>, Fault> {
        let grant = Grant::begin(id, given, &*self.entropy, now, &self.policy);
        self.create(grant, now).await
    }

    /// A new grant that is over after `lifetime`: for an access token without a refresh token.
    pub async fn begin_for(
        &self,
        given: Given,
        lifetime: Duration,
        now: Moment,
    ) -> Result<Arc<Loaded<Grant>>, Fault> {
        let mut grant = Grant::begin(self.fresh_id(), given, &*self.entropy, now, &self.policy);
        grant.ends = grant.ends.min(now + lifetime);
        let contended = || Fault::new("entropy", FaultKind::Contended, "a random grant id was in use");
        self.create(grant, now).await?.ok_or_else(contended)
    }

    async fn create(&self, grant: Grant, now: Moment) -> Result<Option<Arc<Loaded<Grant>>>, Fault> {
        let grant = grant.placed(self.status.place(now).await?);
        self.book.create(grant, now).await
    }

    /// Ends a grant that there may be already, or will not come to be.
    pub async fn forbid(&self, id: GrantId, given: Given, now: Moment) -> Result<(), Fault> {
        let never = Grant::begin(id, given, &*self.entropy, now, &self.policy).end(Ending::Reused, now);
        match self.book.create(never, now).await? {
            Some(_) => Ok(()),
            None => self.end(id, Ending::Reused, now).await,
        }
    }

    /// Where the revocation of a client's own tokens is published. Many share a place: they are revoked by a cut of all.
    pub async fn place_of_client(&self, client: &str, now: Moment) -> Result<StatusIndex, Fault> {
        if let Some(place) = self.places.lock().get(client).filter(|place| place.is_open(now)) {
            return Ok(*place);
        }
        let place = self.status.place(now).await?;
        let mut places = self.places.lock();
        if places.len() >= MOST_PLACES {
            places.clear();
        }
        places.insert(client.into(), place);
        Ok(place)
    }

    /// The grant's present refresh token.
    pub fn token(&self, grant: &Grant) -> RefreshToken {
        self.keys.token(grant)
    }

    /// The grant of that id, dead or alive.
    pub async fn load(&self, id: GrantId, now: Moment) -> Result<Option<Arc<Loaded<Grant>>>, Fault> {
        self.book.load(id, now).await
    }

    /// The grant of that id, if memory knows it.
    pub fn hit(&self, id: GrantId, now: Moment) -> Option<Arc<Loaded<Grant>>> {
        self.book.hit(&id, now)
    }

    /// The grant that a refresh token belongs to, in whatever generation.
    pub async fn of_token(
        &self,
        token: &RefreshToken,
        now: Moment,
    ) -> Result<Option<(Arc<Loaded<Grant>>, u32)>, Fault> {
        // Garbage asks no store.
        if !self.keys.made(token) {
            return Ok(None);
        }
        let Some(grant) = self.book.load(token.id, now).await? else { return Ok(None) };
        let generation = self.keys.generation(&grant.record, token);
        Ok(generation.map(|generation| (grant, generation)))
    }

    /// Refreshes by a token of this generation: one change, or none when the same answer is given again.
    pub async fn refresh(
        &self,
        id: GrantId,
        generation: u32,
        now: Moment,
    ) -> Result<Option<(Arc<Loaded<Grant>>, Refreshed)>, Fault> {
        let Some(seen) = self.book.load(id, now).await? else { return Ok(None) };
        let moves = seen.record.status.is_none_or(|place| !place.is_open(now));
        // Taken beforehand, because the decision may be made several times; one that is not used is lost.
        let place = if moves { Some(self.status.place(now).await?) } else { None };
        let decide = |grant: &Grant| match grant.refresh(generation, now, &self.policy) {
            Decision::Write(next, Refreshed::Rotated) => {
                let placed = place.map_or_else(|| next.clone(), |place| next.placed(place));
                Decision::Write(placed, Refreshed::Rotated)
            }
            other => other,
        };
        let refreshed = self.book.change(id, now, decide).await?;
        if let Some((grant, Refreshed::Reused)) = &refreshed {
            self.revoke(&grant.record, now).await?;
        }
        Ok(refreshed)
    }

    /// Ends a grant and revokes its access tokens. To be repeated without harm.
    pub async fn end(&self, id: GrantId, why: Ending, now: Moment) -> Result<(), Fault> {
        let decide = |grant: &Grant| match grant.ended {
            Some(_) => Decision::Leave(()),
            None => Decision::Write(grant.end(why, now), ()),
        };
        match self.book.change(id, now, decide).await? {
            Some((grant, ())) => self.revoke(&grant.record, now).await,
            None => Ok(()),
        }
    }

    async fn revoke(&self, grant: &Grant, now: Moment) -> Result<(), Fault> {
        let places: Vec<_> = grant.places().collect();
        self.status.revoke(&places, now).await
    }
}

impl Dependents for Grants {
    fn end_with<'a>(&'a self, session: &'a Session, now: Moment) -> Answer<'a, ()> {
        Box::pin(async move {
            for grant in &session.grants {
                self.end(*grant, Ending::Asked, now).await?;
            }
            Ok(())
        })
    }

    fn end_with_person(&self, person: PersonId, now: Moment) -> Answer<'_, ()> {
        Box::pin(async move { self.status.cut(SubjectTag::of(&person.to_string()), now).await })
    }
}

//! The session service: every flow is load, decide, commit by one compare-and-set.

mod listing;

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::handle::HandleKey;
use gateward_kernel::id::{GrantId, PersonId, SessionId};
use gateward_kernel::ports::{Answer, Fault, FaultKind, Kv};
use gateward_kernel::record::{Book, Decision, Loaded};
use gateward_kernel::secret::{Entropy, RootKey, Secret};
use gateward_kernel::session::{
    Data, DataRefusal, Entry, Handle, Origin, Policy, Roster, Session, SignIn, Standing, Transport,
};
use gateward_kernel::time::{Clock, Moment};
use serde_json::Value;

use crate::people::{Accountable, People};

/// A session that lives, and who it belongs to.
pub struct Living<P> {
    /// The session as it is stored.
    pub session: Arc<Loaded<Session>>,
    /// The person who signed in; nobody for a guest.
    pub person: Option<Arc<P>>,
}

impl<P> Clone for Living<P> {
    fn clone(&self) -> Self {
        Living { session: self.session.clone(), person: self.person.clone() }
    }
}

impl<P> std::fmt::Debug for Living<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Living({:?})", self.session.record.id)
    }
}

/// A session with a new secret, which only its owner may see.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The session as it is stored.
    pub session: Arc<Loaded<Session>>,
    /// Its secret.
    pub handle: Handle,
}

/// What hangs on sessions and ends with them.
pub trait Dependents: Send + Sync + 'static {
    /// Ends what hangs on this session. Called before the session is taken away, and to be repeated without harm.
    fn end_with<'a>(&'a self, session: &'a Session, now: Moment) -> Answer<'a, ()>;
    /// Ends what hangs on a person and on no session, after their `valid_from` was moved to `now`.
    fn end_with_person(&self, person: PersonId, now: Moment) -> Answer<'_, ()>;
    /// Writes down whoever is to hear of the end of this session, which is about to be decided elsewhere: a failure between the
    /// decision and [`end_with`](Self::end_with) forgets nobody. To be repeated without harm, also when the session lives on.
    fn announce<'a>(&'a self, _session: &'a Session, _now: Moment) -> Answer<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
    /// The session is gone: only a hint that now is the time to tell of it.
    fn gone(&self, _session: &Session) {}
}

/// Sessions over a store, for the people of `P`.
pub struct Sessions<P: People> {
    book: Book<Session>,
    rosters: Book<Roster>,
    people: P,
    policy: Policy,
    key: HandleKey<SessionId>,
    entropy: Arc<dyn Entropy>,
    dependents: Option<Arc<dyn Dependents>>,
}

impl<P: People> std::fmt::Debug for Sessions<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}

/// How sessions are remembered near.
#[derive(Clone)]
pub enum Memory {
    /// Those that were used, in up to so many bytes. It stops answering at once when the store's feed is lost.
    Cache(usize),
    /// All of them in up to `budget` bytes, where the store's feed carries them. When the feed is lost it goes on answering what
    /// was so then, for `endurance` by this clock.
    Replica {
        /// In bytes.
        budget: usize,
        /// How long.
        endurance: Duration,
        /// By which clock.
        clock: Arc<dyn Clock>,
    },
}

impl From<usize> for Memory {
    fn from(budget: usize) -> Self {
        Memory::Cache(budget)
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Memory::Cache(budget) => write!(f, "Cache({budget})"),
            Memory::Replica { budget, endurance, .. } => write!(f, "Replica({budget}, {endurance:?})"),
        }
    }
}

impl<P: People> Sessions<P> {
    /// Sessions kept in `kv` and remembered near: a number is a cache of so many bytes.
    pub fn new(
        kv: Arc<dyn Kv>,
        memory: impl Into<Memory>,
        people: P,
        policy: Policy,
        root: &RootKey,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Sessions {
            book: match memory.into() {
                Memory::Cache(budget) => Book::with_near_cache(kv.clone(), budget),
                Memory::Replica { budget, endurance, clock } => {
                    Book::replicated(kv.clone(), budget, endurance, clock)
                }
            },
            rosters: Book::new(kv),
            people,
            policy,
            key: HandleKey::new(root),
            entropy,
            dependents: None,
        }
    }

    /// With something that hangs on sessions and ends with them.
    #[must_use]
    pub fn with_dependents(self, dependents: Arc<dyn Dependents>) -> Self {
        Sessions { dependents: Some(dependents), ..self }
    }

    /// The people.
    pub fn people(&self) -> &P {
        &self.people
    }

    /// How long sessions live.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The book of sessions, for figures and lists.
    pub fn book(&self) -> &Book<Session> {
        &self.book
    }

    /// A handle with this id and secret.
    pub fn handle(&self, id: SessionId, secret: Secret) -> Handle {
        self.key.handle(id, secret)
    }

    /// The living session that the secret opens, from memory alone: `None` when memory cannot tell, or when this use
    /// is worth a write. No lock is held, nothing is allocated.
    pub fn check_in_memory(&self, handle: &Handle, now: Moment) -> Option<Living<P::Person>> {
        let session = self.book.hit(&handle.id, now)?;
        let person = match session.record.person() {
            None => None,
            Some(id) => Some(self.people.hit(id, now)?),
        };
        let alive = self.standing(&session.record, handle, person.as_deref(), now) == Standing::Alive;
        (alive && !session.record.wants_touch(now, &self.policy)).then_some(Living { session, person })
    }

    /// The living session that the secret opens. A use that is worth it is written before this answers.
    pub async fn check(&self, handle: &Handle, now: Moment) -> Result<Option<Living<P::Person>>, Fault> {
        if let Some(living) = self.check_in_memory(handle, now) {
            return Ok(Some(living));
        }
        // Garbage asks no store.
        if !self.key.made(handle) {
            return Ok(None);
        }
        let Some(Living { session, person }) = self.living(handle.id, Some(handle), now).await? else {
            return Ok(None);
        };
        if !session.record.wants_touch(now, &self.policy) {
            return Ok(Some(Living { session, person }));
        }
        match self.book.change(handle.id, now, |current| current.touch(now, &self.policy)).await {
            Ok(Some((session, ()))) if session.record.opens_with(&handle.digest()) => {
                Ok(Some(Living { session, person }))
            }
            Ok(_) => Ok(None),
            // The session lives whether or not its use could be written down.
            Err(fault) => {
                tracing::warn!(%fault, "a use of a session could not be written");
                Ok(Some(Living { session, person }))
            }
        }
    }

    /// The living session of that id, if what is presented opens it. Whom memory refuses, the store is asked about: the session may
    /// have been given another secret on another node, or been used there, and this one not have heard of it yet.
    async fn living(
        &self,
        id: SessionId,
        presented: Option<&Handle>,
        now: Moment,
    ) -> Result<Option<Living<P::Person>>, Fault> {
        if let Some(session) = self.book.hit(&id, now)
            && let Some(living) = self.judged(session, presented, now).await?
        {
            return Ok(Some(living));
        }
        match self.book.load_from_store(id, now).await? {
            Some(session) => self.judged(session, presented, now).await,
            None => Ok(None),
        }
    }

    async fn judged(
        &self,
        session: Arc<Loaded<Session>>,
        presented: Option<&Handle>,
        now: Moment,
    ) -> Result<Option<Living<P::Person>>, Fault> {
        let person = match session.record.person() {
            None => None,
            Some(id) => self.people.load(id, now).await?,
        };
        let validity = person.as_deref().map(Accountable::validity);
        let opens = presented.is_none_or(|handle| session.record.opens_with(&handle.digest()));
        let alive = opens && session.record.check_with(validity, now, &self.policy) == Standing::Alive;
        Ok(alive.then_some(Living { session, person }))
    }

    fn standing(
        &self,
        session: &Session,
        handle: &Handle,
        person: Option<&P::Person>,
        now: Moment,
    ) -> Standing {
        if !session.opens_with(&handle.digest()) {
            return Standing::WrongSecret;
        }
        session.check_with(person.map(Accountable::validity), now, &self.policy)
    }

    /// Begins a session for somebody who has not signed in.
    pub async fn begin_guest(&self, origin: Origin, now: Moment) -> Result<Opened, Fault> {
        let handle = self.fresh_handle();
        let session = Session::guest(handle.id, handle.digest(), origin, now, &self.policy);
        self.create(session, handle, now).await
    }

    /// Signs a person in, always under a new secret.
    ///
    /// The session that was presented is taken over with its data when it is a guest's or the same person's own and
    /// travels the same way; that of another person is ended. The secret that was presented opens nothing afterwards.
    pub async fn sign_in(
        &self,
        presented: Option<&Handle>,
        sign_in: SignIn,
        transport: Transport,
        origin: Origin,
        now: Moment,
    ) -> Result<Opened, Fault> {
        let presented = presented.filter(|handle| self.key.made(handle));
        if let Some(presented) = presented
            && let Some(opened) = self.elevate(presented, sign_in, transport, now).await?
        {
            return Ok(opened);
        }
        let handle = self.fresh_handle();
        let session =
            Session::begin(handle.id, handle.digest(), sign_in, transport, origin, now, &self.policy);
        let entry = Entry { id: session.id, ends: session.ends };
        // Both go into one group commit. A crash between them leaves a listed session that is not there, which every
        // reader of the list expects, or an unlisted one whose secret nobody was told.
        let (listed, opened) =
            tokio::join!(self.enlist(sign_in.person, entry, now), self.create(session, handle, now));
        listed?;
        let opened = opened?;
        if let Some(presented) = presented {
            self.end_presented(presented, now).await?;
        }
        Ok(opened)
    }

    async fn elevate(
        &self,
        presented: &Handle,
        sign_in: SignIn,
        transport: Transport,
        now: Moment,
    ) -> Result<Option<Opened>, Fault> {
        let (digest, handle) = (presented.digest(), self.handle(presented.id, self.fresh_secret()));
        let validity = self.people.load(sign_in.person, now).await?.map(|person| person.validity());
        let decide = |session: &Session| {
            // What was ended person-wide is dead though it may not be removed yet: it is not signed in to again.
            let ours = session.opens_with(&digest)
                && session.transport == transport
                && session.check_with(validity, now, &self.policy) == Standing::Alive;
            match session.elevate(handle.digest(), sign_in, now, &self.policy) {
                Some(next) if ours => Decision::Write(next, true),
                _ => Decision::Leave(false),
            }
        };
        match self.book.change(presented.id, now, decide).await? {
            Some((session, true)) => {
                let entry = Entry { id: session.record.id, ends: session.record.ends };
                self.enlist(sign_in.person, entry, now).await?;
                Ok(Some(Opened { session, handle }))
            }
            _ => Ok(None),
        }
    }

    /// Hangs a grant on a living session. `None` when the session is gone or has as many as it can.
    pub async fn attach(
        &self,
        id: SessionId,
        grant: GrantId,
        now: Moment,
    ) -> Result<Option<Arc<Loaded<Session>>>, Fault> {
        self.join(id, Some(grant), None, now).await
    }

    /// Hangs a grant on a living session, and makes a client one of its parties. `None` when the session is gone or has as many
    /// grants as it can.
    pub async fn join(
        &self,
        id: SessionId,
        grant: Option<GrantId>,
        client: Option<&str>,
        now: Moment,
    ) -> Result<Option<Arc<Loaded<Session>>>, Fault> {
        let joined = |session: &Session| {
            let next = match grant {
                Some(grant) => session.with_grant(grant)?,
                None => session.clone(),
            };
            Some(client.map_or_else(|| next.clone(), |client| next.with_party(client)))
        };
        let decide = |session: &Session| match joined(session) {
            _ if session.check(now, &self.policy) != Standing::Alive => Decision::Leave(false),
            None => Decision::Leave(false),
            Some(next) if next == *session => Decision::Leave(true),
            Some(next) => Decision::Write(next, true),
        };
        let attached = self.book.change(id, now, decide).await?;
        Ok(attached.filter(|(_, done)| *done).map(|(session, _)| session))
    }

    /// Forgets a grant that has ended.
    pub async fn detach(&self, id: SessionId, grant: GrantId, now: Moment) -> Result<(), Fault> {
        let decide = |session: &Session| match session.grants.contains(&grant) {
            true => Decision::Write(session.without_grant(grant), ()),
            false => Decision::Leave(()),
        };
        self.book.change(id, now, decide).await.map(|_| ())
    }

    /// Writes a use of a session, if it is worth it. `None` when the session does not live.
    pub async fn touch(&self, id: SessionId, now: Moment) -> Result<Option<Living<P::Person>>, Fault> {
        let Some(Living { session, person }) = self.living(id, None, now).await? else { return Ok(None) };
        if !session.record.wants_touch(now, &self.policy) {
            return Ok(Some(Living { session, person }));
        }
        let touched = self.book.change(id, now, |current| current.touch(now, &self.policy)).await?;
        Ok(touched.map(|(session, ())| Living { session, person }))
    }

    /// Gives a living session a new secret. `None` when it is gone.
    pub async fn renew(&self, id: SessionId, now: Moment) -> Result<Option<Opened>, Fault> {
        let handle = self.handle(id, self.fresh_secret());
        let renewed = self.change_living(id, now, |session| session.renewed(handle.digest())).await?;
        Ok(renewed.map(|session| Opened { session, handle }))
    }

    /// Makes a living session outlive the end of all that began at `now` or before; whether it lives. Its owner keeps
    /// the secret they have, so that nothing is lost when what follows fails.
    pub async fn outlive(&self, id: SessionId, now: Moment) -> Result<bool, Fault> {
        let kept = self.change_living(id, now, |session| session.resting_on(now.next())).await?;
        Ok(kept.is_some())
    }

    async fn change_living(
        &self,
        id: SessionId,
        now: Moment,
        next: impl Fn(&Session) -> Session + Send + Sync,
    ) -> Result<Option<Arc<Loaded<Session>>>, Fault> {
        let decide = |session: &Session| match session.check(now, &self.policy) {
            Standing::Alive => Decision::Write(next(session), true),
            _ => Decision::Leave(false),
        };
        let changed = self.book.change(id, now, decide).await?;
        Ok(changed.filter(|(_, alive)| *alive).map(|(session, _)| session))
    }

    /// Changes the application's data by a merge patch (RFC 7396), on the version the caller names, or on any.
    /// `None` when the session is gone.
    pub async fn patch_data(
        &self,
        id: SessionId,
        patch: &Value,
        expected: Option<u64>,
        now: Moment,
    ) -> Result<Option<Result<Data, DataRefusal>>, Fault> {
        let decide = |session: &Session| match session.data.patched(patch, expected, self.policy.data_limit) {
            Ok(data) => Decision::Write(Session { data: data.clone(), ..session.clone() }, Ok(data)),
            Err(refusal) => Decision::Leave(Err(refusal)),
        };
        Ok(self.book.change(id, now, decide).await?.map(|(_, answer)| answer))
    }

    async fn create(&self, session: Session, handle: Handle, now: Moment) -> Result<Opened, Fault> {
        match self.book.create(session, now).await? {
            Some(session) => Ok(Opened { session, handle }),
            None => Err(Fault::new("entropy", FaultKind::Contended, "a random session id was in use")),
        }
    }

    async fn end_presented(&self, presented: &Handle, now: Moment) -> Result<(), Fault> {
        if let Some(session) = self.book.load(presented.id, now).await?
            && session.record.opens_with(&presented.digest())
        {
            self.end(presented.id, now).await?;
        }
        Ok(())
    }

    fn fresh_handle(&self) -> Handle {
        self.handle(SessionId::random(&*self.entropy), self.fresh_secret())
    }

    fn fresh_secret(&self) -> Secret {
        Secret::random(&*self.entropy)
    }

    async fn enlist(&self, person: PersonId, entry: Entry, now: Moment) -> Result<(), Fault> {
        loop {
            let decide = |roster: &Roster| {
                let (next, dropped) = roster.with(entry, self.policy.per_person, now);
                Decision::Write(next, dropped)
            };
            if let Some((_, dropped)) = self.rosters.change(person, now, decide).await? {
                for id in dropped {
                    self.take_away(id, now).await?;
                }
                return Ok(());
            }
            if self.rosters.create(Roster::of(person, entry), now).await?.is_some() {
                return Ok(());
            }
        }
    }
}

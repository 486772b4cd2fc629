//! Listing sessions and ending them.

use std::sync::Arc;

use gateward_kernel::id::{PersonId, SessionId};
use gateward_kernel::ports::Fault;
use gateward_kernel::record::{Decision, Loaded};
use gateward_kernel::session::{Roster, Session, Standing};
use gateward_kernel::time::Moment;

use super::{Opened, Sessions};
use crate::people::{Accountable, People};

impl<P: People> Sessions<P> {
    /// A person's living sessions, the last used first.
    pub async fn list(&self, person: PersonId, now: Moment) -> Result<Vec<Arc<Loaded<Session>>>, Fault> {
        let validity = self.people.load(person, now).await?.map(|person| person.validity());
        let Some(roster) = self.rosters.load(person, now).await? else { return Ok(Vec::new()) };
        let mut living = Vec::new();
        for entry in &roster.record.entries {
            if let Some(session) = self.book.load(entry.id, now).await?
                && session.record.person() == Some(person)
                && session.record.check_with(validity, now, &self.policy) == Standing::Alive
            {
                living.push(session);
            }
        }
        living.sort_by_key(|session| std::cmp::Reverse(session.record.used));
        Ok(living)
    }

    /// The living session of that id, whoever presents it.
    pub async fn find(&self, id: SessionId, now: Moment) -> Result<Option<Arc<Loaded<Session>>>, Fault> {
        Ok(self.living(id, None, now).await?.map(|living| living.session))
    }

    /// Ends one session; whether this call was the one that ended it.
    pub async fn end(&self, id: SessionId, now: Moment) -> Result<bool, Fault> {
        let Some(ended) = self.take_away(id, now).await? else { return Ok(false) };
        if let Some(person) = ended.record.person() {
            self.strike(person, &[id], now).await?;
        }
        Ok(ended.record.check(now, &self.policy) == Standing::Alive)
    }

    /// Ends everything of a person that began at `now` or before, listed or not, and what was listed before, also when it was begun by
    /// a clock that is ahead of ours. Says how many listed ones it met.
    pub async fn end_all(&self, person: PersonId, now: Moment) -> Result<usize, Fault> {
        let announced = self.announce_end(person, None, now).await;
        let open = self.listed(person, now).await;
        // Also when the list cannot be read, and nobody can be told.
        self.people.end_everything(person, now).await?;
        let ended = self.tidy(person, None, &open?, now).await?;
        announced.map(|()| ended)
    }

    /// The ids in a person's list, living or not: to be read before everything is ended, for [`tidy`](Self::tidy).
    pub async fn listed(&self, person: PersonId, now: Moment) -> Result<Vec<SessionId>, Fault> {
        let roster = self.rosters.load(person, now).await?;
        Ok(roster
            .map_or_else(Vec::new, |roster| roster.record.entries.iter().map(|entry| entry.id).collect()))
    }

    /// Writes down who is to hear of the end of a person's listed sessions, but the one to keep: before anything is decided that
    /// ends them, so that an accident after it forgets nobody. A failure of this holds up no end: it is told afterwards.
    pub async fn announce_end(
        &self,
        person: PersonId,
        keep: Option<SessionId>,
        now: Moment,
    ) -> Result<(), Fault> {
        let Some(dependents) = &self.dependents else { return Ok(()) };
        let Some(roster) = self.rosters.load(person, now).await? else { return Ok(()) };
        for entry in roster.record.entries.iter().filter(|entry| Some(entry.id) != keep) {
            if let Some(session) = self.book.load(entry.id, now).await?
                && session.record.parties.is_some()
            {
                dependents.announce(&session.record, now).await?;
            }
        }
        Ok(())
    }

    /// Ends everything of the session's person but this session, which goes on under a new secret. `None` when the
    /// session itself is gone.
    pub async fn end_others(&self, keep: &Session, now: Moment) -> Result<Option<(Opened, usize)>, Fault> {
        let Some(person) = keep.person() else { return Ok(None) };
        // The kept one first: a failure in between ends too little, and is repeated; it never ends the kept one.
        if !self.outlive(keep.id, now).await? {
            return Ok(None);
        }
        let announced = self.announce_end(person, Some(keep.id), now).await;
        let open = self.listed(person, now).await;
        self.people.end_everything(person, now).await?;
        let ended = self.tidy(person, Some(keep.id), &open?, now).await?;
        announced?;
        Ok(self.renew(keep.id, now).await?.map(|kept| (kept, ended)))
    }

    /// Takes away what a person has open and what is dead since `now`, after their `valid_from` was moved to it: the
    /// listed sessions but the one to keep, what hangs on them, and what hangs on the person alone. What was `open` before the
    /// move goes in any case. Says how many sessions it met.
    pub async fn tidy(
        &self,
        person: PersonId,
        keep: Option<SessionId>,
        open: &[SessionId],
        now: Moment,
    ) -> Result<usize, Fault> {
        if let Some(dependents) = &self.dependents {
            dependents.end_with_person(person, now).await?;
        }
        self.remove_listed(person, keep, open, now).await
    }

    /// Takes away the listed sessions that are dead since `now`: the moment decided, this only tidies up. Those that were open before
    /// may rest on a later moment of a clock that is ahead: them it ends.
    async fn remove_listed(
        &self,
        person: PersonId,
        keep: Option<SessionId>,
        open: &[SessionId],
        now: Moment,
    ) -> Result<usize, Fault> {
        let Some(roster) = self.rosters.load(person, now).await? else { return Ok(0) };
        let mut gone = Vec::new();
        let mut ended = 0;
        for entry in roster.record.entries.iter().filter(|entry| Some(entry.id) != keep) {
            let begun_since = match self.book.load(entry.id, now).await? {
                Some(_) if open.contains(&entry.id) => false,
                Some(session) => session.record.subject.as_ref().is_some_and(|subject| subject.since > now),
                None => false,
            };
            if !begun_since {
                ended += usize::from(self.take_away(entry.id, now).await?.is_some());
                gone.push(entry.id);
            }
        }
        self.strike(person, &gone, now).await?;
        Ok(ended)
    }

    /// Takes a session away, and first what hangs on it: whoever is told that it ended can rely on both. What was
    /// attached between the two steps ends in a third.
    pub(super) async fn take_away(
        &self,
        id: SessionId,
        now: Moment,
    ) -> Result<Option<Loaded<Session>>, Fault> {
        let Some(dependents) = &self.dependents else { return self.book.remove(id).await };
        let seen = self.book.load(id, now).await?;
        if let Some(session) = seen.as_ref().filter(|session| session.record.has_dependents()) {
            dependents.end_with(&session.record, now).await?;
        }
        let taken = self.book.remove(id).await?;
        if let Some(session) = taken.as_ref().filter(|session| session.record.has_dependents()) {
            let hangs = |session: &Session| (session.grants.clone(), session.parties.clone());
            if seen.is_none_or(|seen| hangs(&seen.record) != hangs(&session.record)) {
                dependents.end_with(&session.record, now).await?;
            }
            dependents.gone(&session.record);
        }
        Ok(taken)
    }

    async fn strike(&self, person: PersonId, ids: &[SessionId], now: Moment) -> Result<(), Fault> {
        let decide = |roster: &Roster| Decision::Write(roster.without(ids), ());
        self.rosters.change(person, now, decide).await.map(|_| ())
    }
}

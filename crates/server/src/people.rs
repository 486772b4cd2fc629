//! The directory's people as sessions see them: remembered, and kept honest by the directory's feed.

use std::sync::Arc;

use gateward_guard::{Accountable, People};
use gateward_kernel::id::PersonId;
use gateward_kernel::near::{Near, Remembered};
use gateward_kernel::person::Person;
use gateward_kernel::ports::{Answer, Directory, Fault, FaultKind, NotReplaced, Taken, Version};
use gateward_kernel::record::Loaded;
use gateward_kernel::session::Validity;
use gateward_kernel::time::Moment;

use crate::forward::identity::Identity;

/// How often a change is decided again when others keep winning.
const ATTEMPTS: usize = 32;

/// A person, and what is derived from them once instead of at every request.
#[derive(Clone, Debug)]
pub struct Known {
    /// As stored.
    pub loaded: Loaded<Person>,
    /// The identity headers for protected applications.
    pub identity: Identity,
}

impl Known {
    /// The person.
    pub fn person(&self) -> &Person {
        &self.loaded.record
    }
}

impl Remembered for Known {
    type Id = PersonId;

    fn id(&self) -> PersonId {
        self.person().id
    }

    fn version(&self) -> Version {
        self.loaded.version
    }

    /// The identity says the same once more.
    fn weight(&self) -> usize {
        self.person().weight() * 2
    }
}

impl Accountable for Known {
    fn validity(&self) -> Validity {
        self.person().validity()
    }
}

/// People behind a near cache.
#[derive(Clone)]
pub struct DirectoryPeople {
    directory: Arc<dyn Directory>,
    near: Arc<Near<Known>>,
}

impl std::fmt::Debug for DirectoryPeople {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DirectoryPeople")
    }
}

/// Why a person was not changed.
#[derive(Debug)]
pub enum NotChanged<R> {
    /// There is no such person.
    Absent,
    /// What must be unique is taken.
    Taken(Taken),
    /// The decision refused.
    Refused(R),
    /// The directory failed.
    Fault(Fault),
}

impl<R> From<Fault> for NotChanged<R> {
    fn from(fault: Fault) -> Self {
        NotChanged::Fault(fault)
    }
}

impl DirectoryPeople {
    /// The directory's people, remembered in up to `budget` bytes.
    pub fn new(directory: Arc<dyn Directory>, budget: usize) -> Self {
        let near = Arc::new(Near::new("person", budget));
        directory.changes(near.clone());
        DirectoryPeople { directory, near }
    }

    /// The directory beneath.
    pub fn directory(&self) -> &dyn Directory {
        &*self.directory
    }

    /// The cache, for its figures.
    pub fn near(&self) -> &Near<Known> {
        &self.near
    }

    /// Loads, decides and commits one person by compare-and-set; decides again when somebody else was faster.
    pub async fn change<R: Send>(
        &self,
        id: PersonId,
        now: Moment,
        mut decide: impl FnMut(&mut Person) -> Result<(), R> + Send,
    ) -> Result<Person, NotChanged<R>> {
        for _ in 0..ATTEMPTS {
            let Some(Loaded { record: mut person, version, .. }) = self.directory.person(id).await? else {
                return Err(NotChanged::Absent);
            };
            decide(&mut person).map_err(NotChanged::Refused)?;
            person.changed = now;
            match self.directory.replace_person(&person, version).await? {
                Ok(_) => return Ok(person),
                Err(NotReplaced::Absent) => return Err(NotChanged::Absent),
                Err(NotReplaced::Taken(taken)) => return Err(NotChanged::Taken(taken)),
                Err(NotReplaced::Stale) => {}
            }
        }
        Err(Fault::new("directory", FaultKind::Contended, "person").into())
    }
}

impl People for DirectoryPeople {
    type Person = Known;

    fn hit(&self, id: PersonId, _: Moment) -> Option<Arc<Known>> {
        self.near.get(&id)
    }

    fn load(&self, id: PersonId, _: Moment) -> Answer<'_, Option<Arc<Known>>> {
        Box::pin(async move {
            if let Some(known) = self.near.get(&id) {
                return Ok(Some(known));
            }
            let ticket = self.near.ticket(&id);
            let Some(loaded) = self.directory.person(id).await? else { return Ok(None) };
            let identity = Identity::of(&loaded.record).unwrap_or_else(|problem| {
                tracing::error!(person = %id, %problem, "a protected application is told nothing about this person");
                Identity::nobody()
            });
            let known = Arc::new(Known { loaded, identity });
            self.near.offer(ticket, known.clone());
            Ok(Some(known))
        })
    }

    fn end_everything(&self, id: PersonId, now: Moment) -> Answer<'_, ()> {
        Box::pin(async move {
            let end = |person: &mut Person| -> Result<(), std::convert::Infallible> {
                person.end_everything(now);
                Ok(())
            };
            match self.change(id, now, end).await {
                Ok(_) | Err(NotChanged::Absent) => Ok(()),
                Err(NotChanged::Fault(fault)) => Err(fault),
                Err(NotChanged::Taken(_)) => Err(Fault::new("directory", FaultKind::Contended, "person")),
            }
        })
    }
}

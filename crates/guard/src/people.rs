//! Who people are, as far as sessions must know.

use std::sync::Arc;

use gateward_kernel::id::PersonId;
use gateward_kernel::ports::{Answer, Kv};
use gateward_kernel::record::{Book, Decision, Loaded, Record};
use gateward_kernel::secret::Digest;
use gateward_kernel::session::Validity;
use gateward_kernel::time::Moment;
use serde::{Deserialize, Serialize};

/// Somebody whose sessions count only under conditions.
pub trait Accountable: Send + Sync + 'static {
    /// The conditions.
    fn validity(&self) -> Validity;
}

/// Where people are known: a directory, or the [`KvPeople`] of this library.
pub trait People: Send + Sync + 'static {
    /// What is known of a person.
    type Person: Accountable;
    /// What memory knows, without asking any store.
    fn hit(&self, id: PersonId, now: Moment) -> Option<Arc<Self::Person>>;
    /// What is known, from memory or from the store.
    fn load(&self, id: PersonId, now: Moment) -> Answer<'_, Option<Arc<Self::Person>>>;
    /// Makes everything dead that rests on a proof from `now` or before.
    fn end_everything(&self, id: PersonId, now: Moment) -> Answer<'_, ()>;
}

/// A person of an application: the application's own name for them, and what was done to their sessions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Derived from the name.
    pub id: PersonId,
    /// The application's own name for the person: a user name, a row number, an address.
    pub name: String,
    /// What rests on a proof from this moment or before is dead.
    pub valid_from: Moment,
    /// Nothing counts while this is set.
    pub disabled: bool,
}

impl Record for Account {
    const KIND: &'static str = "account";
    const SCHEMA: u8 = 1;
    type Id = PersonId;

    fn id(&self) -> PersonId {
        self.id
    }
    fn death(&self) -> Moment {
        Moment::NEVER
    }
    fn weight(&self) -> usize {
        size_of::<Self>() + self.name.len()
    }
}

impl Accountable for Loaded<Account> {
    fn validity(&self) -> Validity {
        let account = &self.record;
        Validity { person: account.id, from: account.valid_from, disabled: account.disabled }
    }
}

/// The id under which this library keeps the person whom the application calls `name`.
pub fn person_id_of(name: &str) -> PersonId {
    let digest = Digest::of(&[b"gateward person ", name.as_bytes()].concat());
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    PersonId::from_bytes(id)
}

/// People of an application that keeps its own users: one small record each, in the same store as the sessions.
#[derive(Clone, Debug)]
pub struct KvPeople {
    accounts: Book<Account>,
}

impl KvPeople {
    /// People kept in `kv`, remembered in up to `budget` bytes.
    pub fn new(kv: Arc<dyn Kv>, budget: usize) -> Self {
        KvPeople { accounts: Book::with_near_cache(kv, budget) }
    }

    /// Makes sure the person is known, and says under which id.
    pub async fn know(&self, name: &str, now: Moment) -> Result<PersonId, gateward_kernel::ports::Fault> {
        let id = person_id_of(name);
        if self.accounts.load(id, now).await?.is_none() {
            let account = Account { id, name: name.to_owned(), valid_from: Moment::DAWN, disabled: false };
            // When somebody else was faster, the record is there, and that is all that is wanted.
            self.accounts.create(account, now).await?;
        }
        Ok(id)
    }

    /// Keeps a person out, or lets them in again. Keeping out ends all they have open; letting in brings nothing back.
    pub async fn set_disabled(
        &self,
        name: &str,
        disabled: bool,
        now: Moment,
    ) -> Result<(), gateward_kernel::ports::Fault> {
        let id = self.know(name, now).await?;
        let decide = |account: &Account| {
            let valid_from = if disabled { account.valid_from.max(now) } else { account.valid_from };
            Decision::Write(Account { disabled, valid_from, ..account.clone() }, ())
        };
        self.accounts.change(id, now, decide).await.map(|_| ())
    }
}

impl People for KvPeople {
    type Person = Loaded<Account>;

    fn hit(&self, id: PersonId, now: Moment) -> Option<Arc<Self::Person>> {
        self.accounts.hit(&id, now)
    }

    fn load(&self, id: PersonId, now: Moment) -> Answer<'_, Option<Arc<Self::Person>>> {
        Box::pin(self.accounts.load(id, now))
    }

    fn end_everything(&self, id: PersonId, now: Moment) -> Answer<'_, ()> {
        Box::pin(async move {
            let decide = |account: &Account| {
                let valid_from = account.valid_from.max(now);
                Decision::Write(Account { valid_from, ..account.clone() }, ())
            };
            self.accounts.change(id, now, decide).await.map(|_| ())
        })
    }
}

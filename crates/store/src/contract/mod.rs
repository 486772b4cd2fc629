//! What every store must do, as a list of named cases: for the stores of this crate and for any other.
//!
//! A store's test gives each case of [`cases`] that [applies](Case::applies_to) a fresh [`Subject`] and fails with
//! what [`Case::run`] says:
//!
//! ```no_run
//! # use gateward_store::contract::{self, Subject};
//! # async fn check(fresh: impl Fn() -> Box<dyn Subject>, traits: &gateward_kernel::ports::Traits) {
//! for case in contract::cases().iter().filter(|case| case.applies_to(traits)) {
//!     if let Err(failure) = case.run(&*fresh()).await {
//!         panic!("{}: {failure}", case.name());
//!     }
//! }
//! # }
//! ```

/// Ends the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($said:tt)+) => {
        if !$condition {
            return Err($crate::contract::Failure(format!($($said)+)));
        }
    };
}

mod changes;
mod lists;
mod races;
mod values;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::ports::{Answer, Created, Fault, Key, Kv, Replaced, Stored, Traits, Version};
use gateward_kernel::time::Moment;

/// A case that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A store to be tried: a fresh one for each case.
pub trait Subject: Send + Sync {
    /// A handle. The first call opens an empty store. Each further call opens another handle on the same records, as
    /// another process would have it, or as this one has it after a restart; it is made only for stores that are
    /// durable or shared.
    fn open(&self) -> Answer<'_, Arc<dyn Kv>>;
}

/// One thing that a store must do.
pub struct Case {
    name: &'static str,
    needs: fn(&Traits) -> bool,
    run: for<'a> fn(&'a dyn Subject) -> Run<'a>,
}

type Run<'a> = Pin<Box<dyn Future<Output = Checked> + Send + 'a>>;

/// What a case found.
type Checked = Result<(), Failure>;

/// How a store failed a case.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure(format!("unexpected fault: {fault}"))
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Failure(format!("a call panicked: {error}"))
    }
}

impl Case {
    /// Its name, which says what is demanded.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is demanded of a store with these traits.
    pub fn applies_to(&self, traits: &Traits) -> bool {
        (self.needs)(traits)
    }

    /// Tries it. Must be called within a tokio runtime of several threads that has its timer.
    pub async fn run(&self, subject: &dyn Subject) -> Result<(), Failure> {
        match tokio::time::timeout(PATIENCE, (self.run)(subject)).await {
            Ok(checked) => checked,
            Err(_) => Err(Failure(format!("hangs for {} s", PATIENCE.as_secs()))),
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All cases.
pub fn cases() -> &'static [Case] {
    macro_rules! case {
        ($name:literal, $needs:expr, $module:ident :: $function:ident) => {
            Case { name: $name, needs: $needs, run: |subject| Box::pin($module::$function(subject)) }
        };
    }
    const {
        &[
            case!("ping", all, values::ping),
            case!("create-then-get", all, values::create_then_get),
            case!("create-refuses-existing", all, values::create_refuses_existing),
            case!("stale-is-a-result", all, values::stale_is_a_result),
            case!("replace-never-resurrects", all, values::replace_never_resurrects),
            case!("remove-then-create-has-newer-version", all, values::recreated_is_newer),
            case!("values-from-empty-to-the-largest", all, values::sizes_of_values),
            case!("ids-from-empty-to-the-longest", all, values::sizes_of_ids),
            case!("ids-of-odd-bytes", all, values::odd_ids),
            case!("death-times-are-kept", all, values::deaths_are_kept),
            case!("the-dead-are-read-until-swept", all, values::the_dead_are_read),
            case!("kinds-do-not-mix", all, values::kinds_do_not_mix),
            case!("a-second-handle-sees-acknowledged-writes", several, values::second_handle),
            case!("reopened-it-is-all-there", |traits| traits.durable, values::reopened),
            case!("fifty-racing-creates-one-wins", all, races::creates),
            case!("fifty-racing-replaces-one-wins-per-version", all, races::replaces),
            case!("fifty-racing-removes-one-gets-the-bytes", all, races::removes),
            case!("racing-changes-through-two-handles-lose-nothing", several, races::two_handles),
            case!("a-cancelled-write-is-whole-or-absent", all, races::cancelled),
            case!("sweep-takes-only-the-dead-and-is-bounded", |traits| !traits.expires, lists::sweep),
            case!("pages-are-complete-and-in-order", |traits| traits.pages, lists::complete),
            case!("pages-are-stable-under-writes", |traits| traits.pages, lists::stable),
            case!("own-changes-are-told-before-the-answer", all, changes::own),
            case!("changes-of-a-record-are-told-in-order", all, changes::in_order),
            case!("what-did-not-happen-is-not-told", all, changes::nothing_happened),
            case!("changes-elsewhere-are-told-within-a-second", |traits| traits.pushes, changes::elsewhere),
        ]
    }
}

const fn all(_: &Traits) -> bool {
    true
}

fn several(traits: &Traits) -> bool {
    traits.shared
}

/// Far enough in the future for every case.
const LATE: Moment = Moment::from_micros(4_000_000_000_000_000);

fn key(id: impl AsRef<[u8]>) -> Key {
    Key::new("case", id)
}

async fn create(kv: &dyn Kv, key: &Key, value: &[u8]) -> Result<Version, Failure> {
    match kv.create(key, Bytes::copy_from_slice(value), LATE).await? {
        Created::Done(version) => Ok(version),
        Created::Exists => Err(Failure(format!("{key:?} exists already"))),
    }
}

async fn replace(kv: &dyn Kv, key: &Key, expected: Version, value: &[u8]) -> Result<Version, Failure> {
    match kv.replace(key, expected, Bytes::copy_from_slice(value), LATE).await? {
        Replaced::Done(version) => Ok(version),
        other => Err(Failure(format!("{key:?} is not replaced: {other:?}"))),
    }
}

async fn get(kv: &dyn Kv, key: &Key) -> Result<Stored, Failure> {
    kv.get(key).await?.ok_or_else(|| Failure(format!("{key:?} is absent")))
}

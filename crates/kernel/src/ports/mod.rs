//! The ports: what the law needs from the world, as traits that a store fulfils.

mod directory;
mod fault;
mod kv;

pub use directory::{Directory, NotReplaced, PeopleQuery, SealedKey, Taken};
pub use fault::{Fault, FaultKind};
pub use kv::{Created, Key, Kv, Listener, Page, Replaced, Stored, Traits, Version};

use std::future::Future;
use std::pin::Pin;

/// What a port answers: a value, or the fault that kept it from answering.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

//! From what SQLite says to what the ports call it.

use gateward_kernel::ports::{Fault, FaultKind};
use rusqlite::ErrorCode;

use super::ENGINE;

/// A fault on its way out of a statement: so that `?` works on the errors of the libraries beneath.
#[derive(Debug)]
pub(super) struct Trouble(pub(super) Fault);

/// What a piece of database work comes to.
pub(super) type Outcome<T> = Result<T, Trouble>;

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => FaultKind::Unreadable,
                ErrorCode::TooBig => FaultKind::TooLarge,
                _ => FaultKind::Unavailable,
            },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => FaultKind::Unreadable,
            _ => FaultKind::Unavailable,
        };
        // Statements are constant texts and values are bound, so no message holds a value.
        Trouble(Fault::new(ENGINE, kind, error))
    }
}

impl Trouble {
    /// A row whose JSON cannot be read. The position is said, the content is not.
    pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> Self {
        Trouble(crate::sql::unreadable(ENGINE, what, error))
    }
}

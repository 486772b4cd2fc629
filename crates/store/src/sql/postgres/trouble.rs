//! From what PostgreSQL and its line say to what the ports call it.

use std::error::Error as _;

use gateward_kernel::ports::{Fault, FaultKind};
use tokio_postgres::error::{DbError, Severity, SqlState};

use super::ENGINE;

/// The fault that an error is for the caller of a read, or of a write that certainly did not happen.
pub(super) fn fault(error: &tokio_postgres::Error) -> Fault {
    let kind = match error.as_db_error().map(DbError::code) {
        Some(&SqlState::QUERY_CANCELED) => FaultKind::TimedOut,
        Some(&SqlState::PROGRAM_LIMIT_EXCEEDED | &SqlState::STRING_DATA_LENGTH_MISMATCH) => {
            FaultKind::TooLarge
        }
        Some(&SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED) => FaultKind::Unreadable,
        _ => FaultKind::Unavailable,
    };
    Fault::new(ENGINE, kind, said(error))
}

/// What went wrong in words. Statements are constant texts and values are bound; the detail of a message, which may hold
/// them, is left out.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    if let Some(told) = error.as_db_error() {
        return format!("{} ({})", told.message(), told.code().code());
    }
    let mut said = error.to_string();
    let mut deeper = error.source();
    while let Some(cause) = deeper {
        let cause_said = cause.to_string();
        if !said.contains(&cause_said) {
            said = format!("{said}: {cause_said}");
        }
        deeper = cause.source();
    }
    said
}

/// Whether the connection is of no use any more: cut, ended by the server, or one to a server that takes no writes now.
pub(super) fn breaks(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        None => true,
        Some(told) => {
            // As it was meant, in whatever language it is written.
            told.parsed_severity() != Some(Severity::Error)
                || *told.code() == SqlState::READ_ONLY_SQL_TRANSACTION
        }
    }
}

/// Whether the transaction was rolled back for no fault of its own: the same may be done again.
pub(super) fn may_pass(error: &tokio_postgres::Error) -> bool {
    let code = error.as_db_error().map(DbError::code);
    matches!(code, Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
}

/// A call took too long.
pub(super) fn late(patience: std::time::Duration) -> Fault {
    Fault::new(ENGINE, FaultKind::TimedOut, format!("waited {} ms", patience.as_millis()))
}

/// What is said when the store has ended.
pub(super) fn gone() -> Fault {
    Fault::new(ENGINE, FaultKind::Unavailable, "the store is closed")
}

/// A stored row that is not what was written.
pub(super) fn strange(error: &tokio_postgres::Error) -> Fault {
    Fault::new(ENGINE, FaultKind::Unreadable, said(error))
}

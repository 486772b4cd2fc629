//! Stores around a store. Around a driver they are put in this order: deadlines nearest to it, figures outside, so
//! that a time-out is counted too.

mod deadline;
mod metered;

pub use deadline::Deadline;
pub use metered::{BOUNDS, Figure, Meter, Metered, Operation, Outcome};

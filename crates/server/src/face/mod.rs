//! The faces of the program: pages, JSON, plain text; and how a request becomes a handler's visit.

pub mod answer;
pub mod assets;
pub mod dispatch;
pub mod failure;
pub mod form;
pub mod gate;
pub mod language;
pub mod page;
pub mod payload;
pub mod steering;
pub mod visit;

//! The law of Gateward: pure decisions and the ports through which they reach the world.
//!
//! Nothing here does I/O, knows a runtime or speaks HTTP. A decision takes the current record, the request and the
//! [`Moment`](time::Moment), and returns the next record or a [`Refusal`](refusal::Refusal); one compare-and-set on a
//! [`Kv`](ports::Kv) commits it. Clocks and randomness come in as values, so every test can hold time still.

pub mod assertion;
pub mod claims;
pub mod confirmation;
pub mod dpop;
pub mod event;
pub mod grant;
pub mod handle;
pub mod id;
pub mod jose;
pub mod keyring;
pub mod near;
pub mod node;
pub mod oauth;
pub mod once;
pub mod person;
pub mod ports;
pub mod reach;
pub mod record;
pub mod redirect;
pub mod refusal;
pub mod request_object;
pub mod secret;
pub mod session;
pub mod status;
pub mod throttle;
pub mod time;
pub mod token;

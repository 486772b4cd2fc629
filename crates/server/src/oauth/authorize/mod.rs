//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2): a client asks, a person signs in and agrees, and the client
//! gets an answer.
//!
//! [`law`] reads the request in the order of its checks: until client and redirect URI are proven an error is a page, afterwards it
//! is an answer to the client. What has to be asked of the person follows from the request, the session and what they agreed
//! to before ([`step`]); nothing of it is stored while they are asked: the request travels with them, sealed ([`flow`]).

pub mod flow;
pub mod law;
pub mod reply;
pub mod step;
pub mod web;

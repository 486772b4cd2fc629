//! Device authorization (RFC 8628): for what has no browser, or no keys to type on. [`request`] is where a device asks, [`web`]
//! where a person types its code and decides, [`store`] what is kept between; how it hears of it is a
//! [grant](super::grants::device).
//!
//! A person who is sent a code by somebody else lets a stranger in: nothing here goes on by itself, the page names the client and
//! says so, and consent is asked every time.

pub mod request;
pub mod store;
pub mod web;

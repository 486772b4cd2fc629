//! Sessions as people and programs meet them: how the secret is presented, the JSON API, and sign-out.

pub mod device;
pub mod present;
pub mod url;
pub mod view;
pub mod web;

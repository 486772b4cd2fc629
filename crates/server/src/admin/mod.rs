//! Administration: people, and cutting their access, on pages and in JSON.

pub mod api;
pub mod flow;
pub mod web;

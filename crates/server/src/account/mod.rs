//! `/account`: what a person sees and changes about themselves.

pub mod web;

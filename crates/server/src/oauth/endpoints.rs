//! The endpoints that machines ask, readable from top to bottom: path, methods, what they take, what for, handler.

use std::future::Future;
use std::pin::Pin;

use http::Method;

use super::call::{Answered, Call};
use super::{device, introspect, pushed, registration, revoke, token, userinfo};

/// What an endpoint does.
pub type Handler = fn(Call) -> Pin<Box<dyn Future<Output = Answered> + Send>>;

/// What an endpoint takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    /// A form.
    Form,
    /// A form, or no body at all.
    FormOrNothing,
    /// Whatever its handler reads itself.
    Anything,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Its path; with a slash at its end whatever lies one step below.
    pub path: &'static str,
    /// The methods it takes.
    pub methods: &'static [Method],
    /// What it takes.
    pub takes: Takes,
    /// Whether pages of clients may call it from a browser (CORS).
    pub from_pages: bool,
    /// What for, in a line.
    pub about: &'static str,
    /// What it does.
    pub handler: Handler,
}

macro_rules! row {
    ($path:literal, $methods:expr, $takes:ident, $pages:literal, $about:literal, $handler:path) => {
        Endpoint {
            path: $path,
            methods: $methods,
            takes: Takes::$takes,
            from_pages: $pages,
            about: $about,
            handler: |call| Box::pin($handler(call)),
        }
    };
}

const POST: &[Method] = &[Method::POST];
const MANAGE: &[Method] = &[Method::GET, Method::PUT, Method::DELETE];
const GET_OR_POST: &[Method] = &[Method::GET, Method::POST];

/// The table.
pub const ENDPOINTS: &[Endpoint] = &[
    row!("/oauth/token", POST, Form, true, "issues tokens (RFC 6749 §3.2)", token::answer),
    row!(
        "/oauth/par",
        POST,
        Form,
        true,
        "takes an authorization request before its person comes with it (RFC 9126)",
        pushed::answer
    ),
    row!("/oauth/device", POST, Form, true, "lets a device ask (RFC 8628 §3.1)", device::request::answer),
    row!("/oauth/introspect", POST, Form, false, "says what a token is (RFC 7662)", introspect::answer),
    row!("/oauth/revoke", POST, Form, true, "revokes a token (RFC 7009)", revoke::answer),
    row!(
        "/oauth/register",
        POST,
        Anything,
        true,
        "registers a client, where the settings let it (RFC 7591)",
        registration::answer
    ),
    row!(
        "/oauth/register/",
        MANAGE,
        Anything,
        true,
        "a client reads, changes or removes its registration (RFC 7592)",
        registration::manage
    ),
    row!(
        "/oauth/userinfo",
        GET_OR_POST,
        FormOrNothing,
        true,
        "says who signed in (OpenID Connect Core §5.3)",
        userinfo::answer
    ),
];

/// The endpoint at this path, and what comes after its own.
pub fn find(path: &str) -> Option<(&'static Endpoint, &str)> {
    if !path.starts_with("/oauth/") {
        return None;
    }
    ENDPOINTS.iter().find_map(|endpoint| {
        let rest = path.strip_prefix(endpoint.path)?;
        let below = endpoint.path.ends_with('/') && !rest.is_empty() && !rest.contains('/');
        (rest.is_empty() && !endpoint.path.ends_with('/') || below).then_some((endpoint, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes the work of a handler takes, which are moved before it begins.
    fn size<R>(_: fn(Call) -> R) -> usize {
        size_of::<R>()
    }

    #[test]
    fn what_is_asked_often_is_not_carried_around_at_length() {
        let sizes = [size(token::answer), size(introspect::answer), size(userinfo::answer)];
        assert!(sizes.iter().all(|size| *size <= 3 * 1024), "{sizes:?}");
    }
}

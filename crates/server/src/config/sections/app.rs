//! The hosts protected by forward-auth, and their rules.

use crate::config::definition::{Record, record};
use crate::config::values::{
    Allow, Cidr, GroupName, HostPattern, Method, PathPattern, ResourceName, ScopeName,
};

record! {
    /// A host that is protected by forward-auth. Its rules are tried in their order, and the first that
    /// matches decides. What no rule matches is denied, and a host that is not listed is refused.
    pub struct App {
        /// The host, in lower case: `wiki.example.com`. With a port (`wiki.example.com:8443`) only that port
        /// is meant, without one every port. `*.example.com` stands for every name one label below
        /// `example.com`.
        host: HostPattern;

        /// What the app is called on the pages; its host when not set.
        name: Option<String> = "";

        /// The `[[resource]]` that the app is. When it is set, whoever comes with an access token that has this
        /// audience in `Authorization: Bearer` is let through like somebody who is signed in, and whatever is no
        /// page is refused in the words of RFC 6750. Apps may share one. When it is not set, access tokens are the
        /// app's own business.
        audience: Option<ResourceName> = "";

        /// Whether an access token may also stand in the query, as `access_token` (RFC 6750, section 2.3). Addresses
        /// stay in logs and histories: only for clients that cannot send a header.
        token_in_query: bool = "false";

        /// The rules, in the order in which they are tried.
        rules: Vec<Rule> = "";
    }
}

record! {
    /// A rule of a protected app. It matches a request when path, method and network do; empty lists match
    /// everything.
    pub struct Rule {
        /// The path: `/x` is exactly that, `/x/*` is `/x` and everything below it, `/*` is every path.
        path: PathPattern;

        /// The methods of the requests that are meant, in capitals.
        methods: Vec<Method> = "";

        /// The networks of the clients that are meant.
        networks: Vec<Cidr> = "";

        /// Who is let through: `everyone`, also without signing in; `signed-in` people; members of one of the
        /// `groups`; or `nobody`.
        allow: Allow;

        /// The groups, when `allow` is `groups`.
        groups: Vec<GroupName> = "";

        /// The scopes that an access token must have, all of them. Who comes by a session needs none: scopes are
        /// what a person gave to an app, and with a session the person is there. Needs `audience`.
        scopes: Vec<ScopeName> = "";
    }
}

impl Record for App {
    const ONE_LINE: bool = false;

    fn check(&self) -> Result<(), String> {
        let needs = |what: &str| {
            Err(format!(
                "{what}, but the app takes no access tokens; set audience to that of its [[resource]]"
            ))
        };
        match self.audience {
            None if self.token_in_query => needs("token_in_query is set"),
            None if self.rules.iter().any(|rule| !rule.scopes.is_empty()) => {
                needs("scopes are named in a rule")
            }
            _ => Ok(()),
        }
    }
}

impl Record for Rule {
    const ONE_LINE: bool = true;

    fn check(&self) -> Result<(), String> {
        if matches!(self.allow, Allow::Everyone | Allow::Nobody) && !self.scopes.is_empty() {
            return Err(format!(
                "scopes are named, but allow is \"{}\", which lets them be ignored; \
                 set allow = \"signed-in\" or \"groups\", or remove the scopes",
                self.allow
            ));
        }
        match (self.allow, self.groups.is_empty()) {
            (Allow::Groups, true) => {
                Err("allow is \"groups\", but no groups are named; add groups = [\"…\"]".to_owned())
            }
            (Allow::Groups, false) | (_, true) => Ok(()),
            (other, false) => Err(format!(
                "groups are named, but allow is \"{other}\", which lets them be ignored; \
                 set allow = \"groups\" or remove the groups"
            )),
        }
    }
}

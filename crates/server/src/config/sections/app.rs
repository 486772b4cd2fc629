//! The hosts protected by forward-auth, and their rules.

use crate::config::definition::{Record, record};
use crate::config::values::{Allow, Cidr, GroupName, HostPattern, Method, PathPattern};

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
    }
}

impl Record for App {
    const ONE_LINE: bool = false;

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Record for Rule {
    const ONE_LINE: bool = true;

    fn check(&self) -> Result<(), String> {
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

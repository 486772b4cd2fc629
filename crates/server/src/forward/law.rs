//! The law of forward-auth: which rule counts, and what it says. Pure, and without an allocation where the answer is yes.
//!
//! The first rule that matches decides. It matches when its path, its methods and its networks do; an empty list of methods or
//! networks matches everything. A listed host without a matching rule is denied. A path that can be read in several ways is
//! judged in each of them, and the strictest verdict counts. An access token is judged as its person is, and needs the scopes
//! of the rule besides.

use std::net::IpAddr;

use gateward_kernel::person::Person;
use gateward_kernel::token::Scope;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::question::Question;
use super::target::loose_path;

/// A protected host and its rules, as they stand in the settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppRules {
    /// `wiki.example.com`, `wiki.example.com:8443`, or `*.example.com` for every name one label below.
    pub host: String,
    /// Which access tokens open it; `None`: tokens are the application's own business.
    pub takes: Option<Takes>,
    /// In the order in which they are tried.
    pub rules: Vec<Rule>,
}

/// Which access tokens open a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Takes {
    /// Those with this audience.
    pub audience: String,
    /// Whether they may stand in the query, too.
    pub in_query: bool,
}

/// One rule, as it stands in the settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// `/x` is exactly that, `/x/*` is `/x` and everything below it, `/*` is every path.
    pub path: String,
    /// In capitals; empty for every method. `GET` stands for `HEAD`, too.
    pub methods: Vec<String>,
    /// The clients' networks; empty for every network.
    pub networks: Vec<IpNet>,
    /// Who is let through.
    pub access: Access,
    /// What an access token must allow. Sessions need no scope.
    pub scopes: Vec<String>,
}

/// Whom a rule lets through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Access {
    /// Also who is not signed in.
    Everyone,
    /// Every signed-in person.
    SignedIn,
    /// Members of at least one of these groups.
    Groups(Vec<String>),
    /// No one.
    Nobody,
}

/// What the law says to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Let it pass.
    Allow,
    /// Nobody is signed in, and somebody who is may pass.
    SignIn,
    /// It does not pass, whoever signs in; or not for this person.
    Denied {
        /// What is missing.
        missing: Missing,
    },
    /// The host is not protected by us, so that no rule speaks for it.
    NotListed,
}

/// What a person lacks to be let through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Missing {
    /// Membership in one of these groups.
    Groups(Vec<String>),
    /// A token that allows this: scopes with blanks between them.
    Scope(String),
    /// A connection from a network that is allowed.
    Network,
    /// A rule that lets anybody through to this address.
    Rule,
}

/// Every protected host, ready to be asked.
#[derive(Debug, Default)]
pub struct Law {
    exact: HashMap<Box<str>, Vec<App>>,
    /// By the name behind the `*.`.
    wildcard: HashMap<Box<str>, Vec<App>>,
    looks_at_queries: bool,
}

#[derive(Debug)]
struct App {
    port: Option<u16>,
    takes: Option<Takes>,
    rules: Vec<Compiled>,
    /// Whether every pattern is its own loose form.
    plain: bool,
}

#[derive(Debug)]
struct Compiled {
    rule: Rule,
    exact: Pattern,
    loose: Pattern,
}

#[derive(PartialEq, Eq, Debug)]
struct Pattern {
    path: Box<str>,
    below: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Exact,
    Loose,
}

/// Who asks: somebody in a session, or somebody whose app has a token with this scope.
#[derive(Clone, Copy)]
struct Caller<'a> {
    person: &'a Person,
    scope: Option<&'a Scope>,
}

impl Law {
    /// The law of these apps. Of two with the same host the first counts.
    pub fn new(apps: impl IntoIterator<Item = AppRules>) -> Law {
        let mut law = Law::default();
        for app in apps {
            law.looks_at_queries |= app.takes.as_ref().is_some_and(|takes| takes.in_query);
            let (map, host) = match app.host.strip_prefix("*.") {
                Some(parent) => (&mut law.wildcard, parent),
                None => (&mut law.exact, app.host.as_str()),
            };
            let behind_bracket = host.rfind(']').map_or(0, |bracket| bracket + 1);
            let colon =
                host.get(behind_bracket..).and_then(|rest| rest.find(':')).map(|at| at + behind_bracket);
            let (name, port) = colon.and_then(|colon| host.split_at_checked(colon)).unwrap_or((host, ""));
            let port = port.strip_prefix(':').and_then(|port| port.parse().ok());
            let rules: Vec<Compiled> = app.rules.into_iter().map(Compiled::new).collect();
            let plain = rules.iter().all(|rule| rule.exact == rule.loose);
            map.entry(name.into()).or_default().push(App { port, takes: app.takes, rules, plain });
        }
        law
    }

    /// Whether this host (lower case, an IPv6 address in brackets) and port are protected.
    pub fn protects(&self, host: &str, port: u16) -> bool {
        self.app(host, port).is_some()
    }

    /// Which access tokens open the host that is asked for.
    pub fn takes(&self, question: &Question<'_>) -> Option<&Takes> {
        self.app(question.host(), question.port())?.takes.as_ref()
    }

    /// Whether any host takes tokens in the query.
    pub(super) fn looks_at_queries(&self) -> bool {
        self.looks_at_queries
    }

    /// Judges a question for the person whose living session came with it, if there is one.
    pub fn decide(&self, question: &Question<'_>, person: Option<&Person>) -> Verdict {
        self.decide_for(question, person.map(|person| Caller { person, scope: None }))
    }

    /// Judges a question for the person whose token came with it, a good one for this host, and what it allows.
    pub fn decide_by_token(&self, question: &Question<'_>, person: &Person, scope: &Scope) -> Verdict {
        self.decide_for(question, Some(Caller { person, scope: Some(scope) }))
    }

    fn decide_for(&self, question: &Question<'_>, caller: Option<Caller<'_>>) -> Verdict {
        let Some(app) = self.app(question.host(), question.port()) else { return Verdict::NotListed };
        let target = question.target();
        let mut verdict = app.judge(question, Form::Exact, target.decoded(), caller);
        if target.raw() != target.decoded() {
            verdict = verdict.stricter(app.judge(question, Form::Exact, target.raw(), caller));
        }
        if !app.plain || target.loose() != target.decoded() {
            verdict = verdict.stricter(app.judge(question, Form::Loose, target.loose(), caller));
        }
        verdict
    }

    /// The most exact app: by name before by wildcard, with this port before without any.
    fn app(&self, host: &str, port: u16) -> Option<&App> {
        let pick = |apps: &'_ Vec<App>| -> Option<usize> {
            let with = apps.iter().position(|app| app.port == Some(port));
            with.or_else(|| apps.iter().position(|app| app.port.is_none()))
        };
        let find =
            |map: &'_ HashMap<Box<str>, Vec<App>>, name: &str| -> Option<usize> { pick(map.get(name)?) };
        if let Some(index) = find(&self.exact, host) {
            return self.exact.get(host)?.get(index);
        }
        let (label, parent) = host.split_once('.')?;
        let index = find(&self.wildcard, parent).filter(|_| !label.is_empty())?;
        self.wildcard.get(parent)?.get(index)
    }
}

impl App {
    fn judge(&self, question: &Question<'_>, form: Form, path: &str, caller: Option<Caller<'_>>) -> Verdict {
        let mut elsewhere = false;
        for rule in &self.rules {
            let pattern = if form == Form::Exact { &rule.exact } else { &rule.loose };
            if !pattern.matches(path) || !rule.takes_method(question.method()) {
                continue;
            }
            match rule.takes_network(question.client()) {
                Some(true) => return rule.rule.judge(caller),
                Some(false) => elsewhere = elsewhere || rule.rule.access != Access::Nobody,
                // The rule may count or not, and there is no telling: nothing may pass by it, nor by one behind it.
                None => return Verdict::Denied { missing: Missing::Network },
            }
        }
        Verdict::Denied { missing: if elsewhere { Missing::Network } else { Missing::Rule } }
    }
}

impl Compiled {
    fn new(rule: Rule) -> Compiled {
        let exact = Pattern::new(&rule.path);
        // A pattern that is odd by itself is still compared, as it stands.
        let loose = loose_path(&exact.path).map_or_else(|_| exact.path.clone(), |path| path.as_ref().into());
        let loose = Pattern { path: loose, below: exact.below };
        Compiled { rule, exact, loose }
    }

    fn takes_method(&self, method: &str) -> bool {
        let methods = &self.rule.methods;
        // A server answers HEAD by what it does for GET (RFC 9110 §9.3.2).
        let listed = |method: &str| methods.iter().any(|listed| listed == method);
        methods.is_empty() || listed(method) || (method == "HEAD" && listed("GET"))
    }

    /// `None` when it depends on an address nobody told.
    fn takes_network(&self, client: Option<IpAddr>) -> Option<bool> {
        if self.rule.networks.is_empty() {
            return Some(true);
        }
        let client = client?.to_canonical();
        Some(self.rule.networks.iter().any(|network| network.contains(&client)))
    }
}

impl Pattern {
    fn new(text: &str) -> Pattern {
        match text.strip_suffix("/*") {
            Some(path) => Pattern { path: path.into(), below: true },
            None => Pattern { path: text.into(), below: false },
        }
    }

    fn matches(&self, path: &str) -> bool {
        match path.strip_prefix(self.path.as_ref()) {
            Some(rest) if self.below => rest.is_empty() || rest.starts_with('/'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }
}

impl Rule {
    fn judge(&self, caller: Option<Caller<'_>>) -> Verdict {
        let verdict = self.access.judge(caller.map(|caller| caller.person));
        let lacks = |scope: &Scope| self.scopes.iter().any(|needed| !scope.has(needed));
        match caller.and_then(|caller| caller.scope) {
            Some(scope) if verdict == Verdict::Allow && self.access != Access::Everyone && lacks(scope) => {
                Verdict::Denied { missing: Missing::Scope(self.scopes.join(" ")) }
            }
            _ => verdict,
        }
    }
}

impl Access {
    fn judge(&self, person: Option<&Person>) -> Verdict {
        match (self, person) {
            (Access::Everyone, _) | (Access::SignedIn, Some(_)) => Verdict::Allow,
            (Access::Nobody, _) => Verdict::Denied { missing: Missing::Rule },
            (Access::SignedIn | Access::Groups(_), None) => Verdict::SignIn,
            (Access::Groups(groups), Some(person)) if groups.iter().any(|group| person.is_in(group)) => {
                Verdict::Allow
            }
            (Access::Groups(groups), Some(_)) => Verdict::Denied { missing: Missing::Groups(groups.clone()) },
        }
    }
}

impl Verdict {
    fn stricter(self, other: Verdict) -> Verdict {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Allow => 0,
            Verdict::SignIn => 1,
            Verdict::Denied { .. } => 2,
            Verdict::NotListed => 3,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

#[cfg(test)]
mod tests;

//! The same asked of any other provider, as far as a client with a secret gets there by itself.

use anyhow::{Context, Result};
use clap::Args;
use gateward_kernel::jose::SignatureAlgorithm;

use super::codes::SCOPE;
use super::provider::{Client, ClientAuth, Provider};
use super::{
    AXUM, DISCOVERY, EXCHANGE, INTROSPECTION, INTROSPECTION_OPAQUE, KEYS, PUSHED, REFRESH, Step, USERINFO,
    asking, credentials_label, in_turn, report,
};
use crate::load::{self, Work};
use crate::scenario::{CONNECTIONS, Limit, Run};
use crate::signing;

/// So many tokens of its own a client has introspected in turn.
const TOKENS: usize = 64;

#[derive(Args)]
pub(crate) struct Options {
    /// Measure the provider with this issuer instead of starting ours: an http address, below which is /.well-known/openid-configuration.
    /// Its endpoints must be http addresses, too
    #[arg(long, value_name = "ISSUER")]
    pub(crate) url: Option<String>,
    /// What the results call that provider
    #[arg(long, requires = "url", default_value = "other provider")]
    label: String,
    /// A client there that has a secret; without one only what is published is measured
    #[arg(long, requires_all = ["url", "client_secret"], value_name = "ID")]
    client_id: Option<String>,
    /// Its secret
    #[arg(long, requires = "client_id", value_name = "SECRET")]
    client_secret: Option<String>,
    /// How it proves itself [default: as the provider announces, by the header where it may]
    #[arg(long, requires = "client_id", value_enum)]
    client_auth: Option<ClientAuth>,
    /// The scope of its client credentials
    #[arg(long, requires = "client_id")]
    scope: Option<String>,
    /// The resource of its client credentials (RFC 8707)
    #[arg(long, requires = "client_id", value_name = "NAME")]
    resource: Option<String>,
    /// One of its redirect URIs, for pushed requests
    #[arg(long, requires = "client_id", value_name = "URI")]
    redirect_uri: Option<String>,
    /// An access token of a person, for UserInfo; several are sent in turn
    #[arg(long = "access-token", requires = "url", value_name = "TOKEN")]
    access_tokens: Vec<String>,
    /// A refresh token of the client; each goes on on a connection of its own
    #[arg(long = "refresh-token", requires = "client_id", value_name = "TOKEN")]
    refresh_tokens: Vec<String>,
    /// Id of the provider's process on this machine, to count its processor time
    #[arg(long, requires = "url", value_name = "ID")]
    pid: Option<u32>,
}

/// What is measured of a provider, and what is not.
struct Plan<'a> {
    run: &'a Run,
    steps: Vec<Step<'a>>,
    left_out: Vec<String>,
}

impl<'a> Plan<'a> {
    /// Measures this, or says why it cannot be.
    fn add(&mut self, label: &str, work: Result<Work>) {
        match work {
            Ok(work) => self.steps.push(Step::load(self.run, label, work)),
            Err(why) => self.leave_out(label, &format!("{why:#}")),
        }
    }

    fn leave_out(&mut self, what: &str, why: &str) {
        let text = format!("{what}: {}", why.trim_end_matches(['.', '\n']));
        eprintln!("left out: {text}");
        self.left_out.push(text);
    }
}

pub(crate) fn run(run: &Run, options: &Options) -> Result<()> {
    let issuer = options.url.as_deref().context("--url ISSUER names the provider")?;
    let provider = Provider::discover(issuer, options.pid).context("--url")?;
    let axum = Limit::start("limit-axum", &run.cores)?;
    let mut plan = Plan { run, steps: Vec::new(), left_out: Vec::new() };
    plan.add(AXUM, Ok(axum.work(&[])));
    plan.add(DISCOVERY, asking::discovery(&provider));
    plan.add(KEYS, asking::keys(&provider));
    let no_token = "no --access-token of a person is given";
    match options.access_tokens.as_slice() {
        [] => plan.leave_out(USERINFO, no_token),
        tokens => plan.add(USERINFO, asking::userinfo(&provider, tokens)),
    }
    match options.client_id.clone().zip(options.client_secret.clone()) {
        Some((id, secret)) => {
            let by = options.client_auth.unwrap_or_else(|| provider.client_auth());
            plan.of_client(&provider, &Client { id, secret, by }, options);
        }
        None => plan.leave_out("whatever a client asks", "no --client-id is given"),
    }
    plan.leave_out(EXCHANGE, "a code takes a person who signs in and agrees, on the provider's own pages");
    let Plan { steps, left_out, .. } = plan;
    let series = in_turn(run, steps)?;
    axum.stop()?;
    run.finish(report::foreign(run, &options.label, series, &left_out))
}

impl Plan<'_> {
    /// Everything that takes a client.
    fn of_client(&mut self, provider: &Provider, client: &Client, options: &Options) {
        let own = self.credentials(provider, client, options);
        let tokens = if own.is_empty() { &options.access_tokens } else { &own };
        match tokens.first() {
            None => self.leave_out("introspection", "there is no token to introspect"),
            Some(first) => {
                let is_signed = asking::algorithm_of(first).is_some();
                let label = if is_signed { INTROSPECTION } else { INTROSPECTION_OPAQUE };
                self.add(label, asking::introspection(provider, client, tokens));
            }
        }
        let scope = options.scope.as_deref().unwrap_or(SCOPE);
        match &options.redirect_uri {
            None => self.leave_out(PUSHED, "no --redirect-uri is given"),
            Some(uri) => self.add(PUSHED, asking::pushed(provider, client, uri, scope)),
        }
        match options.refresh_tokens.as_slice() {
            [] => self.leave_out(REFRESH, "no --refresh-token is given"),
            tokens => match asking::refresh(provider, client, tokens) {
                Err(why) => self.leave_out(REFRESH, &format!("{why:#}")),
                Ok(work) => {
                    let work = self.run.awake(work);
                    // A rotated token is one connection's.
                    let window = self.run.window(CONNECTIONS.min(tokens.len()));
                    self.steps.push(Step::new(REFRESH, move || load::run(&work, window)));
                }
            },
        }
    }

    /// Client credentials, and bare signing by the same algorithm; tokens that came of it.
    fn credentials(&mut self, provider: &Provider, client: &Client, options: &Options) -> Vec<String> {
        let scope = options.scope.iter().map(|scope| ("scope", &**scope));
        let fields: Vec<_> = scope.chain(options.resource.iter().map(|name| ("resource", &**name))).collect();
        let mut tokens = Vec::new();
        match asking::credentials(provider, client, &fields) {
            Err(why) => self.leave_out("client credentials", &format!("{why:#}")),
            Ok((work, token)) => {
                let name = asking::algorithm_of(&token);
                self.bare_signing(name.as_deref(), &token);
                self.add(&credentials_label(name.as_deref()), Ok(work));
                tokens.push(token);
                let more = (1..TOKENS).map_while(|_| asking::credentials(provider, client, &fields).ok());
                tokens.extend(more.map(|(_, token)| token));
            }
        }
        tokens
    }

    fn bare_signing(&mut self, name: Option<&str>, token: &str) {
        let Some(name) = name else { return };
        let algorithm: Result<SignatureAlgorithm> = signing::algorithm(name);
        match algorithm {
            Ok(algorithm) => self.steps.push(Step::signing(self.run, algorithm, token.to_owned())),
            Err(why) => self.leave_out("bare signing", &format!("{why:#}")),
        }
    }
}

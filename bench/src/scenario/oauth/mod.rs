//! What clients of OAuth and OpenID Connect ask, beside bare axum and bare signing on the same core: client credentials, codes against
//! tokens, refreshing, introspection, UserInfo, the key set, discovery, pushed requests.

mod asking;
mod codes;
pub(crate) mod foreign;
mod provider;
mod report;

use anyhow::{Context, Result};
use gateward_kernel::jose::SignatureAlgorithm;
use serde_json::{Value, json};

use self::codes::{Desk, REDIRECT_URI, SCOPE};
use self::provider::{Client, ClientAuth, Provider};
use super::{CONNECTIONS, Limit, Run, header};
use crate::house::House;
use crate::keys::{ALGORITHMS, bare_signing};
use crate::load::{self, Sample, Work};
use crate::process;
use crate::series::Series;
use crate::signing;

/// Apps that are signed in, each of another person: as many as connections, and several times that.
const APPS: usize = 4 * CONNECTIONS;
/// At this rate codes and refresh tokens come, whether or not earlier ones are answered.
const RATE: u32 = 1_000;
/// So many seconds' worth of codes at that rate is exchanged as fast as it goes, for each second of a window.
const EXCHANGES: u32 = 2;
/// The secret of every client.
const SECRET: &str = "seven-harbours-over-a-quiet-lantern";
/// Tokens count for longer than a run. Each algorithm has a resource, and so has the form that is looked up.
const SETTINGS: &str = r#"
[tokens]
access_lifetime = "6h"

[[resource]]
audience = "https://es256.example.com"
scopes = ["read"]
algorithm = "ES256"

[[resource]]
audience = "https://eddsa.example.com"
scopes = ["read"]
algorithm = "EdDSA"

[[resource]]
audience = "https://rs256.example.com"
scopes = ["read"]
algorithm = "RS256"

[[resource]]
audience = "https://opaque.example.com"
scopes = ["read"]
format = "opaque"
"#;

const AXUM: &str = "bare axum";
const AXUM_TOKEN: &str = "bare axum, sent an access token";
const EXCHANGE: &str = "code exchange";
const REFRESH: &str = "refresh";
const EXCHANGE_AT_RATE: &str = "code exchange, 1,000 a second";
const REFRESH_AT_RATE: &str = "refresh, 1,000 a second";
const INTROSPECTION: &str = "introspection, JWT";
const INTROSPECTION_OPAQUE: &str = "introspection, opaque";
const USERINFO: &str = "userinfo";
const KEYS: &str = "key set";
const DISCOVERY: &str = "discovery";
const PUSHED: &str = "pushed request";

/// What the results call client credentials that yield tokens of this algorithm, or opaque ones.
fn credentials_label(algorithm: Option<&str>) -> String {
    format!("client credentials, {}", algorithm.unwrap_or("opaque"))
}

/// Something that is measured once in every round.
struct Step<'a> {
    label: String,
    measure: Box<dyn FnMut() -> Result<Sample> + 'a>,
}

impl<'a> Step<'a> {
    fn new(label: impl Into<String>, measure: impl FnMut() -> Result<Sample> + 'a) -> Self {
        Self { label: label.into(), measure: Box::new(measure) }
    }

    /// As much as connections that never rest get answered.
    fn load(run: &'a Run, label: impl Into<String>, work: Work) -> Self {
        let work = run.awake(work);
        Self::new(label, move || load::run(&work, run.window(CONNECTIONS)))
    }

    /// Bare signing on the server's core, of what this token says.
    fn signing(run: &'a Run, algorithm: SignatureAlgorithm, token: String) -> Self {
        // Exact to a few milliseconds, so that a part of the window will do.
        let time = run.window(CONNECTIONS).measured / 4;
        let measure = move || signing::measure(run.cores.server(), algorithm, &token, time);
        Self::new(bare_signing(algorithm.name()), measure)
    }
}

/// Takes every step in turn, round by round.
fn in_turn(run: &Run, mut steps: Vec<Step<'_>>) -> Result<Vec<Series>> {
    let mut all = Vec::new();
    for round in 1..=run.rounds {
        for Step { label, measure } in &mut steps {
            let sample = measure().with_context(|| format!("measuring {label}"))?;
            run.add(&mut all, round, label.clone(), sample);
        }
    }
    Ok(all)
}

/// The clients of our own server.
struct Clients {
    /// Each with one resource.
    services: [Client; 4],
    app: Client,
    /// The same with opaque access tokens.
    opaque_app: Client,
    /// Checks everybody's tokens.
    resource: Client,
}

impl Clients {
    fn add_to(house: &House) -> Result<Self> {
        let add = |id: &str, kind: &str, metadata: &Value| -> Result<Client> {
            house.add_client(id, kind, SECRET, metadata)?;
            Ok(Client { id: id.to_owned(), secret: SECRET.to_owned(), by: ClientAuth::Basic })
        };
        let service = |id: &str| {
            let audience = format!("https://{id}.example.com");
            add(id, "service", &json!({ "gateward_resources": [audience] }))
        };
        // RS256, which a client gets that says nothing, would be all that is seen.
        let app = |format: &str| {
            json!({
                "redirect_uris": [REDIRECT_URI],
                "gateward_consent": "skip",
                "id_token_signed_response_alg": "ES256",
                "gateward_access_token_format": format,
            })
        };
        Ok(Self {
            services: [service("es256")?, service("eddsa")?, service("rs256")?, service("opaque")?],
            app: add("app", "web", &app("jwt"))?,
            opaque_app: add("opaque-app", "web", &app("opaque"))?,
            resource: add("resource", "service", &json!({ "gateward_introspects": true }))?,
        })
    }
}

pub(crate) fn run(run: &Run) -> Result<()> {
    let house = House::new(run.gateward()?, SETTINGS)?;
    let clients = Clients::add_to(&house)?;
    let at_rate = RATE * run.seconds;
    let exchanged = at_rate * EXCHANGES;
    // In one round nobody comes twice.
    let cookies = house.fill_people((at_rate + exchanged) as usize)?;
    let served = house.serve(run.cores.server())?;
    let provider = Provider::discover(&format!("http://{}", served.address), Some(served.running.id()))?;
    provider.await_keys()?;
    let axum = Limit::start("limit-axum", &run.cores)?;

    let desk = Desk::new(&provider, &clients.app, &cookies);
    let apps = desk.apps(APPS)?;
    let tokens: Vec<_> = apps.iter().map(|app| app.access_token.clone()).collect();
    let opaque = Desk::new(&provider, &clients.opaque_app, &cookies).apps(APPS)?;
    let opaque: Vec<_> = opaque.into_iter().map(|app| app.access_token).collect();
    let bearer = header("Authorization", format!("Bearer {}", tokens.first().context("there are apps")?));
    let refresh_tokens: Vec<_> = apps.into_iter().filter_map(|app| app.refresh_token).collect();
    let refresh = asking::refresh(&provider, &clients.app, &refresh_tokens)?;

    let mut steps =
        vec![Step::load(run, AXUM, axum.work(&[])), Step::load(run, AXUM_TOKEN, axum.work(&[bearer]))];
    steps.extend(credentials(run, &provider, &clients.services)?);
    let load = |label: &str, work: Result<Work>| -> Result<Step<'_>> {
        Ok(Step::load(run, label, work.with_context(|| label.to_owned())?))
    };
    steps.extend([
        load(INTROSPECTION, asking::introspection(&provider, &clients.resource, &tokens))?,
        load(INTROSPECTION_OPAQUE, asking::introspection(&provider, &clients.resource, &opaque))?,
        load(USERINFO, asking::userinfo(&provider, &tokens))?,
        load(KEYS, asking::keys(&provider))?,
        load(DISCOVERY, asking::discovery(&provider))?,
        load(PUSHED, asking::pushed(&provider, &clients.app, REDIRECT_URI, SCOPE))?,
        Step::new(EXCHANGE, || {
            load::run_through(&run.awake(desk.exchange(exchanged as usize)?), CONNECTIONS)
        }),
        Step::new(EXCHANGE_AT_RATE, || {
            load::at_rate(&desk.exchange(at_rate as usize)?, CONNECTIONS, RATE, at_rate)
        }),
        Step::load(run, REFRESH, refresh.clone()),
        Step::new(REFRESH_AT_RATE, || load::at_rate(&refresh, CONNECTIONS, RATE, at_rate)),
    ]);
    let series = in_turn(run, steps)?;
    let memory = process::memory(served.running.id())?;
    served.running.stop()?;
    axum.stop()?;
    run.finish(report::ours(run, series, memory))
}

/// Client credentials of each of these, and bare signing beside those that are signed.
fn credentials<'a>(run: &'a Run, provider: &Provider, services: &[Client]) -> Result<Vec<Step<'a>>> {
    let kinds = ALGORITHMS.into_iter().map(Some).chain([None]);
    let mut steps = Vec::new();
    for (service, algorithm) in services.iter().zip(kinds) {
        let name = algorithm.map(SignatureAlgorithm::name);
        let label = credentials_label(name);
        let (work, token) =
            asking::credentials(provider, service, &[("scope", "read")]).with_context(|| label.clone())?;
        let found = asking::algorithm_of(&token);
        anyhow::ensure!(found.as_deref() == name, "{label}: a token of {found:?} came");
        steps.extend(algorithm.map(|algorithm| Step::signing(run, algorithm, token)));
        steps.push(Step::load(run, label, work));
    }
    Ok(steps)
}

//! How soon a revocation reaches everybody who verifies tokens, and what a million revocable tokens cost.

mod channel;
mod report;
pub(crate) mod verifier;
mod watch;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use self::channel::Channel;
use self::verifier::{Policy, micros};
use self::watch::Watchers;
use super::{CONNECTIONS, Run, header};
use crate::chain::Requests;
use crate::house::{Apps, FilledApp, FilledApps, House, Served, USER, free_address};
use crate::load::{self, Expected, Sample, Work};
use crate::process::{self, Memory};
use crate::series::Series;
use crate::wire;

const GRANTS: usize = 1_000_000;
/// Revoked one after the other.
const SINGLE: usize = 1_000;
/// Revoked at once.
const TOGETHER: usize = 100_000;
/// So many of those are watched by every verifier.
const WATCHED: usize = 30;
/// Left at the end, to be cut off with their person.
const LAST: usize = 10;
const POLICIES: [Policy; 4] = [Policy::Push, Policy::Push, Policy::Push, Policy::Poll];
const TTL: Duration = Duration::from_secs(1);
const ADMIN: &str = "bench-admin";
const AUDIENCE: &str = "https://api.example.com";

/// What was found out.
struct Seen {
    grants: usize,
    /// From the answer to the last refusal by push, and by poll.
    push: Series,
    poll: Series,
    /// From the request to its answer.
    answers: Series,
    /// By push, refused before the answer had arrived.
    early: usize,
    together: Together,
    cut: Cut,
    before: Costs,
    after_single: Costs,
    after_together: Costs,
    /// Resident memory of the server that has just started, without any token and with all of them.
    empty: Memory,
    filled: Memory,
    empty_bytes: u64,
    filled_bytes: u64,
    verifier: Memory,
}

/// Many revocations at once.
struct Together {
    count: usize,
    sample: Sample,
    /// From the first request until the last watched token is refused everywhere.
    by_push: Duration,
    by_poll: Duration,
    /// To one listener.
    pushed: u64,
}

/// Everything of one person, by one moment.
struct Cut {
    answer: Duration,
    refused: Duration,
    pushed: u64,
}

/// What revocability costs at one time.
struct Costs {
    server: Memory,
    lists: usize,
    /// The tokens of all status lists, as they are fetched.
    list_tokens: u64,
    snapshot: u64,
    /// To one listener, since the last look.
    pushed: u64,
}

pub(crate) fn run(run: &Run) -> Result<()> {
    let address = free_address()?;
    let settings = format!(
        "public_url = \"http://{address}\"\n\
         [tokens]\naccess_lifetime = \"6h\"\nstatus_ttl = \"{}s\"\n\
         [[resource]]\naudience = \"{AUDIENCE}\"\n",
        TTL.as_secs()
    );
    let house = House::new(run.gateward()?, &settings)?;
    house.add_user(USER)?;
    house.add_admin(ADMIN)?;
    let serve = || house.serve_at(address, run.cores.server());
    let served = serve()?;
    let empty = process::settled_memory(served.running.id())?;
    served.running.stop()?;
    let empty_bytes = house.stored_bytes()?;

    let (grants, single, together) = (run.amount(GRANTS), run.amount(SINGLE), run.amount(TOGETHER));
    eprintln!("making {grants} grants");
    let wanted =
        Apps { grants, audience: AUDIENCE, tokens: single + WATCHED + LAST, ids: together - WATCHED };
    let FilledApps { mut tokens, sessions, .. } = house.fill_apps(&wanted)?;
    let filled_bytes = house.stored_bytes()?;
    let last = tokens.split_off(single + WATCHED);
    let watched = tokens.split_off(single);

    let served = serve()?;
    let filled = process::settled_memory(served.running.id())?;
    let mut scene = Scene::set(served, &format!("http://{address}"))?;
    let before = scene.costs(&mut 0)?;
    let mut pushed = scene.channel.received();
    let (push, poll, answers, early) = scene.one_by_one(&tokens)?;
    let after_single = scene.costs(&mut pushed)?;
    let together = scene.at_once(&sessions, &watched)?;
    let after_together = scene.costs(&mut pushed)?;
    let verifier = scene.watchers.memory(Policy::Push)?;
    let cut = scene.person(&last)?;
    scene.watchers.stop()?;
    drop(scene.channel);
    scene.served.running.stop()?;

    let seen = Seen {
        grants,
        push,
        poll,
        answers,
        early,
        together,
        cut,
        before,
        after_single,
        after_together,
        empty,
        filled,
        empty_bytes,
        filled_bytes,
        verifier,
    };
    run.finish(report::report(run, seen))
}

/// The server, whoever listens to it, and an administrator who revokes.
struct Scene {
    served: Served,
    watchers: Watchers,
    channel: Channel,
    headers: Vec<(String, String)>,
    /// The next token to watch.
    number: u32,
}

impl Scene {
    fn set(served: Served, issuer: &str) -> Result<Self> {
        let cookie = served.sign_in(ADMIN)?;
        let watchers = Watchers::start(issuer, AUDIENCE, &POLICIES)?;
        let channel = Channel::listen(&served)?;
        let headers = vec![header("Cookie", format!("gateward={cookie}"))];
        Ok(Self { served, watchers, channel, headers, number: 0 })
    }

    /// Has every verifier watch these, and accept them first.
    fn watch(&mut self, apps: &[FilledApp]) -> Result<std::ops::Range<u32>> {
        let first = self.number;
        for app in apps {
            self.watchers.watch(self.number, &app.access_token)?;
            self.number += 1;
        }
        Ok(first..self.number)
    }

    fn delete(&self, path: &str) -> Result<()> {
        let answer = self.served.send("DELETE", path, &self.headers, "")?;
        if answer.status == 204 {
            Ok(())
        } else {
            bail!("a revocation was answered with {}: {}", answer.status, answer.body)
        }
    }

    /// Revokes each when the one before is refused by push. Yields what push, poll and the answers took, and how often
    /// push was there before the answer.
    fn one_by_one(&mut self, apps: &[FilledApp]) -> Result<(Series, Series, Series, usize)> {
        let (mut push, mut answers) = (Sample::default(), Sample::default());
        let (started, first) = (Instant::now(), self.number);
        let (mut answered, mut early) = (Vec::new(), 0);
        for app in apps {
            let watched = self.watch(std::slice::from_ref(app))?;
            let asked = Instant::now();
            self.delete(&path(&app.session))?;
            let at = micros();
            answers.latency.record(asked.elapsed());
            self.watchers.all_refused(Policy::Push, watched.clone())?;
            let refused = self.watchers.refused_at(Policy::Push, watched.start).unwrap_or(u64::MAX);
            early += usize::from(refused < at);
            push.latency.record_micros(refused.saturating_sub(at));
            answered.push(at);
        }
        self.watchers.all_refused(Policy::Poll, first..self.number)?;
        let mut poll = Sample::default();
        for (number, at) in (first..).zip(answered) {
            let refused = self.watchers.refused_at(Policy::Poll, number).unwrap_or(u64::MAX);
            poll.latency.record_micros(refused.saturating_sub(at));
        }
        let seconds = started.elapsed().as_secs_f64();
        let series = |label: &str, mut sample: Sample| {
            sample.answers = sample.latency.total();
            sample.conclude(seconds, None, None);
            Series { label: label.to_owned(), samples: vec![sample] }
        };
        let push = series("refused by all three, by push", push);
        let poll = series(&format!("refused by the fourth, by poll, ttl {} s", TTL.as_secs()), poll);
        Ok((push, poll, series("the revocation, until it is answered", answers), early))
    }

    /// Revokes all as fast as the server can, the watched ones evenly among them and one of them last.
    fn at_once(&mut self, sessions: &[String], watched: &[FilledApp]) -> Result<Together> {
        let numbers = self.watch(watched)?;
        let between = sessions.len().div_ceil(watched.len().max(1)).max(1);
        let mut all: Vec<&str> = Vec::with_capacity(sessions.len() + watched.len());
        for (stretch, app) in sessions.chunks(between).zip(watched) {
            all.extend(stretch.iter().map(String::as_str));
            all.push(&app.session);
        }
        let authority = self.served.address.to_string();
        let mut headers = self.headers.clone();
        headers.push(header("Content-Type", "application/json"));
        let request = |session: &&str| wire::request("DELETE", &path(session), &authority, &headers, "");
        let requests = Requests::in_turn(all.iter().map(request).collect());
        let expected = Expected { status: 204, ..Expected::default() };
        let work = Work::at(self.served.address, Some(self.served.running.id()), requests, expected);
        eprintln!("revoking {} at once", all.len());
        let (pushed, started) = (self.channel.received(), micros());
        let sample = load::run_through(&work, CONNECTIONS)?;
        let mut refused = |policy| -> Result<Duration> {
            self.watchers.all_refused(policy, numbers.clone())?;
            let last = numbers.clone().filter_map(|number| self.watchers.refused_at(policy, number)).max();
            Ok(Duration::from_micros(last.context("none was watched")?.saturating_sub(started)))
        };
        let (by_push, by_poll) = (refused(Policy::Push)?, refused(Policy::Poll)?);
        let pushed = self.channel.received() - pushed;
        Ok(Together { count: all.len(), sample, by_push, by_poll, pushed })
    }

    /// Ends everything of the person whose tokens all of them are. The last of them count until then.
    fn person(&mut self, apps: &[FilledApp]) -> Result<Cut> {
        let numbers = self.watch(apps)?;
        let (pushed, asked) = (self.channel.received(), Instant::now());
        self.delete(&format!("/api/v1/admin/sessions?user={USER}"))?;
        let (at, answer) = (micros(), asked.elapsed());
        self.watchers.all_refused(Policy::Push, numbers.clone())?;
        let last = numbers.filter_map(|number| self.watchers.refused_at(Policy::Push, number)).max();
        let refused = Duration::from_micros(last.context("none was watched")?.saturating_sub(at));
        Ok(Cut { answer, refused, pushed: self.channel.received() - pushed })
    }

    /// What it costs now, and since `pushed` was read.
    fn costs(&self, pushed: &mut u64) -> Result<Costs> {
        #[derive(Deserialize)]
        struct Lists {
            status_lists: Vec<String>,
        }
        let lists: Lists = serde_json::from_str(&self.served.get("/oauth/status", &[])?.body)?;
        let mut list_tokens = 0;
        for uri in &lists.status_lists {
            let path = uri.find("/oauth/").and_then(|at| uri.get(at..)).context("the address of a list")?;
            let answer = self.served.get(path, &[])?;
            if answer.status != 200 {
                bail!("a status list was answered with {}", answer.status);
            }
            list_tokens += answer.body.len() as u64;
        }
        let snapshot = Channel::listen(&self.served)?.snapshot;
        let server = process::settled_memory(self.served.running.id())?;
        let received = self.channel.received();
        let since = received - std::mem::replace(pushed, received);
        Ok(Costs { server, lists: lists.status_lists.len(), list_tokens, snapshot, pushed: since })
    }
}

fn path(session: &str) -> String {
    format!("/api/v1/admin/sessions/{session}")
}

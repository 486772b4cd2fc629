//! Several nodes over each engine: what a session check, a sign-in, a written use and a stored session cost, beside what the engine
//! does by itself; how soon an end is heard by another node; and how throughput grows with nodes.

mod ending;
mod installation;
mod raw;
mod report;

use std::rc::Rc;

use anyhow::{Context, Result, bail};
use gateward_engines::{Memcached, Nats, Postgres, Redis};

use self::ending::Ends;
use self::installation::{Engine, Installation, NODES, figure};
use self::raw::{Bare, Rate};
use super::{CONNECTIONS, Run};
use crate::house::Served;
use crate::load::{self, Sample, Work};
use crate::process;
use crate::series::Series;

/// In each engine.
const SESSIONS: usize = 1_000_000;
/// A quick run has this part of them: enough for every session to be asked for once.
const QUICK_PART: usize = 10;
/// Asked for again and again, so that memory answers.
const FAMILIAR: usize = 1_000;
/// Ended one after the other, at each engine.
const ENDS: usize = 1_000;
/// Room for every session, in the part of it that is for sessions.
const ROOMY: (&str, &str) = (CACHE, "4GiB");
/// Room for a few thousand.
const NARROW: (&str, &str) = (CACHE, "4MiB");
const CACHE: &str = "GATEWARD_SESSIONS__CACHE";

/// What was found out about one installation.
struct Seen {
    engine: &'static str,
    counted: &'static str,
    sessions: usize,
    /// Bytes in the engine for one session, and for one session with the list of its person.
    stored: f64,
    stored_with_list: f64,
    /// The same of the engine's resident memory, where it is a process of its own.
    resident: Option<f64>,
    near: Option<Near>,
    sign_ins: Series,
    touches: Series,
    hits: Series,
    misses: Series,
    /// Which part of the answers of `misses` no memory gave.
    missed: f64,
    /// At one, two, three nodes.
    nodes: Vec<Series>,
    ends: Option<Ends>,
}

/// What remembering costs a node.
struct Near {
    /// As the cache counts them.
    counted: f64,
    /// By which the resident memory grew.
    resident: f64,
}

impl Seen {
    fn of(one: &Installation) -> Self {
        let engine = one.engine.name();
        let series = |what: &str| Series::new(format!("{engine}, {what}"));
        Self {
            engine,
            counted: one.engine.counted(),
            sessions: 0,
            stored: 0.0,
            stored_with_list: 0.0,
            resident: None,
            near: None,
            sign_ins: series("sign-ins"),
            touches: series("written uses"),
            hits: series("checks, seen before"),
            misses: series("checks, not in memory"),
            missed: 0.0,
            nodes: Vec::new(),
            ends: None,
        }
    }
}

/// All installations, with what was seen of each.
struct Scene<'a> {
    run: &'a Run,
    all: Vec<(Installation, Seen)>,
    /// In each of them.
    sessions: usize,
}

pub(crate) fn run(run: &Run) -> Result<()> {
    let sessions = if run.quick { SESSIONS / QUICK_PART } else { SESSIONS };
    let postgres = Rc::new(Postgres::start());
    let engines = [
        Engine::File,
        Engine::Postgres { database: postgres.fresh_database(), server: postgres.clone() },
        Engine::Redis(Redis::start()),
        Engine::Memcached(Memcached::start_with(&["-m", "2048"])),
        Engine::Nats(Nats::start()),
    ];
    let all = engines.into_iter().map(|engine| {
        let one = Installation::new(run.gateward()?, engine, &postgres)?;
        let seen = Seen::of(&one);
        Ok((one, seen))
    });
    let all = all.collect::<Result<Vec<_>>>()?;
    let mut scene = Scene { run, all, sessions };
    // Before there is anything to read at the start of a process.
    scene.sign_ins()?;
    scene.fill()?;
    scene.touches()?;
    scene.hits()?;
    scene.misses()?;
    scene.nodes()?;
    scene.ends()?;
    let raw = bare(run, &postgres)?;
    let seen = scene.all.into_iter().map(|(_, seen)| seen).collect();
    run.finish(report::report(run, seen, raw))
}

/// What the engines do by themselves.
fn bare(run: &Run, postgres: &Postgres) -> Result<Vec<(Rate, Series)>> {
    let bare = Bare::start(run, postgres)?;
    let mut all: Vec<_> = Rate::ALL.into_iter().map(|rate| (rate, Series::new(rate.label()))).collect();
    for round in 1..=run.rounds {
        for (rate, series) in &mut all {
            let sample = bare.measure(*rate, run, run.window(CONNECTIONS));
            let sample = sample.with_context(|| format!("measuring {}", rate.label()))?;
            run.progress(round, rate.label(), sample.per_second);
            series.samples.push(sample);
        }
    }
    Ok(all)
}

impl Scene<'_> {
    /// Signing in without the hash: a session, and its place in the list of its person, somebody new each time.
    fn sign_ins(&mut self) -> Result<()> {
        let run = self.run;
        let mut signed_in = vec![0; self.all.len()];
        let before = self.held()?;
        for round in 1..=run.rounds {
            for ((one, seen), count) in self.all.iter_mut().zip(&mut signed_in) {
                let sample = sign_ins(run, one)?;
                run.progress(round, &seen.sign_ins.label, sample.per_second);
                *count += sample.answers;
                seen.sign_ins.samples.push(sample);
            }
        }
        let grown = self.held()?.into_iter().zip(before).map(|(after, before)| after - before);
        for (((_, seen), grown), count) in self.all.iter_mut().zip(grown).zip(signed_in) {
            seen.stored_with_list = grown / (count as f64).max(1.0);
        }
        Ok(())
    }

    fn held(&self) -> Result<Vec<f64>> {
        self.all.iter().map(|(one, _)| Ok(one.held()? as f64)).collect()
    }

    /// A million sessions into each engine, and all of them into the memory of a node.
    fn fill(&mut self) -> Result<()> {
        let (run, sessions) = (self.run, self.sessions);
        for (one, seen) in &mut self.all {
            eprintln!("{}: making {sessions} sessions", seen.engine);
            // Without any of them, but all that a node needs besides.
            let served = serve_one(run, one, &[ROOMY])?;
            let idle = process::settled_memory(served.running.id())?.now;
            served.running.stop()?;
            let before = (one.held()?, resident(one)?);
            one.fill(sessions)?;
            let after = (one.held()?, resident(one)?);
            seen.sessions = sessions;
            seen.stored = (after.0 as f64 - before.0 as f64) / sessions as f64;
            seen.resident = after.1.zip(before.1).map(|(after, before)| (after - before) / sessions as f64);
            if one.engine.pushes() {
                eprintln!("{}: remembering {sessions} sessions", seen.engine);
                seen.near = Some(remember(run, one, idle)?);
            }
        }
        Ok(())
    }

    /// The first use of each session after a share of its idle time: one compare-and-set a request.
    fn touches(&mut self) -> Result<()> {
        // A hundredth of it is over since the last store was filled, and the whole is not since the first one was.
        let idle = if self.run.quick { "10m" } else { "30m" };
        let settings = [ROOMY, ("GATEWARD_SESSIONS__IDLE", idle), ("GATEWARD_SESSIONS__RENEW_PERCENT", "1")];
        // Each round takes sessions that none before it has used.
        let share = self.sessions / self.run.rounds.max(1) as usize;
        let part = |one: &Installation, round: usize| {
            one.cookies.get(round * share..(round + 1) * share).unwrap_or_default().to_vec()
        };
        self.measure(&settings, "replace", part, |seen, sample, written| {
            if written < 0.98 {
                bail!(
                    "of {}, {} only were written: there were too few sessions",
                    seen.touches.label,
                    written
                );
            }
            seen.touches.samples.push(sample);
            Ok(())
        })
    }

    fn hits(&mut self) -> Result<()> {
        self.measure(
            &[ROOMY],
            "get",
            |one, _| familiar(one),
            |seen, sample, read| {
                if seen.near.is_some() && read > 0.01 {
                    bail!("of {}, {} were read from the engine", seen.hits.label, read);
                }
                seen.hits.samples.push(sample);
                Ok(())
            },
        )
    }

    /// Sessions in turn, many more than memory holds.
    fn misses(&mut self) -> Result<()> {
        let rounds = f64::from(self.run.rounds);
        self.measure(
            &[NARROW],
            "get",
            |one, _| one.cookies.clone(),
            |seen, sample, read| {
                seen.missed += read / rounds;
                seen.misses.samples.push(sample);
                Ok(())
            },
        )
    }

    /// Measures one node of each installation in turn, round by round: session checks with the cookies that `part` chooses. `take`
    /// is told how many calls of this operation the store saw for each answer.
    fn measure(
        &mut self,
        settings: &[(&str, &str)],
        operation: &str,
        part: impl Fn(&Installation, usize) -> Vec<String>,
        mut take: impl FnMut(&mut Seen, Sample, f64) -> Result<()>,
    ) -> Result<()> {
        let run = self.run;
        let serve = |(one, _): &(Installation, Seen)| serve_one(run, one, settings);
        let nodes = self.all.iter().map(serve).collect::<Result<Vec<_>>>()?;
        for round in 0..run.rounds {
            for ((one, seen), node) in self.all.iter_mut().zip(&nodes) {
                let cookies = part(one, round as usize);
                if round == 0 && cookies.len() <= FAMILIAR * 2 {
                    // So few are asked for again and again: once before it counts, so that memory holds them.
                    let errors =
                        load::run_through(&one.checks(std::slice::from_ref(node), &cookies), CONNECTIONS)?
                            .errors;
                    if !errors.is_empty() {
                        bail!("asking for sessions went wrong: {errors:?}");
                    }
                }
                let counts = || -> Result<(f64, f64)> {
                    let calls = figure(node, "gateward_store_seconds_count", operation)?;
                    Ok((calls, figure(node, "gateward_forward_auth_total", "allow")?))
                };
                let before = counts()?;
                let sample =
                    load::run(&one.checks(std::slice::from_ref(node), &cookies), run.window(CONNECTIONS))?;
                let after = counts()?;
                let calls = (after.0 - before.0) / (after.1 - before.1).max(1.0);
                run.progress(round + 1, seen.engine, sample.per_second);
                take(seen, sample, calls)?;
            }
        }
        stop(nodes)
    }

    /// One, two and three nodes on the one core of the servers.
    fn nodes(&mut self) -> Result<()> {
        let run = self.run;
        for (one, seen) in self.all.iter_mut().filter(|(one, _)| one.is_shared()) {
            let nodes = one.serve(run, NODES, &[ROOMY])?;
            let work = |count: usize| one.checks(nodes.get(..count).unwrap_or_default(), &familiar(one));
            let works: Vec<(String, Work)> = (1..=NODES)
                .map(|count| {
                    (
                        format!("{}, {count} node{}", seen.engine, if count > 1 { "s" } else { "" }),
                        work(count),
                    )
                })
                .collect();
            let entries: Vec<(&str, Work)> =
                works.iter().map(|(label, work)| (label.as_str(), work.clone())).collect();
            seen.nodes = run.interleave(&entries, run.window(CONNECTIONS))?;
            stop(nodes)?;
        }
        Ok(())
    }

    fn ends(&mut self) -> Result<()> {
        let (run, count) = (self.run, self.run.amount(ENDS));
        for (one, seen) in self.all.iter_mut().filter(|(one, _)| one.is_shared()) {
            eprintln!("{}: ending {count} sessions", seen.engine);
            let nodes = one.serve(run, 2, &[ROOMY])?;
            let [first, second] = nodes.as_slice() else { bail!("there are not two nodes") };
            // The last ones: those in front are asked for by every other measurement.
            let cookies = one.cookies.get(one.cookies.len().saturating_sub(count)..).unwrap_or_default();
            seen.ends = Some(ending::measure(first, second, cookies)?);
            stop(nodes)?;
        }
        Ok(())
    }
}

/// One node with these settings besides.
fn serve_one(run: &Run, one: &Installation, settings: &[(&str, &str)]) -> Result<Served> {
    one.serve(run, 1, settings)?.pop().context("a node was started")
}

fn stop(nodes: Vec<Served>) -> Result<()> {
    nodes.into_iter().try_for_each(|node| node.running.stop())
}

/// A few cookies, from everywhere.
fn familiar(one: &Installation) -> Vec<String> {
    one.cookies.iter().step_by((one.cookies.len() / FAMILIAR).max(1)).cloned().collect()
}

/// Resident memory of the engine, where it is one process of its own.
fn resident(one: &Installation) -> Result<Option<f64>> {
    match &one.engine {
        Engine::File | Engine::Postgres { .. } => Ok(None),
        other => {
            let memory = process::settled_memory(other.process().context("the engine runs")?)?;
            Ok(Some(memory.now as f64 * 1_024.0))
        }
    }
}

/// Has a node remember all sessions, by asking for each; `idle` is what it needs without them, in kibibytes.
fn remember(run: &Run, one: &Installation, idle: u64) -> Result<Near> {
    let node = serve_one(run, one, &[ROOMY])?;
    let sample = load::run_through(&one.checks(std::slice::from_ref(&node), &one.cookies), CONNECTIONS)?;
    if sample.error_count() > 0 {
        bail!("asking for every session went wrong: {:?}", sample.errors);
    }
    let entries = figure(&node, "gateward_cache_entries", "sessions")?;
    if entries < one.cookies.len() as f64 {
        bail!("a node remembers {entries} of {} sessions", one.cookies.len());
    }
    let counted = figure(&node, "gateward_cache_bytes", "sessions")? / entries;
    let now = process::settled_memory(node.running.id())?.now;
    node.running.stop()?;
    // A replica had held, when it was idle, whoever had signed in before.
    Ok(Near { counted, resident: now.saturating_sub(idle) as f64 * 1_024.0 / one.cookies.len() as f64 })
}

/// Sign-ins for one window, by the program itself without HTTP, on the server's core.
fn sign_ins(run: &Run, one: &Installation) -> Result<Sample> {
    let engines = one.engines();
    let read = || -> Result<[f64; 3]> {
        let engine =
            engines.iter().map(|process| process::family_cpu_seconds(*process)).sum::<Result<f64>>()?;
        Ok([process::ended_children_cpu_seconds()?, engine, process::machine_cpu_seconds()?])
    };
    let before = read()?;
    let (count, seconds) = one.house()?.sign_ins(run.seconds, CONNECTIONS, run.cores.server())?;
    let after = read()?;
    let [node, engine, machine] = [0, 1, 2]
        .map(|at: usize| after.get(at).zip(before.get(at)).map_or(0.0, |(after, before)| after - before));
    let mut sample = Sample { answers: count, ..Sample::default() };
    sample.conclude(seconds, Some(node), None);
    sample.engine_cpu = (!engines.is_empty()).then_some(engine);
    sample.others_cpu = Some((machine - node - engine).max(0.0));
    Ok(sample)
}

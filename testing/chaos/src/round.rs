//! One round: everything is started, used and harmed for a while, made whole, and judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::chance::Chance;
use crate::client::{Client, Scene};
use crate::cluster::{Cluster, NODES};
use crate::engines::Strategy;
use crate::history::{Kind, Operation, Outcome, Recorder};
use crate::judge::{Linearizability, allow_lag, linearizability};
use crate::nemesis::{self, Fault};
use crate::people::{Held, PEOPLE, Pool, name};
use crate::promises::{Broken, broken};
use crate::wire::{Question, Reply, ask};

const CLIENTS: usize = 12;
/// So long after everything is whole every node must serve everybody.
const RECOVERY: Duration = Duration::from_secs(30);

/// What a round needs besides the stores.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The program.
    pub gateward: PathBuf,
    /// `checker/`, built.
    pub checker: PathBuf,
    /// The library that shifts a process' clock.
    pub faketime: PathBuf,
    /// Where histories that break a promise are kept.
    pub keep: PathBuf,
}

impl Programs {
    /// With the library from where Debian's package `faketime` puts it.
    pub fn new(gateward: PathBuf, checker: PathBuf, keep: PathBuf) -> Self {
        let places = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let mut files = places.map(|place| place.path().join("faketime/libfaketimeMT.so.1"));
        let faketime = files.find(|file| file.is_file());
        let faketime = faketime.expect("libfaketime is not installed: `cargo xtask install` installs it");
        Programs { gateward, checker, faketime, keep }
    }
}

/// What came of a round.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Where sessions lived.
    pub strategy: Strategy,
    /// From what everything was drawn.
    pub seed: u64,
    /// How many operations came to what.
    pub ok: usize,
    /// Definitely not done.
    pub no: usize,
    /// Perhaps done.
    pub unknown: usize,
    /// How often what harm was done.
    pub faults: BTreeMap<nemesis::Harm, usize>,
    /// Promises that were broken.
    pub broken: Vec<Broken>,
    /// What porcupine says.
    pub linearizability: Linearizability,
    /// Where the history is kept, if something is broken.
    pub kept: Option<PathBuf>,
}

impl Verdict {
    /// Whether everything that was promised was kept, and found to be.
    pub fn is_good(&self) -> bool {
        let order = &self.linearizability;
        self.broken.is_empty() && order.broken.is_empty() && order.unsure.is_empty()
    }

    /// What is broken, with all that was done to one of the sessions concerned.
    pub fn report(&self) -> String {
        let mut lines = vec![format!("{} with --seed {}: {:?}", self.strategy.name(), self.seed, self.kept)];
        for broken in &self.broken {
            let (name, session) = (broken.promise.name(), broken.session);
            lines.push(format!("broken: {name}, session {session}, by operation {}", broken.number));
        }
        lines.push(format!("no order explains {:?}", self.linearizability.broken));
        lines.push(format!("perhaps an order explains {:?}", self.linearizability.unsure));
        lines.join("\n")
    }
}

/// Runs one.
pub fn round(strategy: Strategy, seed: u64, span: Duration, programs: &Programs) -> Verdict {
    let people: Vec<String> = (0..PEOPLE).map(name).collect();
    let mut cluster = Cluster::start(strategy, programs, &people);
    let scene = Arc::new(Scene {
        nodes: cluster.nodes.iter().map(|node| node.address).collect(),
        recorder: Recorder::default(),
        pool: Mutex::new(Pool::default()),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = programs.keep.join(format!("{}-{seed}", strategy.name()));
    // What is there is of an earlier round from the same seed.
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    let faults = use_and_harm(&mut cluster, &scene, seed, span, &runtime).unwrap_or_else(|panic| {
        cluster.keep_logs(&folder);
        eprintln!("{} with --seed {seed}: the logs are in {}", strategy.name(), folder.display());
        std::panic::resume_unwind(panic);
    });
    runtime.block_on(ask_at_the_end(&scene));
    let mut history = scene.recorder.all();
    allow_lag(&mut history, strategy, &faults);
    let file = folder.join("history.json");
    std::fs::write(&file, serde_json::to_vec(&history).unwrap()).unwrap();
    std::fs::write(folder.join("faults.json"), serde_json::to_vec(&faults).unwrap()).unwrap();
    let mut verdict = judge(strategy, seed, &history, &faults, programs, &file);
    if verdict.is_good() {
        std::fs::remove_dir_all(&folder).unwrap();
    } else {
        cluster.keep_logs(&folder);
        tell(&history, &verdict, &folder);
        verdict.kept = Some(folder);
    }
    verdict
}

type Panic = Box<dyn std::any::Any + Send>;

fn use_and_harm(
    cluster: &mut Cluster,
    scene: &Arc<Scene>,
    seed: u64,
    span: Duration,
    runtime: &tokio::runtime::Runtime,
) -> Result<Vec<Fault>, Panic> {
    let (done, whole) = (AtomicBool::new(false), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::new(scene.clone(), number, Chance::new(seed, number as u64));
            let stop = whole.clone();
            runtime.spawn(async move { client.run(&stop).await })
        })
        .collect();
    let chance = Chance::new(seed, CLIENTS as u64);
    let faults = std::thread::scope(|threads| {
        let harming = threads.spawn(|| nemesis::run(cluster, &scene.recorder, chance, &done));
        let begun = std::time::Instant::now();
        while begun.elapsed() < span && !harming.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
        }
        done.store(true, Ordering::Relaxed);
        harming.join()
    });
    whole.store(true, Ordering::Relaxed);
    let ended = runtime.block_on(async {
        let mut ended = Ok(());
        for client in clients {
            ended = ended.and(client.await.map_err(tokio::task::JoinError::into_panic));
        }
        ended
    });
    faults.and_then(|faults| ended.map(|()| faults))
}

/// When everything is whole: every node is ready, and is asked about every session.
async fn ask_at_the_end(scene: &Arc<Scene>) {
    let ready = async {
        for node in &scene.nodes {
            loop {
                match ask(*node, Question::new("GET", "/readyz")).await {
                    Reply::Answer(answer) if answer.status == 200 => break,
                    _ => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }
    };
    // Who is not ready in time is found out by what follows.
    let _late = tokio::time::timeout(RECOVERY, ready).await;
    let all = Arc::new(Mutex::new(scene.pool.lock().all()));
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let mut client = Client::new(scene.clone(), CLIENTS + number, Chance::new(0, 0));
        let all = all.clone();
        asking.spawn(async move {
            loop {
                let Some(held): Option<Held> = all.lock().pop() else { break };
                if !held.is_fresh() {
                    continue;
                }
                for node in 0..NODES {
                    client.check_last(&held, node, RECOVERY).await;
                    client.read_last(&held, node).await;
                }
            }
        });
    }
    asking.join_all().await;
}

fn judge(
    strategy: Strategy,
    seed: u64,
    history: &[Operation],
    faults: &[Fault],
    programs: &Programs,
    file: &Path,
) -> Verdict {
    let count = |outcome| history.iter().filter(|one| one.outcome == outcome).count();
    let mut kinds = BTreeMap::new();
    for fault in faults {
        *kinds.entry(fault.harm).or_default() += 1;
    }
    Verdict {
        strategy,
        seed,
        ok: count(Outcome::Ok),
        no: count(Outcome::No),
        unknown: count(Outcome::Unknown),
        faults: kinds,
        broken: broken(history),
        linearizability: linearizability(&programs.checker, file),
        kept: None,
    }
}

/// Writes down what was done to every session that is concerned.
fn tell(history: &[Operation], verdict: &Verdict, folder: &Path) {
    let mut concerned: Vec<i64> = verdict.broken.iter().map(|broken| broken.session).collect();
    concerned.extend(&verdict.linearizability.broken);
    concerned.sort_unstable();
    concerned.dedup();
    for session in concerned {
        let person = history.iter().find(|one| one.session == session).map(|one| one.person);
        let of_all = |one: &Operation| one.kind == Kind::EndAll && Some(one.person) == person;
        let own = history.iter().filter(|one| one.session == session || of_all(one));
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|one| one.call);
        let lines: Vec<_> = own.into_iter().map(line).collect();
        std::fs::write(folder.join(format!("session-{session}.txt")), lines.join("\n")).unwrap();
    }
}

fn line(one: &Operation) -> String {
    let (call, returned, since) = (one.call / 1000, one.returned / 1000, one.since / 1000);
    format!(
        "{:>6} {call:>8}..{returned:<8} ms (since {since}) node {} {:?} secret {} to {} expected {} -> {:?} {} version {} {}",
        one.number,
        one.node,
        one.kind,
        one.secret,
        one.to,
        one.expected,
        one.outcome,
        one.status,
        one.version,
        one.value
    )
}

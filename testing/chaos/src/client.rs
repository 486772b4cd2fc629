//! Clients: each does one thing after the other, on whichever node, and writes down what came of it.

mod acts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::chance::Chance;
use crate::history::{Kind, Operation, Outcome, Recorder};
use crate::people::{Held, PEOPLE, Pool, name};
use crate::wire::{Answer, Question, Reply, ask};

/// What all clients share.
pub(crate) struct Scene {
    pub(crate) nodes: Vec<SocketAddr>,
    pub(crate) recorder: Recorder,
    pub(crate) pool: Mutex<Pool>,
}

/// One of them.
pub(crate) struct Client {
    scene: Arc<Scene>,
    number: usize,
    chance: Chance,
    written: usize,
}

#[derive(Clone, Copy)]
enum Act {
    SignIn,
    SignInForTokens,
    Check,
    CheckWhatIsOver,
    Read,
    Write,
    Elevate,
    Refresh,
    End,
    EndAll,
}

const ACTS: [(Act, usize); 10] = [
    (Act::SignIn, 14),
    (Act::SignInForTokens, 4),
    (Act::Check, 22),
    (Act::CheckWhatIsOver, 10),
    (Act::Read, 12),
    (Act::Write, 24),
    (Act::Elevate, 5),
    (Act::Refresh, 5),
    (Act::End, 4),
    (Act::EndAll, 1),
];

impl Client {
    pub(crate) fn new(scene: Arc<Scene>, number: usize, chance: Chance) -> Self {
        Client { scene, number, chance, written: 0 }
    }

    /// Goes on until told to stop.
    pub(crate) async fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let act = self.chance.weighed(&ACTS);
            self.act(act).await;
            tokio::time::sleep(Duration::from_millis(self.chance.within(0, 30))).await;
        }
    }

    async fn act(&mut self, act: Act) {
        let person = self.chance.below(PEOPLE);
        match act {
            Act::SignIn | Act::SignInForTokens if !self.scene.pool.lock().has_room() => {}
            Act::SignIn => self.sign_in(person).await,
            Act::SignInForTokens => self.sign_in_for_tokens(person).await,
            Act::EndAll => self.end_all().await,
            Act::CheckWhatIsOver => {
                let over = self.scene.pool.lock().one_over(&mut self.chance);
                if let Some(held) = over {
                    self.check(&held).await;
                }
            }
            Act::Refresh => {
                let held = self.scene.pool.lock().one_to_refresh(&mut self.chance);
                if let Some(held) = held {
                    self.refresh(&held).await;
                    self.scene.pool.lock().refreshed(held.number);
                }
            }
            Act::Check | Act::End => {
                if let Some(held) = self.one(|_| true) {
                    match act {
                        Act::Check => self.check(&held).await,
                        _ => self.end(&held).await,
                    }
                }
            }
            Act::Read | Act::Write | Act::Elevate => {
                if let Some(held) = self.one(|held| held.secret() >= 0) {
                    match act {
                        Act::Read => self.read(&held).await,
                        Act::Write => self.write(&held).await,
                        _ => self.elevate(&held).await,
                    }
                }
            }
        }
    }

    fn one(&mut self, fits: impl Fn(&Held) -> bool) -> Option<Held> {
        self.scene.pool.lock().one(&mut self.chance, fits)
    }

    fn node(&mut self) -> usize {
        self.chance.below(self.scene.nodes.len())
    }

    /// An operation on this session that is not done yet.
    fn operation(&self, kind: Kind, held: &Held, node: usize) -> Operation {
        let number = i64::try_from(held.number).unwrap();
        let expected_name = (name(held.person), held.id.clone());
        let operation = Operation::new(kind, number, held.person);
        Operation { client: self.number, node, secret: held.secret(), expected_name, ..operation }
    }

    /// Asks, and fills in what every answer tells. What answers say of themselves is filled in by the caller.
    async fn ask(&self, operation: &mut Operation, question: Question) -> Option<Answer> {
        ask_for(&self.scene, operation, question).await
    }

    /// The final question: until it is answered, for so long at most.
    pub(crate) async fn check_last(&mut self, held: &Held, node: usize, patience: Duration) {
        let begun = self.scene.recorder.now();
        loop {
            let mut operation = self.operation(Kind::Check, held, node);
            operation.last = true;
            acts::who(&self.scene, &mut operation, held).await;
            let given_up = self.scene.recorder.now() - begun > crate::history::micros(patience);
            if operation.outcome != Outcome::Unknown || given_up {
                self.scene.recorder.add(operation);
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The final look at the data, if there is an answer.
    pub(crate) async fn read_last(&mut self, held: &Held, node: usize) {
        if held.secret() >= 0 {
            self.read_on(held, node).await;
        }
    }
}

/// Asks, and writes into the operation when it was and what is known of it.
async fn ask_for(scene: &Scene, operation: &mut Operation, question: Question) -> Option<Answer> {
    operation.call = scene.recorder.now();
    let reply = ask(scene.nodes[operation.node], question).await;
    operation.returned = scene.recorder.now();
    match reply {
        Reply::Refused => {
            operation.outcome = Outcome::No;
            // Nobody is there; there is no need to ask as fast as one can.
            tokio::time::sleep(Duration::from_millis(20)).await;
            None
        }
        Reply::Lost => None,
        Reply::Answer(answer) => {
            operation.status = answer.status;
            operation.outcome = match answer.status {
                200..=299 => Outcome::Ok,
                400..=499 => Outcome::No,
                _ => Outcome::Unknown,
            };
            Some(answer)
        }
    }
}

//! Asking the right server: redirections, servers that change places, and what may be asked again.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::ports::Fault;
use redis::{Cmd, ServerErrorKind, Value};
use tokio::time::Instant;

use super::address::Acknowledged;
use super::cluster::read_redirect;
use super::line::Line;
use super::net::{Master, Net};
use super::scripts::Script;
use super::trouble::{Trouble, Why, late, odd};

/// So often one call may be sent elsewhere.
const REDIRECTIONS: u32 = 8;
/// While servers change places, a call that was refused for it is tried again for so long.
const RIDE_OUT: Duration = Duration::from_secs(1);
/// The pause before such a call is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Something to ask about one key.
pub(super) enum Order<'a> {
    /// Read it. It may be asked twice.
    Get,
    /// Change it by a script. It is never sent again once it may have been carried out.
    Change(&'a Script, &'a [&'a [u8]]),
}

/// Asks, each time within the same deadline.
pub(super) struct Caller {
    pub(super) net: Arc<Net>,
    pub(super) patience: Duration,
    pub(super) acknowledged: Option<Acknowledged>,
}

/// What is carried from one attempt of a call to the next.
struct Attempts {
    begun: Instant,
    redirections: u32,
    /// The server is to be asked although the slot is not its own yet.
    asking: Option<Arc<Master>>,
    moved: Option<Arc<Master>>,
    script_known: bool,
    again: bool,
}

impl Caller {
    /// Asks the server that has the key.
    pub(super) async fn ask(&self, name: &[u8], order: &Order<'_>) -> Result<Value, Fault> {
        match tokio::time::timeout(self.patience, self.persist(name, order)).await {
            Ok(answer) => answer.map_err(Trouble::fault),
            Err(_) => {
                if let Some(master) = self.net.map().find(name) {
                    self.line(&master, name, order).forget();
                }
                Err(late(self.patience))
            }
        }
    }

    async fn persist(&self, name: &[u8], order: &Order<'_>) -> Result<Value, Trouble> {
        let mut attempts = Attempts {
            begun: Instant::now(),
            redirections: 0,
            asking: None,
            moved: None,
            script_known: true,
            again: false,
        };
        loop {
            let asking = attempts.asking.take();
            let master = match asking.clone().or_else(|| attempts.moved.take()) {
                Some(master) => master,
                None => self.net.master_of(name).await?,
            };
            let seen = Instant::now();
            let line = self.line(&master, name, order);
            let answer = self.attempt(line, name, order, attempts.script_known, asking.is_some()).await;
            match answer {
                Ok(value) => return Ok(value),
                Err(trouble) => {
                    attempts.asking = asking;
                    self.consider(trouble, &master, order, seen, &mut attempts).await?;
                }
            }
        }
    }

    /// What to do after a failed attempt; an error ends the call.
    async fn consider(
        &self,
        trouble: Trouble,
        master: &Master,
        order: &Order<'_>,
        seen: Instant,
        attempts: &mut Attempts,
    ) -> Result<(), Trouble> {
        let was_asking = attempts.asking.take();
        match trouble.why {
            Why::Said(kind @ (ServerErrorKind::Moved | ServerErrorKind::Ask)) => {
                attempts.redirections += 1;
                let to = trouble.node.as_deref().and_then(|node| read_redirect(node, &master.line.host));
                let Some(to) = to.filter(|_| attempts.redirections <= REDIRECTIONS) else {
                    return Err(trouble);
                };
                let to = self.net.at(&to);
                if kind == ServerErrorKind::Ask {
                    attempts.asking = Some(to);
                } else {
                    // Who has which slots has changed; until it is known, the server that was named is asked.
                    drop(self.net.look(seen).await);
                    attempts.moved = Some(to);
                }
                Ok(())
            }
            Why::Said(ServerErrorKind::NoScript) if attempts.script_known => {
                attempts.script_known = false;
                attempts.asking = was_asking;
                Ok(())
            }
            _ if trouble.passes() && self.net.moves() && attempts.begun.elapsed() < RIDE_OUT => {
                if trouble.why == Why::Said(ServerErrorKind::ReadOnly) {
                    // With Sentinel, a new connection is one to a master for certain.
                    master.renew();
                }
                tokio::time::sleep(PAUSE).await;
                drop(self.net.look(Instant::now()).await);
                Ok(())
            }
            // Nothing was sent, and another server may be in its place; or it may be asked again.
            Why::Unreached if self.net.moves() && !attempts.again => self.once_more(seen, attempts).await,
            Why::Cut if matches!(order, Order::Get) && !attempts.again => {
                self.once_more(seen, attempts).await
            }
            _ => Err(trouble),
        }
    }

    async fn once_more(&self, seen: Instant, attempts: &mut Attempts) -> Result<(), Trouble> {
        attempts.again = true;
        drop(self.net.look(seen).await);
        Ok(())
    }

    fn line<'a>(&self, master: &'a Master, name: &[u8], order: &Order<'_>) -> &'a Line {
        match order {
            Order::Get => &master.line,
            Order::Change(..) => master.writer(name),
        }
    }

    async fn attempt(
        &self,
        line: &Line,
        name: &[u8],
        order: &Order<'_>,
        script_known: bool,
        asking: bool,
    ) -> Result<Value, Trouble> {
        let (command, wait) = match order {
            Order::Get => {
                let mut command = redis::cmd("GET");
                command.arg(name);
                (command, None)
            }
            Order::Change(script, arguments) => {
                (script.command(script_known, name, arguments), self.acknowledged)
            }
        };
        if wait.is_none() && !asking {
            return line.ask(&command).await;
        }
        let mut all = redis::pipe();
        if asking {
            all.add_command(redis::cmd("ASKING"));
        }
        all.add_command(command);
        if let Some(wait) = wait {
            all.add_command(wait_command(wait));
        }
        let mut answers = line.ask_all(&all).await?.into_iter();
        let short = || Trouble::new(Why::Cut, "fewer answers than questions");
        if asking {
            answers.next().ok_or_else(short)??;
        }
        let answer = answers.next().ok_or_else(short)??;
        if let Some(wait) = wait
            && is_done(&answer)
        {
            let count = answers.next().ok_or_else(short)?;
            enough(count, wait)?;
        }
        Ok(answer)
    }
}

fn wait_command(wait: Acknowledged) -> Cmd {
    let mut command = redis::cmd("WAIT");
    command.arg(wait.replicas).arg(u64::try_from(wait.within.as_millis()).unwrap_or(u64::MAX));
    command
}

/// Whether a script has changed anything.
fn is_done(answer: &Value) -> bool {
    !matches!(answer, Value::Nil | Value::Int(..=0))
}

fn enough(count: Result<Value, Trouble>, wait: Acknowledged) -> Result<(), Trouble> {
    let few = |said: String| Trouble::new(Why::TooFewReplicas, said);
    match count {
        Ok(Value::Int(count)) if count >= i64::from(wait.replicas) => Ok(()),
        Ok(Value::Int(count)) => Err(few(format!(
            "the write is done on the master, but {count} of {} replicas had it within {} ms; whether it survives a fail-over \
             is unknown",
            wait.replicas,
            wait.within.as_millis()
        ))),
        Ok(_) => Err(few(odd("WAIT").cause)),
        Err(trouble) => Err(few(format!("the write is done, but not who has it: {}", trouble.said))),
    }
}

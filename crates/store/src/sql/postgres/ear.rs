//! The line that listens for notifications: it is tried all the time, given up when it is of no use, and made anew.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::ports::Fault;
use tokio::task::JoinHandle;
use tokio_postgres::SimpleQueryMessage;

use super::dial::Dialler;
use super::feed::{Feed, channel};
use super::session::{Purpose, Session};
use super::trouble::{fault, late, said};

/// How often the line is tried, and how long it may stay silent.
const BEAT: Duration = Duration::from_millis(500);
const SILENCE: Duration = Duration::from_millis(1500);
/// The shortest and the longest pause between two attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// A line that listens.
pub(super) struct Ear {
    session: Session,
    line: JoinHandle<()>,
}

/// Connects, and lets the feed tell from now on.
pub(super) async fn listen(feed: &Arc<Feed>, dialler: &Dialler, patience: Duration) -> Result<Ear, Fault> {
    let told = feed.clone();
    let opening = Session::open(dialler, Purpose::Listening, patience, move |payload| told.hear(payload));
    let (session, line) = opening.await?;
    let text = format!("LISTEN {}", channel(session.schema));
    match tokio::time::timeout(SILENCE, session.client.batch_execute(&text)).await {
        Ok(Ok(())) => {
            feed.restored(session.server.clone());
            Ok(Ear { session, line })
        }
        Ok(Err(error)) => Err(fault(&error)),
        Err(_) => {
            session.hang_up();
            Err(late(SILENCE))
        }
    }
}

/// Keeps the feed whole, or has it whole again as soon as may be.
pub(super) async fn keep(feed: Arc<Feed>, dialler: Arc<Dialler>, patience: Duration, first: Ear) {
    let mut ear = Some(first);
    let mut pause = PAUSES.0;
    loop {
        if let Some(ear) = ear.take() {
            match watch(&feed, ear, dialler.wants_any()).await {
                End::Broken(why) => feed.lost(&why),
                End::ReadOnly => feed.left(),
            }
            pause = PAUSES.0;
        }
        match listen(&feed, &dialler, patience).await {
            Ok(heard) => {
                tracing::info!("the database's changes are heard again");
                ear = Some(heard);
            }
            Err(fault) => {
                tracing::debug!(%fault, "the database's changes cannot be heard yet");
                tokio::time::sleep(jittered(pause)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// Why a line is of no use any more.
enum End {
    Broken(String),
    ReadOnly,
}

/// Waits until the line is of no use any more.
async fn watch(feed: &Feed, mut ear: Ear, any_server: bool) -> End {
    let beats = async {
        loop {
            tokio::time::sleep(BEAT).await;
            let asked = ear.session.client.simple_query("SHOW transaction_read_only");
            match tokio::time::timeout(SILENCE, asked).await {
                Ok(Ok(answer)) if !any_server && is_on(&answer) => return End::ReadOnly,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return End::Broken(said(&error)),
                Err(_) => return End::Broken(format!("silent for {} ms", SILENCE.as_millis())),
            }
        }
    };
    let end = tokio::select! {
        _ = &mut ear.line => End::Broken("the line was cut".to_owned()),
        () = feed.renew.notified() => End::Broken("the feed starts over".to_owned()),
        end = beats => end,
    };
    ear.session.hang_up();
    end
}

fn is_on(answer: &[SimpleQueryMessage]) -> bool {
    answer.iter().any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")))
}

fn jittered(pause: Duration) -> Duration {
    // Not for secrets: the standard library's hasher is seeded anew each time.
    let random = RandomState::new().hash_one(0_u8) % 1024;
    pause / 2 + pause.mul_f64(random as f64 / 2048.0)
}

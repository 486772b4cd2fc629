//! Many callers at once: conditional writes are exact, and giving up a call breaks nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateward_kernel::ports::{Created, Fault, Kv, Replaced};
use tokio::task::JoinSet;

use super::{Checked, Failure, LATE, Subject, create, get, key, replace};

const RACERS: u8 = 50;

/// Starts the same call so many times at once, with the number of the caller, and collects what they came to.
async fn race<T, F>(kv: &Arc<dyn Kv>, call: impl Fn(Arc<dyn Kv>, u8) -> F) -> Result<Vec<(u8, T)>, Failure>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let mut racers = JoinSet::new();
    for number in 0..RACERS {
        let call = call(kv.clone(), number);
        racers.spawn(async move { call.await.map(|answer| (number, answer)) });
    }
    let mut answers = Vec::new();
    while let Some(joined) = racers.join_next().await {
        answers.push(joined??);
    }
    Ok(answers)
}

pub(super) async fn creates(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    for round in 0..10_u8 {
        let answers =
            race(
                &kv,
                |kv, number| async move { kv.create(&key([round]), Bytes::from(vec![number]), LATE).await },
            )
            .await?;
        let won: Vec<_> = answers.iter().filter(|(_, answer)| matches!(answer, Created::Done(_))).collect();
        let [(winner, Created::Done(version))] = won[..] else {
            return Err(Failure(format!("{} of {RACERS} creates won", won.len())));
        };
        let stored = get(&*kv, &key([round])).await?;
        ensure!(stored.value == [*winner][..], "{winner} won, {:?} is there", stored.value);
        ensure!(stored.version == *version, "the winner was told another version than is there");
    }
    Ok(())
}

pub(super) async fn replaces(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let mut version = create(&*kv, &key("a"), b"").await?;
    for _ in 0..10 {
        let answers = race(&kv, |kv, number| async move {
            kv.replace(&key("a"), version, Bytes::from(vec![number]), LATE).await
        })
        .await?;
        let done: Vec<_> = answers.iter().filter(|(_, answer)| matches!(answer, Replaced::Done(_))).collect();
        let [(winner, Replaced::Done(next))] = done[..] else {
            return Err(Failure(format!("{} of {RACERS} replaces of one version won", done.len())));
        };
        let stale = answers.iter().filter(|(_, answer)| *answer == Replaced::Stale).count();
        ensure!(stale == usize::from(RACERS) - 1, "losers were told something else than stale: {answers:?}");
        ensure!(get(&*kv, &key("a")).await?.value == [*winner][..], "a loser's value is there");
        version = *next;
    }
    Ok(())
}

pub(super) async fn removes(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    for _ in 0..10 {
        create(&*kv, &key("a"), b"once").await?;
        let answers = race(&kv, |kv, _| async move { kv.remove(&key("a")).await }).await?;
        let got: Vec<_> = answers.iter().filter_map(|(_, stored)| stored.as_ref()).collect();
        ensure!(got.len() == 1, "{} of {RACERS} removes got the record", got.len());
        ensure!(got.iter().all(|stored| stored.value == "once"), "the one that got it got something else");
    }
    Ok(())
}

/// Counts up by compare-and-set through two handles at once: no count may be lost.
pub(super) async fn two_handles(subject: &dyn Subject) -> Checked {
    const EACH: u32 = 40;
    let handles = [subject.open().await?, subject.open().await?];
    let [first, _] = &handles;
    create(&**first, &key("sum"), &0_u32.to_be_bytes()).await?;
    let mut racers = JoinSet::new();
    for kv in handles.iter().cloned() {
        racers.spawn(async move {
            let mut done = 0;
            while done < EACH {
                let stored = get(&*kv, &key("sum")).await?;
                let sum = <[u8; 4]>::try_from(&stored.value[..]).map(u32::from_be_bytes);
                let next = sum.map_err(|_| Failure("the value is torn".into()))? + 1;
                let value = Bytes::copy_from_slice(&next.to_be_bytes());
                match kv.replace(&key("sum"), stored.version, value, LATE).await? {
                    Replaced::Done(_) => done += 1,
                    Replaced::Stale => {}
                    Replaced::Absent => return Err(Failure("it vanished".into())),
                }
            }
            Ok(())
        });
    }
    while let Some(joined) = racers.join_next().await {
        joined??;
    }
    let sum = get(&**first, &key("sum")).await?.value;
    ensure!(sum == (2 * EACH).to_be_bytes()[..], "{} counts came to {sum:?}", 2 * EACH);
    Ok(())
}

/// Gives up creates and replaces after shorter and longer times; whatever was reached must be one of the two states.
pub(super) async fn cancelled(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let (old, new) = (vec![1; 5000], vec![2; 5000]);
    for round in 0..60_u8 {
        let patience = Duration::from_micros(u64::from(round) * 40);
        let fresh = key([round]);
        let _ = tokio::time::timeout(patience, kv.create(&fresh, Bytes::from(old.clone()), LATE)).await;
        // What was begun is over when a later write is answered.
        create(&*kv, &key([round, 1]), b"").await?;
        let seen = kv.get(&fresh).await?;
        create(&*kv, &key([round, 3]), b"").await?;
        ensure!(kv.get(&fresh).await? == seen, "a create that was given up came late");
        let version = match seen {
            None => create(&*kv, &fresh, &old).await?,
            Some(stored) => {
                ensure!(stored.value == old, "half a create: {stored:?}");
                stored.version
            }
        };
        let call = kv.replace(&fresh, version, Bytes::from(new.clone()), LATE);
        let _ = tokio::time::timeout(patience, call).await;
        create(&*kv, &key([round, 2]), b"").await?;
        let stored = get(&*kv, &fresh).await?;
        let whole = if stored.version == version { &old } else { &new };
        ensure!(stored.value == *whole, "half a replace: {:?}", stored.version);
        replace(&*kv, &fresh, stored.version, b"still works").await?;
    }
    Ok(())
}

//! Sweeping and paging.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use gateward_kernel::ports::{Key, Kv};
use gateward_kernel::time::Moment;

use super::{Checked, Failure, LATE, Subject, create, get, key};

pub(super) async fn sweep(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let at = Moment::from_micros;
    for number in 0..30_u8 {
        kv.create(&key([number]), Bytes::new(), at(i64::from(number) * 10)).await?;
    }
    kv.create(&Key::new("other", "dead"), Bytes::new(), Moment::DAWN).await?;
    kv.create(&Key::new("other", "immortal"), Bytes::new(), Moment::NEVER).await?;
    // A death that moved is judged by where it is now.
    let moved = get(&*kv, &key([0])).await?;
    kv.replace(&key([0]), moved.version, Bytes::new(), LATE).await?;

    ensure!(kv.sweep(at(100), 0).await? == 0, "a limit of nothing was exceeded");
    // Dead before 100: the numbers 1 to 9, and one of the other kind.
    let steps = [kv.sweep(at(100), 4).await?, kv.sweep(at(100), 4).await?, kv.sweep(at(100), 4).await?];
    ensure!(steps == [4, 4, 2], "sweeping ten in steps of four took {steps:?}");
    ensure!(kv.sweep(at(100), 4).await? == 0, "the living were swept");
    for number in 1..30_u8 {
        let there = kv.get(&key([number])).await?.is_some();
        ensure!(there == (number >= 10), "died at {}, swept before 100: there: {there}", number * 10);
    }
    get(&*kv, &key([0])).await?;
    get(&*kv, &Key::new("other", "immortal")).await?;
    // What was swept can be created anew.
    create(&*kv, &key([5]), b"again").await?;
    Ok(())
}

pub(super) async fn complete(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    let empty = kv.page("case", None, 5).await?;
    ensure!(empty.items.is_empty() && empty.next.is_none(), "an empty store has a page: {empty:?}");
    let mut ids: Vec<Vec<u8>> = (0..23_u8).map(|number| vec![number.wrapping_mul(97), number]).collect();
    ids.extend([vec![], vec![0], vec![255; 64], b"a\0b".to_vec()]);
    for id in &ids {
        create(&*kv, &key(id), id).await?;
        create(&*kv, &Key::new("other", id), b"other").await?;
    }
    ids.sort();
    for limit in [1, 2, 5, ids.len() - 1, ids.len(), ids.len() + 1] {
        let mut seen = Vec::new();
        let mut after: Option<Box<[u8]>> = None;
        loop {
            let page = kv.page("case", after.as_deref(), limit).await?;
            ensure!(page.items.len() <= limit, "a page of {} at a limit of {limit}", page.items.len());
            ensure!(page.next.is_none() || !page.items.is_empty(), "an empty page goes on");
            for (id, stored) in page.items {
                ensure!(stored.value == id[..], "a page has another value than was written");
                seen.push(id.into_vec());
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        ensure!(seen == ids, "pages of {limit} are not all ids in order: {seen:?}");
    }
    let page = kv.page("case", Some(&[255; 64]), 5).await?;
    ensure!(page.items.is_empty() && page.next.is_none(), "there is something after the last");
    let page = kv.page("case", Some(b"a\0"), 1).await?;
    let first = page.items.first().map(|(id, _)| &id[..]);
    ensure!(first == Some(b"a\0b"), "after an id that is not there comes {first:?}");
    Ok(())
}

pub(super) async fn stable(subject: &dyn Subject) -> Checked {
    let kv = subject.open().await?;
    for number in 0..100_u8 {
        create(&*kv, &key([number, 0]), b"stays").await?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let (writing, until) = (kv.clone(), over.clone());
    let writer = tokio::spawn(async move { come_and_go(&*writing, &until).await });
    let mut outcome = Ok(());
    for _ in 0..5 {
        outcome = walk(&*kv).await;
        if outcome.is_err() {
            break;
        }
    }
    over.store(true, Ordering::Release);
    writer.await??;
    outcome
}

/// Creates and removes records between the ones that stay.
async fn come_and_go(kv: &dyn Kv, over: &AtomicBool) -> Checked {
    let mut between = (0..100_u8).cycle().step_by(37);
    while let (false, Some(number)) = (over.load(Ordering::Acquire), between.next()) {
        let passing = key([number, 1]);
        create(kv, &passing, b"passes").await?;
        kv.remove(&passing).await?;
    }
    Ok(())
}

async fn walk(kv: &dyn Kv) -> Checked {
    let (mut last, mut stays): (Option<Box<[u8]>>, usize) = (None, 0);
    loop {
        let page = kv.page("case", last.as_deref(), 7).await?;
        for (id, stored) in page.items {
            ensure!(last.as_ref().is_none_or(|last| *last < id), "{id:?} is out of order");
            stays += usize::from(stored.value == "stays");
            last = Some(id);
        }
        match page.next {
            Some(next) => last = Some(next),
            None => break,
        }
    }
    if stays == 100 { Ok(()) } else { Err(Failure(format!("{stays} of the 100 that stay were seen"))) }
}

//! Pages. Redis knows no order of its keys: a page takes a walk (`SCAN`) through all keys of all masters, in which the ids that come
//! next are kept. It costs time in proportion to everything that is stored, and is for operators' lists, not for requests.
//!
//! So that a list of many pages does not cost as many walks, each walk keeps more ids than the page needs. A page that goes on where
//! the last one ended is taken from these for some seconds: what was created since then may be missing from the list, as it may from
//! any list that is read in parts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::ports::{Fault, Key, Page, Stored};
use redis::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Core;
use super::net::Master;
use super::scripts::parse_name;
use super::trouble::{Trouble, late, odd};

/// About so many keys are looked at in one step: a step holds the server up for about a tenth of a millisecond.
const STEP: usize = 500;
/// So many records are read at once.
const AT_ONCE: usize = 64;

/// So many ids are kept by a walk, beyond those of its page: a few megabytes.
const AHEAD: usize = 1 << 16;
/// Kept ids are believed for so long.
const FRESH: Duration = Duration::from_secs(10);

type Ids = BTreeSet<Box<[u8]>>;

/// What a walk has seen beyond its page.
pub(super) struct Ahead {
    kind: &'static str,
    /// The last id of the page.
    after: Box<[u8]>,
    ids: Ids,
    /// These are all that come after.
    all: bool,
    walked: Instant,
}

impl Core {
    pub(super) async fn list(
        &self,
        kind: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page, Fault> {
        let mut after: Option<Box<[u8]>> = after.map(Into::into);
        if limit == 0 {
            return Ok(Page::default());
        }
        loop {
            let (ids, is_more) = self.next(kind, after.as_deref(), limit).await?;
            let last = ids.last().cloned();
            let items = self.records(kind, ids).await?;
            if !items.is_empty() || !is_more {
                return Ok(Page { items, next: last.filter(|_| is_more) });
            }
            // All of them have gone since: an empty page would end the list.
            after = last;
        }
    }

    /// The next ids after this one, and whether more come after them.
    async fn next(
        &self,
        kind: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<(Ids, bool), Fault> {
        let kept = self.ahead.lock().take().filter(|ahead| {
            let goes_on = ahead.kind == kind && after == Some(&*ahead.after);
            goes_on && ahead.walked.elapsed() < FRESH && (ahead.all || ahead.ids.len() > limit)
        });
        let (mut ids, all, walked) = match kept {
            Some(ahead) => (ahead.ids, ahead.all, ahead.walked),
            None => {
                let walked = Instant::now();
                let most = limit.saturating_add(AHEAD);
                let ids = self.walk(kind, after, most).await?;
                let all = ids.len() < most;
                (ids, all, walked)
            }
        };
        let Some(first_beyond) = ids.iter().nth(limit).cloned() else { return Ok((ids, false)) };
        let beyond = ids.split_off(&first_beyond);
        if let Some(after) = ids.last().cloned() {
            *self.ahead.lock() = Some(Ahead { kind, after, ids: beyond, all, walked });
        }
        Ok((ids, true))
    }

    /// The smallest ids of the kind after this one.
    async fn walk(&self, kind: &'static str, after: Option<&[u8]>, most: usize) -> Result<Ids, Fault> {
        self.caller.net.look(Instant::now()).await.map_err(Trouble::fault)?;
        let mut ids = Ids::new();
        for master in &self.caller.net.map().masters {
            let mut cursor = b"0".to_vec();
            loop {
                let (next, names) = self.step(master, kind, &cursor).await?;
                for name in &names {
                    let Some((found, id)) = parse_name(&self.prefix, name) else { continue };
                    let is_small = ids.len() < most || ids.last().is_some_and(|last| id < &**last);
                    if found == kind && is_small && after.is_none_or(|after| id > after) {
                        ids.insert(id.into());
                        if ids.len() > most {
                            ids.pop_last();
                        }
                    }
                }
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        Ok(ids)
    }

    async fn step(
        &self,
        master: &Master,
        kind: &str,
        cursor: &[u8],
    ) -> Result<(Vec<u8>, Vec<Vec<u8>>), Fault> {
        let mut command = redis::cmd("SCAN");
        // A prefix holds no character that a pattern reads in another way.
        command.arg(cursor).arg("MATCH").arg(format!("{}{kind}:*", self.prefix)).arg("COUNT").arg(STEP);
        let asked = tokio::time::timeout(self.caller.patience, master.line.ask(&command)).await;
        let answer = asked.map_err(|_| late(self.caller.patience))?.map_err(Trouble::fault)?;
        let Value::Array(parts) = answer else { return Err(odd("SCAN")) };
        let Ok([Value::BulkString(next), Value::Array(names)]) = <[Value; 2]>::try_from(parts) else {
            return Err(odd("SCAN"));
        };
        let bytes = |name| if let Value::BulkString(bytes) = name { Some(bytes) } else { None };
        Ok((next, names.into_iter().filter_map(bytes).collect()))
    }

    /// Reads them; what has gone since is left out.
    async fn records(&self, kind: &'static str, ids: Ids) -> Result<Vec<(Box<[u8]>, Stored)>, Fault> {
        let ended = |error: tokio::task::JoinError| super::ended(&error);
        let mut items = Vec::with_capacity(ids.len());
        let mut reading = JoinSet::new();
        for id in ids {
            if reading.len() >= AT_ONCE
                && let Some(read) = reading.join_next().await
            {
                items.extend(read.map_err(ended)??);
            }
            let core = Arc::clone(&self.caller);
            let prefix = self.prefix.clone();
            reading.spawn(async move {
                let key = Key::new(kind, id);
                let stored = super::kv::read(&core, &prefix, &key).await?;
                Ok::<_, Fault>(stored.map(|stored| (key.id, stored)))
            });
        }
        while let Some(read) = reading.join_next().await {
            items.extend(read.map_err(ended)??);
        }
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(items)
    }
}

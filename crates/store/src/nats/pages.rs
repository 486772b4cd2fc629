//! Lists: the records of a kind in the order of their ids.
//!
//! The server lists the subjects under a filter, in no more than one answer of bounded size; the first two digits of an id are
//! parts of the subject, so that a large bucket is walked through in up to 1,024 parts.

use futures_util::{StreamExt, stream};
use gateward_kernel::ports::{Fault, Page, Stored};
use serde_json::{Value, json};

use super::Core;
use super::api;
use super::names;
use super::trouble::Trouble;

/// So many subjects are listed at once, about, as long as ids are spread evenly.
const PART: u64 = 4096;
/// So many records are read at the same time.
const READERS: usize = 32;

impl Core {
    pub(super) async fn list(
        &self,
        kind: &'static str,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page, Fault> {
        // One more, to know whether anything comes after.
        let wanted = limit.saturating_add(1);
        let mut items: Vec<(Box<[u8]>, Stored)> = Vec::new();
        let depth = self.within(self.depth()).await?;
        let first = after.map(|after| names::part_of(after, depth));
        for part in names::parts(depth) {
            if first.as_ref().is_some_and(|first| part < *first) {
                continue;
            }
            let ids = self.within(self.ids(kind, &part, after)).await?;
            let mut reads = stream::iter(ids)
                .map(|(id, subject)| async move {
                    let last = self.within(self.last(&subject)).await?;
                    Ok::<_, Fault>(last.and_then(|last| last.stored).map(|stored| (id, stored)))
                })
                .buffered(READERS);
            while let Some(read) = reads.next().await {
                items.extend(read?);
                if items.len() >= wanted {
                    items.truncate(limit);
                    let next = items.last().map(|(id, _)| id.clone());
                    return Ok(Page { items, next });
                }
            }
        }
        Ok(Page { items, next: None })
    }

    /// In how small parts the bucket is walked through: how many digits make a part.
    async fn depth(&self) -> Result<usize, Trouble> {
        let live = self.link.live().await?;
        let info = super::bucket::info(&live, &self.names).await?;
        let subjects = info.pointer("/state/num_subjects").and_then(Value::as_u64).unwrap_or(0);
        Ok(if subjects <= PART {
            0
        } else if subjects <= PART * 32 {
            1
        } else {
            2
        })
    }

    /// The ids of a part after `after`, in order, with their subjects. Removed ones may be among them.
    async fn ids(
        &self,
        kind: &str,
        part: &str,
        after: Option<&[u8]>,
    ) -> Result<Vec<(Box<[u8]>, String)>, Trouble> {
        let live = self.link.live().await?;
        let question = format!("STREAM.INFO.{}", self.names.stream);
        let filter = self.names.part(kind, part);
        let (mut ids, mut seen) = (Vec::new(), 0_u64);
        loop {
            let body = json!({ "subjects_filter": filter, "offset": seen });
            let info = api::ask(&live, &question, &body).await?;
            let subjects = info.pointer("/state/subjects").and_then(Value::as_object);
            let Some(subjects) = subjects.filter(|subjects| !subjects.is_empty()) else { break };
            seen += subjects.len() as u64;
            for subject in subjects.keys() {
                if let Some((_, id)) = self.names.parse(subject)
                    && after.is_none_or(|after| after < &*id)
                {
                    ids.push((id, subject.clone()));
                }
            }
            if seen >= info.get("total").and_then(Value::as_u64).unwrap_or(0) {
                break;
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

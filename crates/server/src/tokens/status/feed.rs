//! What other processes change: heard from the store, and taken over.

use std::collections::HashMap;
use std::time::Duration;

use gateward_kernel::id::ListId;
use gateward_kernel::ports::{Fault, Listener, Version};
use gateward_kernel::record::Record;
use gateward_kernel::status::{BlockId, Cut, StatusBlock, StatusList, SubjectTag};
use gateward_kernel::time::Moment;
use tokio::sync::mpsc::UnboundedSender;

use super::{STRETCH, Status};

pub(super) enum Change {
    Block(BlockId, Option<Version>),
    Cut(SubjectTag),
    List(ListId),
    Restored,
}

impl Status {
    /// Reads everything from the store. Memory is believed afterwards.
    pub async fn reload(&self, now: Moment) -> Result<(), Fault> {
        let mut lists = HashMap::new();
        let mut after = None;
        loop {
            let (page, next) = self.lists.page(after, STRETCH, now).await?;
            lists.extend(page.into_iter().map(|list| (list.record.id, list.record.dies)));
            let Some(next) = next else { break };
            after = Some(next);
        }
        let mut after = None;
        let mut blocks = Vec::new();
        loop {
            let (page, next) = self.blocks.page(after, STRETCH, now).await?;
            blocks.extend(page);
            let Some(next) = next else { break };
            after = Some(next);
        }
        let mut after = None;
        let mut cuts = Vec::new();
        loop {
            let (page, next) = self.cuts.page(after, STRETCH, now).await?;
            cuts.extend(page);
            let Some(next) = next else { break };
            after = Some(next);
        }
        for (id, dies) in lists {
            self.known.write().list(id, dies);
        }
        for block in blocks {
            self.learn(block.record.id(), block.record.death(), block.version, &block.record);
        }
        for cut in cuts {
            self.learn_cut(cut.record.subject, cut.record.at, cut.record.dies);
        }
        self.known.write().is_whole = true;
        Ok(())
    }

    /// Takes over what other processes change, for as long as the program runs.
    pub async fn follow(&self, clock: &dyn gateward_kernel::time::Clock) {
        let Some(mut changed) = self.changed.lock().take() else { return };
        while let Some(change) = changed.recv().await {
            if let Err(fault) = self.take_over(change, clock.now()).await {
                tracing::warn!(%fault, "a change of the status lists could not be read; it is read again");
                self.known.write().is_whole = false;
                while let Err(fault) = self.reload(clock.now()).await {
                    tracing::warn!(%fault, "the status lists cannot be read");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                self.news.start_over(&*self.entropy);
            }
        }
    }

    async fn take_over(&self, change: Change, now: Moment) -> Result<(), Fault> {
        match change {
            Change::Block(id, version) => {
                let own = self.known.read().blocks.get(&id).copied();
                if own.zip(version).is_some_and(|(own, told)| own >= told) {
                    return Ok(());
                }
                if let Some(block) = self.blocks.load(id, now).await? {
                    self.learn(id, block.record.death(), block.version, &block.record);
                }
            }
            Change::Cut(subject) => {
                if let Some(cut) = self.cuts.load(subject, now).await? {
                    self.learn_cut(subject, cut.record.at, cut.record.dies);
                }
            }
            Change::List(id) => {
                if let Some(list) = self.lists.load(id, now).await? {
                    self.known.write().list(id, list.record.dies);
                }
            }
            Change::Restored => {
                self.reload(now).await?;
                self.news.start_over(&*self.entropy);
            }
        }
        Ok(())
    }
}

/// Hears what the store tells, and passes it on: a listener must be quick.
pub(super) struct Ear {
    pub(super) status: std::sync::Weak<Status>,
    pub(super) tell: UnboundedSender<Change>,
}

impl Listener for Ear {
    fn changed(&self, kind: &str, id: &[u8], version: Option<Version>) {
        let change = match kind {
            StatusBlock::KIND => BlockId::try_from(id).ok().map(|id| Change::Block(id, version)),
            Cut::KIND => SubjectTag::try_from(id).ok().map(Change::Cut),
            StatusList::KIND => ListId::try_from(id).ok().map(Change::List),
            _ => None,
        };
        if let Some(change) = change {
            // Nobody follows any more only when the program ends.
            let _ended = self.tell.send(change);
        }
    }

    fn lost(&self) {
        if let Some(status) = self.status.upgrade() {
            status.known.write().is_whole = false;
        }
    }

    fn restored(&self) {
        let _ended = self.tell.send(Change::Restored);
    }
}

//! Writing revocations down. Whoever asks while a write is under way waits for the next one, which serves all who wait: a
//! thousand revocations at once are a few writes for each block, and none fails for the others' sake.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::try_join_all;
use gateward_kernel::ports::Fault;
use gateward_kernel::record::{Decision, Loaded};
use gateward_kernel::status::{BlockId, StatusBlock, StatusIndex};
use gateward_kernel::time::Moment;
use parking_lot::Mutex;

use super::Status;

impl Status {
    /// Revokes the tokens at these places. When this returns, it is written down, and on its way to every verifier.
    pub async fn revoke(&self, places: &[StatusIndex], now: Moment) -> Result<(), Fault> {
        self.pending.lock().extend(places);
        let _turn = self.revoking.lock().await;
        let mut batch = {
            let mut pending = self.pending.lock();
            if !places.iter().any(|place| pending.contains(place)) {
                // Whoever had the turn before has written them down.
                return Ok(());
            }
            Batch { taken: std::mem::take(&mut *pending), pending: &self.pending }
        };
        let mut by_block: HashMap<BlockId, (Moment, Vec<u32>)> = HashMap::new();
        for place in &batch.taken {
            let dies = place.closes + self.longest;
            // Of a list that has died no living token can name a place.
            if dies > now {
                by_block.entry(place.block()).or_insert((dies, Vec::new())).1.push(place.index);
            }
        }
        let blocks = by_block.into_iter().map(async |(id, (dies, indexes))| {
            let loaded = self.revoke_in(id, dies, &indexes, now).await?;
            self.learn(id, dies, loaded.version, &loaded.record);
            Ok::<_, Fault>(())
        });
        try_join_all(blocks).await?;
        batch.taken.clear();
        Ok(())
    }

    async fn revoke_in(
        &self,
        id: BlockId,
        dies: Moment,
        indexes: &[u32],
        now: Moment,
    ) -> Result<Arc<Loaded<StatusBlock>>, Fault> {
        loop {
            if let Some((loaded, ())) = self.blocks.change(id, now, |block| block.revoke(indexes)).await? {
                return Ok(loaded);
            }
            let empty = StatusBlock::empty(id, dies);
            if let Decision::Write(block, ()) = empty.revoke(indexes)
                && let Some(loaded) = self.blocks.create(block, now).await?
            {
                return Ok(loaded);
            }
        }
    }
}

/// What one turn writes down. What it did not, because of a fault or because its caller went away, is pending again: those
/// who wait look for their own places there.
struct Batch<'a> {
    taken: HashSet<StatusIndex>,
    pending: &'a Mutex<HashSet<StatusIndex>>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.pending.lock().extend(self.taken.drain());
    }
}

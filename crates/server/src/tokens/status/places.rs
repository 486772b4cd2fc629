//! Places for new tokens: taken from a block that this node claimed, usually without any write.

use gateward_kernel::id::ListId;
use gateward_kernel::ports::Fault;
use gateward_kernel::status::{Places, StatusIndex, StatusList};
use gateward_kernel::time::Moment;

use super::{OPEN, STRETCH, Status};

impl Status {
    /// A place for a new token, usually without any write.
    pub async fn place(&self, now: Moment) -> Result<StatusIndex, Fault> {
        loop {
            if let Some(place) = self.take(now) {
                return Ok(place);
            }
            let claiming = self.claiming.lock().await;
            // Somebody else may have claimed one while this one waited.
            if let Some(place) = self.take(now) {
                return Ok(place);
            }
            let places = self.claim(now).await?;
            *self.places.lock() = Some(places);
            drop(claiming);
        }
    }

    fn take(&self, now: Moment) -> Option<StatusIndex> {
        self.places.lock().as_mut()?.take(now)
    }

    /// Claims a block in an open list, or in a new one.
    async fn claim(&self, now: Moment) -> Result<Places, Fault> {
        let mut after = None;
        loop {
            let (lists, next) = self.lists.page(after, STRETCH, now).await?;
            for list in lists {
                if let Some(places) = self.claim_in(list.record.id, now).await? {
                    return Ok(places);
                }
            }
            match next {
                Some(id) => after = Some(id),
                None => break,
            }
        }
        loop {
            let list = StatusList::open(ListId::random(&*self.entropy), now, OPEN, self.longest);
            let id = list.id;
            if self.lists.create(list, now).await?.is_some()
                && let Some(places) = self.claim_in(id, now).await?
            {
                return Ok(places);
            }
        }
    }

    async fn claim_in(&self, list: ListId, now: Moment) -> Result<Option<Places>, Fault> {
        let mut chance = [0; 4];
        self.entropy.fill(&mut chance);
        let chance = u32::from_be_bytes(chance);
        let claimed = self.lists.change(list, now, |list| list.claim(chance, now)).await?;
        let Some((list, Some(block))) = claimed else { return Ok(None) };
        self.known.write().list(list.record.id, list.record.dies);
        Ok(Some(Places::of(&list.record, block, &*self.entropy)))
    }
}

//! What a near cache needs beside when it holds everything: a replica.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::ports::Stored;
use crate::time::{Clock, Moment};

/// Reads a stored value; `None` when it cannot be read, so that whoever asks for it learns why from the store.
pub type Unpack<V> = fn(&Stored) -> Option<V>;

pub(super) struct Replica<V> {
    unpack: Unpack<V>,
    endurance: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    /// When the feed was lost. It is lost since the beginning until it is whole for the first time: nothing is held then.
    lost: Option<Moment>,
    /// What was announced since: the whole content, or only changes.
    loading: Option<bool>,
    /// Counts loadings of the whole content.
    generation: u32,
}

impl<V> Replica<V> {
    pub(super) fn new(unpack: Unpack<V>, endurance: Duration, clock: Arc<dyn Clock>) -> Self {
        let state = State { lost: None, loading: None, generation: 0 };
        Replica { unpack, endurance, clock, state: Mutex::new(state) }
    }

    pub(super) fn unpack(&self, stored: &Stored) -> Option<V> {
        (self.unpack)(stored)
    }

    /// Whether the time for which it answers without a feed is not over. A clock that stepped back ends it.
    pub(super) fn endures(&self) -> bool {
        let now = self.clock.now();
        self.state.lock().lost.is_some_and(|lost| lost <= now && now.since(lost) < self.endurance)
    }

    pub(super) fn generation(&self) -> u32 {
        self.state.lock().generation
    }

    /// Being lost several times in a row does not begin the time anew.
    pub(super) fn lost(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.lost.get_or_insert(now);
        state.loading = None;
    }

    pub(super) fn loading(&self, anew: bool) {
        let mut state = self.state.lock();
        state.loading = Some(anew);
        if anew {
            state.generation = state.generation.wrapping_add(1);
        }
    }

    /// From which loading on entries stay; `None` when nothing was loaded, so that none may.
    pub(super) fn restored(&self) -> Option<u32> {
        let mut state = self.state.lock();
        state.lost = None;
        match state.loading.take() {
            Some(true) => Some(state.generation),
            Some(false) => Some(0),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use bytes::Bytes;

    use super::super::Near;
    use super::super::tests::{Thing, value};
    use super::*;
    use crate::ports::{Listener, Version};

    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Moment {
            Moment::from_micros(self.0.load(Ordering::Relaxed))
        }
    }

    impl Hand {
        fn set(&self, seconds: i64) {
            self.0.store(seconds * 1_000_000, Ordering::Relaxed);
        }
    }

    fn stored(id: u8, value: u8, version: u64) -> Stored {
        Stored { value: Bytes::from(vec![id, value]), version: Version(version), death: Moment::NEVER }
    }

    fn near(budget: usize) -> (Near<Thing<1>>, Arc<Hand>) {
        let hand = Arc::new(Hand::default());
        let unpack = |stored: &Stored| match *stored.value {
            [_, 0] => None,
            [id, value] => Some(Thing([id], stored.version.0, value.into())),
            _ => unreachable!("it is written here"),
        };
        (Near::replica("thing", budget, unpack, Duration::from_secs(30), hand.clone()), hand)
    }

    /// Lost and loaded anew with these.
    fn load(near: &Near<Thing<1>>, all: &[(u8, u8, u64)]) {
        near.lost();
        near.loading(true);
        for (id, value, version) in all {
            near.present("thing", &[*id], &stored(*id, *value, *version));
        }
        near.restored();
    }

    #[test]
    fn it_holds_what_is_presented_and_follows_changes() {
        let (near, _) = near(1 << 20);
        load(&near, &[(1, 11, 1), (2, 12, 2)]);
        assert_eq!((value(&near, [1]), value(&near, [2])), (Some(11), Some(12)));
        near.changed("thing", &[1], Some(Version(3)));
        near.present("thing", &[1], &stored(1, 21, 3));
        near.present("thing", &[1], &stored(1, 11, 1));
        assert_eq!(value(&near, [1]), Some(21), "an older state never comes back");
        near.present("other", &[1], &stored(1, 99, 9));
        assert_eq!(value(&near, [1]), Some(21));
        near.changed("thing", &[2], Some(Version(4)));
        assert_eq!(value(&near, [2]), None, "removed");
        near.present("thing", &[3], &stored(3, 0, 5));
        assert_eq!(value(&near, [3]), None, "what cannot be read is left to the store");
    }

    #[test]
    fn without_a_feed_it_answers_for_its_endurance_and_no_longer() {
        let (near, hand) = near(1 << 20);
        hand.set(100);
        load(&near, &[(1, 11, 1)]);
        near.lost();
        hand.set(129);
        near.lost();
        assert_eq!(value(&near, [1]), Some(11));
        hand.set(130);
        assert_eq!(value(&near, [1]), None, "a second loss does not begin the time anew");
        hand.set(99);
        assert_eq!(value(&near, [1]), None, "nor does a clock that steps back");
        hand.set(110);
        near.changed("thing", &[1], Some(Version(2)));
        assert_eq!(value(&near, [1]), None, "an own change is never hidden");
    }

    #[test]
    fn what_is_not_loaded_again_is_gone() {
        let (near, _) = near(1 << 20);
        load(&near, &[(1, 11, 1), (2, 12, 2)]);
        load(&near, &[(2, 12, 2), (3, 13, 3)]);
        assert_eq!((value(&near, [1]), value(&near, [2])), (None, Some(12)));
        assert_eq!(near.figures().entries, 2);
        assert_eq!(near.figures().bytes, 2 * (Thing::<1>::WEIGHT + super::super::OVERHEAD));
    }

    #[test]
    fn what_was_loaded_stays_when_only_changes_come() {
        let (near, _) = near(1 << 20);
        load(&near, &[(1, 11, 1), (2, 12, 2)]);
        near.lost();
        near.loading(false);
        near.changed("thing", &[2], Some(Version(3)));
        near.restored();
        assert_eq!((value(&near, [1]), value(&near, [2])), (Some(11), None));
        near.lost();
        near.restored();
        assert_eq!(value(&near, [1]), None, "a feed that carries no values lets nothing stay");
    }

    #[test]
    fn a_loading_that_breaks_off_forgets_nothing_that_is_still_there() {
        let (near, hand) = near(1 << 20);
        load(&near, &[(1, 11, 1), (2, 12, 2)]);
        near.lost();
        near.loading(true);
        near.present("thing", &[1], &stored(1, 11, 1));
        near.lost();
        hand.set(5);
        assert_eq!(value(&near, [2]), Some(12), "within its endurance");
        load(&near, &[(1, 11, 1), (2, 12, 2)]);
        assert_eq!((value(&near, [1]), value(&near, [2])), (Some(11), Some(12)));
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let (near, _) = near(256 * 300);
        let all: Vec<_> = (0..=255).map(|id| (id, 1, u64::from(id))).collect();
        for _ in 0..20 {
            load(&near, &all);
        }
        let figures = near.figures();
        assert!(figures.bytes <= 256 * 300 && figures.evictions > 0, "{figures:?}");
    }
}

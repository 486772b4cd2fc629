//! Requests that are due at moments fixed beforehand, whether or not earlier ones are answered.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A row of moments at one rate. Each is handed out once.
pub(crate) struct Pace {
    begins: Instant,
    per_second: u32,
    count: u32,
    next: Cell<u32>,
}

impl Pace {
    /// So many moments from `begins` on.
    pub(crate) fn new(begins: Instant, per_second: u32, count: u32) -> Self {
        Self { begins, per_second: per_second.max(1), count, next: Cell::new(0) }
    }

    /// The first moment.
    pub(crate) fn begins(&self) -> Instant {
        self.begins
    }

    /// The next moment; `None` when all were handed out.
    pub(crate) fn next(&self) -> Option<Instant> {
        let number = self.next.get();
        if number >= self.count {
            return None;
        }
        self.next.set(number + 1);
        // From the first one on, so that nothing adds up over a long row.
        let nanoseconds = u64::from(number) * 1_000_000_000 / u64::from(self.per_second);
        Some(self.begins + Duration::from_nanos(nanoseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_evenly_spread_and_end() {
        let begins = Instant::now();
        let pace = Pace::new(begins, 3, 4);
        let due: Vec<_> = std::iter::from_fn(|| pace.next()).map(|due| due - begins).collect();
        assert_eq!(due, [0, 333_333_333, 666_666_666, 1_000_000_000].map(Duration::from_nanos));
        assert_eq!(pace.next(), None);
        assert_eq!(Pace::new(begins, 1_000, 0).next(), None);
    }
}

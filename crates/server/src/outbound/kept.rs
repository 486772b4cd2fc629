//! What was fetched from others and is asked for again and again: kept for a while, fetched by one at a time, and bounded in number and
//! bytes, since strangers decide what is asked for.

use std::time::Duration;

use gateward_kernel::time::Moment;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::lines::Lines;

/// What could not be had is not asked for again for this long.
const PAUSE: Duration = Duration::from_secs(60);
/// What can no longer be had goes on for as long since it was had.
const ENDURANCE: Duration = Duration::from_secs(24 * 3600);

/// Something that was fetched.
#[derive(Clone, Debug)]
pub struct Had<T> {
    /// What it is.
    pub value: T,
    /// About how many bytes it takes.
    pub weight: usize,
    /// For how long it counts.
    pub kept: Duration,
}

/// Things by their addresses.
#[derive(Debug)]
pub struct Kept<T> {
    lines: Mutex<Lines<Line<T>>>,
    /// So many are fetched at the same time, so that others than these find a way outside, too.
    turns: Semaphore,
}

#[derive(Debug)]
struct Line<T> {
    state: Mutex<State<T>>,
    flight: tokio::sync::Mutex<()>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Line { state: Mutex::new(State { had: None, until: None }), flight: tokio::sync::Mutex::default() }
    }
}

#[derive(Debug)]
struct State<T> {
    had: Option<(T, Moment)>,
    /// Until when what is known counts, be it that there is nothing.
    until: Option<Moment>,
}

impl<T: Clone> State<T> {
    /// What counts now; `Some(None)` when it is known that there is nothing.
    #[expect(clippy::option_option, reason = "known to be nothing is something else than not known")]
    fn now(&self, now: Moment) -> Option<Option<T>> {
        self.until.filter(|until| now < *until).map(|_| self.had.as_ref().map(|(value, _)| value.clone()))
    }

    fn learns(&mut self, found: Option<Had<T>>, now: Moment) -> Option<T> {
        match found {
            Some(had) => {
                self.had = Some((had.value, now));
                self.until = Some(now + had.kept);
            }
            None => {
                let endures = |(_, at): &(T, Moment)| now.since(*at) < ENDURANCE;
                self.had = self.had.take().filter(endures);
                self.until = Some(now + PAUSE);
            }
        }
        self.had.as_ref().map(|(value, _)| value.clone())
    }
}

impl<T: Clone> Kept<T> {
    /// At most so many things with so many bytes together, of which `turns` are fetched at the same time.
    pub fn new(most: usize, budget: usize, turns: usize) -> Self {
        Kept { lines: Mutex::new(Lines::new(most, budget)), turns: Semaphore::new(turns) }
    }

    /// What memory knows of this address now.
    pub fn hit(&self, url: &str, now: Moment) -> Option<T> {
        let line = self.lines.lock().known(url)?;
        let found = line.state.lock().now(now);
        found.flatten()
    }

    /// What is at this address, fetched when it has to be; nothing when it cannot be had now and could not be in the last day.
    pub async fn get(
        &self,
        url: &str,
        now: Moment,
        fetch: impl Future<Output = Option<Had<T>>>,
    ) -> Option<T> {
        let line = self.lines.lock().line(url);
        if let Some(found) = line.state.lock().now(now) {
            return found;
        }
        let _flight = line.flight.lock().await;
        if let Some(found) = line.state.lock().now(now) {
            return found;
        }
        let _turn = self.turns.acquire().await.ok()?;
        let found = fetch.await;
        if let Some(had) = &found {
            self.lines.lock().weigh(url, &line, had.weight);
        }
        line.state.lock().learns(found, now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::OVERHEAD;
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn had(value: u8, weight: usize) -> Option<Had<u8>> {
        Some(Had { value, weight, kept: Duration::from_secs(100) })
    }

    async fn get(kept: &Kept<u8>, url: &str, second: i64, found: Option<Had<u8>>) -> Option<u8> {
        kept.get(url, at(second), async { found }).await
    }

    #[tokio::test]
    async fn it_is_fetched_again_when_its_time_is_over() {
        let kept = Kept::new(10, 100_000, 1);
        assert_eq!(kept.hit("a", at(1000)), None);
        assert_eq!(get(&kept, "a", 1000, had(1, 1)).await, Some(1));
        assert_eq!(get(&kept, "a", 1099, had(2, 1)).await, Some(1));
        assert_eq!((kept.hit("a", at(1099)), kept.hit("a", at(1100))), (Some(1), None));
        assert_eq!(get(&kept, "a", 1100, had(2, 1)).await, Some(2));
    }

    #[tokio::test]
    async fn what_fails_is_left_in_peace_and_what_was_had_goes_on_for_a_day() {
        let kept = Kept::new(10, 100_000, 1);
        assert_eq!(get(&kept, "a", 1000, None).await, None);
        assert_eq!(get(&kept, "a", 1059, had(1, 1)).await, None);
        assert_eq!(get(&kept, "a", 1060, had(1, 1)).await, Some(1));
        assert_eq!(get(&kept, "a", 1060 + 24 * 3600 - 1, None).await, Some(1));
        assert_eq!(get(&kept, "a", 1060 + 24 * 3600 + 58, had(2, 1)).await, Some(1));
        assert_eq!(get(&kept, "a", 1060 + 24 * 3600 + 59, None).await, None);
    }

    #[tokio::test]
    async fn there_are_never_more_of_them_nor_more_bytes_than_may_be() {
        let kept = Kept::new(2, 2 * (OVERHEAD + 1001), 1);
        for (url, weight) in [("a", 1000), ("b", 1000)] {
            get(&kept, url, 1, had(1, weight)).await;
        }
        assert!(kept.hit("a", at(2)).is_some() && kept.hit("b", at(2)).is_some(), "at the limit");
        get(&kept, "c", 1, had(1, 1)).await;
        assert!(kept.hit("a", at(2)).is_none() && kept.hit("b", at(2)).is_some(), "one above it");
        get(&kept, "c", 200, had(1, 1001)).await;
        assert!(kept.hit("b", at(2)).is_none() && kept.hit("c", at(200)).is_some(), "one byte above it");
    }

    #[tokio::test]
    async fn many_who_ask_at_once_cause_one_fetch() {
        let kept = Kept::new(2, 100_000, 8);
        let count = Mutex::new(0);
        let asks = (0..50).map(|_| {
            kept.get("a", at(1), async {
                *count.lock() += 1;
                tokio::task::yield_now().await;
                had(7, 1)
            })
        });
        let found = futures_util::future::join_all(asks).await;
        assert!(found.iter().all(|one| *one == Some(7)));
        assert_eq!(*count.lock(), 1);
    }
}

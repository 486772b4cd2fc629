//! The key sets of clients, by their addresses: fetched by one at a time, kept for as long as they may be, and not fetched
//! again because somebody makes up key ids.

use std::sync::Arc;
use std::time::Duration;

use gateward_kernel::jose::JwkSet;
use gateward_kernel::time::Moment;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use url::Url;

use super::lines::Lines;
use super::{Outbound, OutboundError, Wanted};

/// How long a set is kept that says nothing of it; and the bounds of what it may say.
const DEFAULT_KEPT: Duration = Duration::from_secs(300);
const KEPT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// A set is fetched again at most once in this time while it is kept, however many keys are named that it does not have.
const WINDOW: Duration = Duration::from_secs(60);
/// A server that failed is left in peace for this long.
const PAUSE: Duration = Duration::from_secs(10);
/// The most sets that are known, and the most bytes they may have together; what was not used for longest is forgotten.
const MOST: usize = 1000;
const BUDGET: usize = 32 * 1024 * 1024;
/// So many sets are fetched at the same time, so that others than these find a way outside, too.
const TURNS: usize = 32;
/// A set from so far ahead was had before the clock was set back. Whoever waited for another's fetch is behind it by less.
const TOLERANCE: Duration = Duration::from_secs(30);

/// The key sets of clients.
#[derive(Debug)]
pub struct ClientKeys {
    outbound: Arc<Outbound>,
    lines: Arc<Mutex<Lines<Line>>>,
    turns: Arc<Semaphore>,
}

impl ClientKeys {
    /// Knows no set as yet.
    pub fn new(outbound: Arc<Outbound>) -> Self {
        let lines = Arc::new(Mutex::new(Lines::new(MOST, BUDGET)));
        ClientKeys { outbound, lines, turns: Arc::new(Semaphore::new(TURNS)) }
    }

    /// The set at this address, as of a minute to an hour ago. When it has no key with the id `kid`, it is fetched again
    /// unless that was done in the last minute; the set may then still be without it.
    ///
    /// # Errors
    /// There is none that counts, and none could be fetched now or in the ten seconds before.
    pub async fn keys(
        &self,
        url: &Url,
        kid: Option<&str>,
        now: Moment,
    ) -> Result<Arc<JwkSet>, OutboundError> {
        let kid = kid.map(str::to_owned);
        self.keys_that(url, move |set| kid.as_deref().is_none_or(|kid| set.find(kid).next().is_some()), now)
            .await
    }

    /// The same, fetched again when it does not fit: for what names no key by its id.
    pub async fn keys_that(
        &self,
        url: &Url,
        fits: impl Fn(&JwkSet) -> bool + Send + Sync + 'static,
        now: Moment,
    ) -> Result<Arc<JwkSet>, OutboundError> {
        let line = self.lines.lock().line(url.as_str());
        let next = line.state.lock().next(&fits, now);
        match next {
            Next::Give(set) => return Ok(set),
            Next::Fail(error) => return Err(error),
            Next::Fetch => {}
        }
        let (outbound, lines, turns) = (self.outbound.clone(), self.lines.clone(), self.turns.clone());
        let url = url.clone();
        // The work goes on when the caller is gone: others wait for it, too, and it shall count however it ends.
        let work =
            tokio::spawn(async move { fetch(&outbound, &lines, &turns, &line, &url, &fits, now).await });
        work.await.map_err(|error| OutboundError::failed(&error))?
    }
}

async fn fetch(
    outbound: &Outbound,
    lines: &Mutex<Lines<Line>>,
    turns: &Semaphore,
    line: &Line,
    url: &Url,
    fits: &Fits<'_>,
    now: Moment,
) -> Result<Arc<JwkSet>, OutboundError> {
    let _flight = line.flight.lock().await;
    {
        let mut state = line.state.lock();
        match state.next(fits, now) {
            Next::Give(set) => return Ok(set),
            Next::Fail(error) => return Err(error),
            Next::Fetch => state.begins(now),
        }
    }
    let turn = turns.acquire().await;
    let loaded = load(outbound, url).await;
    drop(turn);
    match &loaded {
        Ok(loaded) => lines.lock().weigh(url.as_str(), line, loaded.length),
        Err(error) => {
            let at = url.origin().ascii_serialization();
            tracing::warn!(at, %error, "the keys of a client could not be fetched");
        }
    }
    line.state.lock().ends(loaded, now)
}

/// Whether a set has what is looked for.
type Fits<'a> = dyn Fn(&JwkSet) -> bool + Send + Sync + 'a;

struct Loaded {
    set: JwkSet,
    length: usize,
    kept: Duration,
}

async fn load(outbound: &Outbound, url: &Url) -> Result<Loaded, OutboundError> {
    let fetched = outbound.get(url, Wanted::KEYS).await?.ok()?;
    let set = JwkSet::from_json(&fetched.body).map_err(|_| OutboundError::Malformed("no key set"))?;
    let kept = fetched.max_age.unwrap_or(DEFAULT_KEPT).clamp(KEPT.0, KEPT.1);
    Ok(Loaded { set, length: fetched.body.len(), kept })
}

/// What is known of one address, and its turn to be asked.
#[derive(Debug, Default)]
struct Line {
    state: Mutex<State>,
    /// Held by whoever fetches.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// When it was last fetched though there was one.
    again: Option<Moment>,
    failed: Option<(Moment, OutboundError)>,
}

#[derive(Debug)]
struct Held {
    set: Arc<JwkSet>,
    had: Moment,
    until: Moment,
}

/// What is to be done for somebody who wants the keys.
#[derive(Debug)]
enum Next {
    Give(Arc<JwkSet>),
    Fail(OutboundError),
    Fetch,
}

impl State {
    fn next(&self, fits: &Fits<'_>, now: Moment) -> Next {
        let counts = |held: &&Held| held.had <= now + TOLERANCE && now < held.until;
        match (self.held.as_ref().filter(counts), &self.failed) {
            (Some(held), _) => {
                let is_soon = self.again.is_some_and(|again| within(again, now, WINDOW));
                if is_soon || fits(&held.set) { Next::Give(held.set.clone()) } else { Next::Fetch }
            }
            (None, Some((at, error))) if within(*at, now, PAUSE) => Next::Fail(error.clone()),
            (None, _) => Next::Fetch,
        }
    }

    fn begins(&mut self, now: Moment) {
        self.again = self.held.is_some().then_some(now);
    }

    fn ends(
        &mut self,
        loaded: Result<Loaded, OutboundError>,
        now: Moment,
    ) -> Result<Arc<JwkSet>, OutboundError> {
        match loaded {
            Ok(loaded) => {
                let set = Arc::new(loaded.set);
                self.held = Some(Held { set: set.clone(), had: now, until: now + loaded.kept });
                self.failed = None;
                Ok(set)
            }
            Err(error) => {
                self.failed = Some((now, error));
                // One that still counts is given: `begins` has seen to it that nobody asks again so soon.
                match self.next(&|_| true, now) {
                    Next::Give(set) => Ok(set),
                    Next::Fail(error) => Err(error),
                    Next::Fetch => Err(OutboundError::TimedOut),
                }
            }
        }
    }
}

/// Whether something that happened `at` is less than `span` ago. What happened far ahead was before the clock was set back.
fn within(at: Moment, now: Moment, span: Duration) -> bool {
    at <= now + TOLERANCE && now.since(at) < span
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    const KEY: &str =
        r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn loaded(kept: u64) -> Loaded {
        let set = JwkSet::from_json(format!("{{\"keys\":[{KEY}]}}").as_bytes()).unwrap();
        assert_eq!(set.keys.len(), 1);
        Loaded { set, length: 100, kept: Duration::from_secs(kept) }
    }

    fn next(state: &State, kid: Option<&str>, now: Moment) -> Next {
        state.next(&|set| kid.is_none_or(|kid| set.find(kid).next().is_some()), now)
    }

    fn word(next: &Next) -> &'static str {
        match next {
            Next::Give(_) => "give",
            Next::Fail(_) => "fail",
            Next::Fetch => "fetch",
        }
    }

    #[test]
    fn a_set_counts_until_its_end_and_not_into_the_past() {
        let mut state = State::default();
        assert_eq!(word(&next(&state, None, at(1000))), "fetch");
        state.begins(at(1000));
        state.ends(Ok(loaded(300)), at(1000)).unwrap();
        for (seconds, expected) in
            [(1000, "give"), (1299, "give"), (1300, "fetch"), (970, "give"), (969, "fetch"), (-5000, "fetch")]
        {
            assert_eq!(word(&next(&state, Some("a"), at(seconds))), expected, "{seconds}");
            assert_eq!(word(&next(&state, None, at(seconds))), expected, "{seconds}");
        }
    }

    #[test]
    fn an_unknown_key_is_looked_for_once_a_minute() {
        let mut state = State::default();
        state.begins(at(1000));
        state.ends(Ok(loaded(3600)), at(1000)).unwrap();
        assert_eq!(word(&next(&state, Some("b"), at(1001))), "fetch", "the first time at once");
        state.begins(at(1001));
        state.ends(Ok(loaded(3600)), at(1001)).unwrap();
        for (seconds, expected) in [(1001, "give"), (1060, "give"), (1061, "fetch"), (900, "fetch")] {
            assert_eq!(word(&next(&state, Some("b"), at(seconds))), expected, "{seconds}");
        }
        // Also when looking failed, and then the old set goes on.
        state.begins(at(1061));
        assert!(state.ends(Err(OutboundError::TimedOut), at(1061)).is_ok());
        for (seconds, expected) in [(1062, "give"), (1120, "give"), (1121, "fetch")] {
            assert_eq!(word(&next(&state, Some("b"), at(seconds))), expected, "{seconds}");
        }
    }

    #[test]
    fn a_failure_is_remembered_for_a_while() {
        let mut state = State::default();
        state.begins(at(1000));
        assert_eq!(state.ends(Err(OutboundError::TooLarge), at(1000)).unwrap_err(), OutboundError::TooLarge);
        for (seconds, expected) in [(1000, "fail"), (1009, "fail"), (1010, "fetch"), (900, "fetch")] {
            assert_eq!(word(&next(&state, Some("a"), at(seconds))), expected, "{seconds}");
        }
        // What has ended is not given because nothing newer is there.
        state.ends(Ok(loaded(60)), at(1010)).unwrap();
        state.begins(at(1070));
        assert!(state.ends(Err(OutboundError::TimedOut), at(1070)).is_err());
    }
}

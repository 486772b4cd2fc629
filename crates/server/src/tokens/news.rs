//! News for verifiers: what was revoked, numbered, so that whoever was cut off is told what they missed.

use std::collections::{BTreeMap, VecDeque};

use gateward_kernel::id::ListId;
use gateward_kernel::secret::Entropy;
use gateward_kernel::status::SubjectTag;
use gateward_kernel::time::Moment;
use parking_lot::Mutex;
use tokio::sync::watch;

/// So many single news are kept: who missed more is told everything anew.
const KEPT: usize = 100_000;

/// One piece of news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Item {
    Revoked(ListId, u32),
    Cut(SubjectTag, Moment),
}

/// What happened since some number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Missed {
    /// What was revoked, by list.
    pub revoked: BTreeMap<ListId, Vec<u32>>,
    /// Whose tokens were cut, and when.
    pub cuts: BTreeMap<String, Moment>,
}

impl Missed {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty() && self.cuts.is_empty()
    }
}

/// Where a listener stands: how much it has heard, of which run of the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    epoch: u64,
    number: u64,
}

impl Heard {
    /// Reads the id of an event, as listeners send it back in `Last-Event-ID`.
    pub fn read(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        let epoch = u64::from_str_radix(epoch, 16).ok()?;
        number
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| number.parse().ok())?
            .map(|number| Heard { epoch, number })
    }
}

impl std::fmt::Display for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.number)
    }
}

/// The newest news, and whoever waits for more.
#[derive(Debug)]
pub struct News {
    state: Mutex<State>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    epoch: u64,
    /// The number of the newest item.
    number: u64,
    items: VecDeque<Item>,
}

impl News {
    /// None yet.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let state = State { epoch: fresh(entropy), number: 0, items: VecDeque::new() };
        News { state: Mutex::new(state), newest: watch::Sender::new(0) }
    }

    /// Everything may have changed: whoever listens is told everything anew.
    pub fn start_over(&self, entropy: &dyn Entropy) {
        let mut state = self.state.lock();
        state.epoch = fresh(entropy);
        state.items.clear();
        state.number += 1;
        self.newest.send_replace(state.number);
    }

    /// These were revoked.
    pub fn revoked(&self, list: ListId, indexes: &[u32]) {
        self.add(indexes.iter().map(|index| Item::Revoked(list, *index)));
    }

    /// The tokens of this subject were cut.
    pub fn cut(&self, subject: SubjectTag, at: Moment) {
        self.add(std::iter::once(Item::Cut(subject, at)));
    }

    fn add(&self, items: impl Iterator<Item = Item>) {
        let mut state = self.state.lock();
        for item in items {
            state.items.push_back(item);
            state.number += 1;
        }
        let surplus = state.items.len().saturating_sub(KEPT);
        state.items.drain(..surplus);
        self.newest.send_replace(state.number);
    }

    /// Where somebody stands who knows everything up to now.
    pub fn now(&self) -> Heard {
        let state = self.state.lock();
        Heard { epoch: state.epoch, number: state.number }
    }

    /// What was missed since, and where one stands after it; `None` when that is not known any more.
    pub fn since(&self, heard: &Heard) -> Option<(Missed, Heard)> {
        let state = self.state.lock();
        let first = state.number - state.items.len() as u64;
        if heard.epoch != state.epoch || heard.number < first || heard.number > state.number {
            return None;
        }
        let mut missed = Missed::default();
        let skip = usize::try_from(heard.number - first).ok()?;
        for item in state.items.iter().skip(skip) {
            match item {
                Item::Revoked(list, index) => missed.revoked.entry(*list).or_default().push(*index),
                Item::Cut(subject, at) => {
                    missed.cuts.insert(subject.to_string(), *at);
                }
            }
        }
        Some((missed, Heard { epoch: state.epoch, number: state.number }))
    }

    /// To wait for more.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.newest.receiver_count()
    }
}

fn fresh(entropy: &dyn Entropy) -> u64 {
    let mut epoch = [0; 8];
    entropy.fill(&mut epoch);
    u64::from_be_bytes(epoch)
}

#[cfg(test)]
mod tests {
    use gateward_kernel::secret::SeededEntropy;

    use super::*;

    const LIST: ListId = ListId::from_bytes([1; 16]);

    #[test]
    fn who_was_away_is_told_what_they_missed() {
        let news = News::new(&SeededEntropy::new(1));
        let start = news.now();
        news.revoked(LIST, &[7, 9]);
        let middle = news.now();
        news.cut(SubjectTag::of("person"), Moment::from_micros(5));
        let (all, end) = news.since(&start).unwrap();
        assert_eq!(all.revoked[&LIST], [7, 9]);
        assert_eq!(all.cuts.len(), 1);
        assert_eq!(end, news.now());
        assert!(news.since(&middle).unwrap().0.revoked.is_empty());
        assert!(news.since(&end).unwrap().0.is_empty());
        assert_eq!(Heard::read(&middle.to_string()), Some(middle));
    }

    #[test]
    fn who_missed_too_much_or_comes_from_elsewhere_starts_anew() {
        let news = News::new(&SeededEntropy::new(1));
        let start = news.now();
        news.revoked(LIST, &vec![0; KEPT]);
        assert!(news.since(&start).is_some());
        news.revoked(LIST, &[1]);
        assert_eq!(news.since(&start), None);
        assert_eq!(news.since(&News::new(&SeededEntropy::new(2)).now()), None);
        let before = news.now();
        news.start_over(&SeededEntropy::new(3));
        assert_eq!(news.since(&before), None);
        for odd in ["", "-", "1", "x-1", "1-x", "1--1", "1-+1"] {
            assert_eq!(Heard::read(odd), None, "{odd}");
        }
    }
}

//! Slowing down guesses: the generic cell rate algorithm (ITU-T I.371) over one small record per key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::record::{Decision, Record};
use crate::time::Moment;

/// How many attempts at once, and one more after each `every`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Attempts that may come at once.
    pub burst: u32,
    /// The time after which one more is allowed.
    pub every: Duration,
}

/// Names a bucket: a keyed digest of what is counted, so that what people typed is not stored.
pub type BucketId = [u8; 16];

/// The one number per key: the theoretical arrival time of the next attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bucket {
    id: BucketId,
    arrival: Moment,
}

impl Record for Bucket {
    const KIND: &'static str = "bucket";
    const SCHEMA: u8 = 1;
    type Id = BucketId;

    fn id(&self) -> BucketId {
        self.id
    }

    /// An emptied bucket says nothing that an absent one does not.
    fn death(&self) -> Moment {
        self.arrival
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

/// What counting an attempt comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// Counted, go ahead.
    Allowed,
    /// Not counted; allowed again after this time.
    Wait(Duration),
}

impl Bucket {
    /// A bucket that holds its first attempt.
    pub fn first(id: BucketId, rate: Rate, now: Moment) -> Self {
        Bucket { id, arrival: now + rate.every }
    }

    /// Counts one more attempt, or says how long to wait.
    pub fn attempt(&self, rate: Rate, now: Moment) -> Decision<Bucket, Attempt> {
        let from = self.arrival.max(now);
        let ahead = from.since(now);
        let tolerance = rate.every.saturating_mul(rate.burst.saturating_sub(1));
        match ahead.checked_sub(tolerance) {
            Some(wait) if wait > Duration::ZERO => Decision::Leave(Attempt::Wait(wait)),
            _ => Decision::Write(Bucket { id: self.id, arrival: from + rate.every }, Attempt::Allowed),
        }
    }

    /// Takes one attempt back: it was no guess.
    pub fn refund(&self, rate: Rate) -> Decision<Bucket, ()> {
        Decision::Write(Bucket { id: self.id, arrival: self.arrival - rate.every }, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, every: Duration::from_secs(10) };

    fn attempts(bucket: &mut Bucket, now: Moment, count: usize) -> Vec<Attempt> {
        (0..count)
            .map(|_| match bucket.attempt(RATE, now) {
                Decision::Write(next, answer) => {
                    *bucket = next;
                    answer
                }
                Decision::Leave(answer) => answer,
            })
            .collect()
    }

    #[test]
    fn the_burst_is_exact_and_one_more_comes_after_each_interval() {
        let start = Moment::from_micros(0);
        let mut bucket = Bucket::first([0; 16], RATE, start);
        let wait = Attempt::Wait(Duration::from_secs(10));
        assert_eq!(attempts(&mut bucket, start, 3), [Attempt::Allowed, Attempt::Allowed, wait]);
        let almost = start + Duration::from_micros(9_999_999);
        assert_eq!(attempts(&mut bucket, almost, 1), [Attempt::Wait(Duration::from_micros(1))]);
        let later = start + Duration::from_secs(10);
        assert_eq!(attempts(&mut bucket, later, 2), [Attempt::Allowed, wait]);
        let much_later = start + Duration::from_secs(1000);
        assert_eq!(
            attempts(&mut bucket, much_later, 4).iter().filter(|a| **a == Attempt::Allowed).count(),
            3
        );
    }

    #[test]
    fn a_refund_gives_exactly_one_attempt_back() {
        let start = Moment::from_micros(0);
        let mut bucket = Bucket::first([0; 16], RATE, start);
        attempts(&mut bucket, start, 2);
        let Decision::Write(mut bucket, ()) = bucket.refund(RATE) else { panic!("a refund is written") };
        assert_eq!(
            attempts(&mut bucket, start, 2),
            [Attempt::Allowed, Attempt::Wait(Duration::from_secs(10))]
        );
    }
}

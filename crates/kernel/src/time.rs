//! Moments: read once at the door, then passed as values.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since the Unix epoch. Negative values are before 1970 and valid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// The smallest moment there is: before everything that can have happened.
    pub const DAWN: Moment = Moment(i64::MIN);
    /// The largest moment there is: what dies then never dies.
    pub const NEVER: Moment = Moment(i64::MAX);

    /// The moment `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Moment(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: the `NumericDate` of RFC 7519 §2.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// How long ago `earlier` was; zero when it lies in the future (a clock that stepped back is no negative age).
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment right after this one: the smallest later value.
    #[must_use]
    pub const fn next(self) -> Moment {
        Moment(self.0.saturating_add(1))
    }

    /// RFC 3339 text in UTC with whole seconds, such as `2026-01-02T03:04:05Z`.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_second(self.seconds())
            .map(|stamp| stamp.to_string())
            .unwrap_or_else(|_| "never".into())
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, span: Duration) -> Moment {
        Moment(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;
    fn sub(self, span: Duration) -> Moment {
        Moment(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// Where moments come from. Read once per request or job, never inside a decision.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Moment;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_and_never_wraps() {
        assert_eq!(Moment::NEVER + Duration::from_secs(1), Moment::NEVER);
        assert_eq!(Moment::DAWN - Duration::from_secs(1), Moment::DAWN);
        assert_eq!(Moment::NEVER + Duration::MAX, Moment::NEVER);
        assert_eq!(Moment::from_micros(5).since(Moment::from_micros(9)), Duration::ZERO);
        assert_eq!(Moment::NEVER.next(), Moment::NEVER);
    }

    #[test]
    fn seconds_round_down_before_the_epoch_too() {
        assert_eq!(Moment::from_micros(-1).seconds(), -1);
        assert_eq!(Moment::from_micros(1_999_999).seconds(), 1);
        assert_eq!(Moment::from_micros(1_767_323_045_000_000).rfc3339(), "2026-01-02T03:04:05Z");
    }
}

//! A latency histogram of fixed size: exact below 128 µs, above that steps at most 1.6 % wide.

use std::time::Duration;

const STEP_BITS: u32 = 6;
const EXACT_BELOW: u64 = 1 << (STEP_BITS + 1);
/// The slot of `u64::MAX`, plus one.
const SLOTS: usize = 59 << STEP_BITS;

/// Counts of durations in microseconds.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; SLOTS], total: 0, longest: 0 }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        self.record_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn record_micros(&mut self, micros: u64) {
        if let Some(count) = self.counts.get_mut(slot(micros)) {
            *count += 1;
            self.total += 1;
            self.longest = self.longest.max(micros);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The longest duration recorded, exactly, in microseconds.
    pub(crate) fn longest(&self) -> u64 {
        self.longest
    }

    /// The duration in microseconds that `share` (0…1) of all records do not exceed; 0 when nothing was recorded.
    /// Rounded up to the end of its step, so it is never flattering.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ rank ≤ total")]
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return last_of(index).min(self.longest);
            }
        }
        self.longest
    }
}

/// Below `EXACT_BELOW` a slot each; above, the position of the highest bit chooses 64 slots and the six bits below it
/// one of them.
fn slot(micros: u64) -> usize {
    if micros < EXACT_BELOW {
        return usize::try_from(micros).unwrap_or(0);
    }
    let shift = u64::BITS - 1 - micros.leading_zeros() - STEP_BITS;
    (usize::try_from(shift).unwrap_or(0) << STEP_BITS) + usize::try_from(micros >> shift).unwrap_or(0)
}

/// The longest duration that falls into this slot.
fn last_of(index: usize) -> u64 {
    let index = index as u64;
    if index < EXACT_BELOW {
        return index;
    }
    let shift = (index >> STEP_BITS) - 1;
    let mantissa = index - (shift << STEP_BITS);
    let next = (u128::from(mantissa) + 1) << shift;
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_contiguous_and_hold_what_falls_into_them() {
        for micros in (0..10_000).chain([1 << 20, (1 << 40) + 12_345, u64::MAX - 1, u64::MAX]) {
            let index = slot(micros);
            assert!(index < SLOTS, "{micros} → {index}");
            assert!(last_of(index) >= micros);
            assert!(index == 0 || last_of(index - 1) < micros, "{micros} belongs into an earlier slot");
        }
        assert_eq!(slot(127), 127);
        assert_eq!(slot(128), 128);
        assert_eq!(slot(u64::MAX), SLOTS - 1);
    }

    #[test]
    fn a_step_is_at_most_two_percent_wide() {
        for micros in [128_u64, 129, 1_000, 4_999, 65_535, 65_536, 5_000_000] {
            let end = last_of(slot(micros));
            assert!((end - micros) * 100 <= micros * 2, "{micros} is reported as {end}");
        }
    }

    #[test]
    fn quantiles_of_known_data() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.99), 0);
        for micros in 1..=100 {
            histogram.record_micros(micros);
        }
        assert_eq!(histogram.quantile(0.0), 1);
        assert_eq!(histogram.quantile(0.5), 50);
        assert_eq!(histogram.quantile(0.99), 99);
        assert_eq!(histogram.quantile(0.999), 100);
        assert_eq!(histogram.quantile(1.0), 100);
        histogram.record(Duration::from_millis(7));
        assert_eq!(histogram.longest(), 7_000);
        assert_eq!(histogram.quantile(1.0), 7_000, "never more than the longest");
    }

    #[test]
    fn adding_is_recording_both() {
        let (mut left, mut right, mut both) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for micros in [3, 500, 90_000] {
            left.record_micros(micros);
            both.record_micros(micros);
        }
        for micros in [4, 70_000_000] {
            right.record_micros(micros);
            both.record_micros(micros);
        }
        left.add(&right);
        assert_eq!(left.counts, both.counts);
        assert_eq!((left.total(), left.longest()), (5, 70_000_000));
    }
}

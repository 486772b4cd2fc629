//! Work of this very process, on the one thread that asks: how often it is done, and what that costs.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::load::Sample;
use crate::process;

/// The clock is looked at after so many steps: often enough for the slowest, seldom enough for the fastest.
const LOOK_EVERY: usize = 32;

/// Does it again and again for this long.
pub(crate) fn repeat(time: Duration, mut step: impl FnMut(usize) -> Result<()>) -> Result<Sample> {
    let begun = Begun::now()?;
    let mut count = 0;
    while begun.goes_on(count, time) {
        step(count)?;
        count += 1;
    }
    begun.conclude(count)
}

/// Does it once with each.
pub(crate) fn each<T>(all: &[T], mut step: impl FnMut(&T) -> Result<()>) -> Result<Sample> {
    if all.is_empty() {
        bail!("there is nothing to measure with");
    }
    let begun = Begun::now()?;
    all.iter().try_for_each(&mut step)?;
    begun.conclude(all.len())
}

/// When something began, and what this thread had used by then.
pub(crate) struct Begun {
    at: Instant,
    cpu: f64,
}

impl Begun {
    pub(crate) fn now() -> Result<Self> {
        Ok(Self { cpu: process::thread_cpu_seconds()?, at: Instant::now() })
    }

    /// Whether there is time for one more after so many.
    pub(crate) fn goes_on(&self, count: usize, time: Duration) -> bool {
        !count.is_multiple_of(LOOK_EVERY) || self.at.elapsed() < time
    }

    /// The processor time is that of this thread; the "server" of the tables is this process.
    pub(crate) fn conclude(&self, count: usize) -> Result<Sample> {
        let seconds = self.at.elapsed().as_secs_f64();
        let cpu = process::thread_cpu_seconds()? - self.cpu;
        let mut sample = Sample { answers: count as u64, ..Sample::default() };
        sample.conclude(seconds, Some(cpu), None);
        Ok(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_and_errors_end_it() {
        let mut steps = 0;
        let sample = repeat(Duration::from_millis(20), |number| {
            assert_eq!(number, steps);
            steps += 1;
            Ok(())
        });
        let sample = sample.unwrap();
        assert_eq!(sample.answers, steps as u64);
        assert!(sample.seconds >= 0.02 && sample.per_second > 0.0);
        let sample = each(&[1, 2, 3], |_| Ok(())).unwrap();
        assert_eq!(sample.answers, 3);
        assert!(each(&[1], |_| bail!("no")).is_err());
        assert!(each(&[0; 0], |_| Ok(())).is_err());
    }
}

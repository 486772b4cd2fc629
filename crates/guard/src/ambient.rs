//! The one place where the clock is read and randomness is drawn. Everywhere else both come in as values.

#![allow(clippy::disallowed_methods)]

use std::time::{SystemTime, UNIX_EPOCH};

use gateward_kernel::secret::Entropy;
use gateward_kernel::time::{Clock, Moment};

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        Moment::from_micros(micros)
    }
}

/// The system's cryptographically secure randomness: asked of the kernel, which costs no start-up time, where a
/// library's own generator first gathers jitter for some fifty milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness every secret would be guessable: better no process than such a one.
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// A clock that stands still until it is set: for tests.
#[derive(Debug)]
pub struct HeldClock(std::sync::atomic::AtomicI64);

impl HeldClock {
    /// A clock that shows `start`.
    pub const fn at(start: Moment) -> Self {
        HeldClock(std::sync::atomic::AtomicI64::new(start.micros()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: std::time::Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Moment {
        Moment::from_micros(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

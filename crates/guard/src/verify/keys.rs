//! The keys tokens are verified with: given once, or fetched from the issuer and kept fresh.

use std::sync::Arc;

use gateward_kernel::jose::{Invalid, KeySet, Refused};
use gateward_kernel::time::Moment;

#[cfg(feature = "remote")]
use super::fetched::{FetchedKeys, Reason};
use super::{Denied, Outage};

#[derive(Debug)]
pub(crate) enum Keys {
    /// Given by the application.
    Fixed(KeySet),
    /// Those of the issuer.
    #[cfg(feature = "remote")]
    Fetched(Arc<FetchedKeys>),
}

impl Keys {
    /// Which state the keys have; `None` when they must be fetched before they count.
    pub(crate) fn generation(&self, now: Moment) -> Option<u64> {
        match self {
            Keys::Fixed(_) => Some(0),
            #[cfg(feature = "remote")]
            Keys::Fetched(keys) => keys.is_fresh(now).then(|| keys.generation()),
        }
    }

    /// Tries something with the keys, and once more with newer ones when the token names a key that is not among them.
    /// Yields the result and the state of the keys it was had with.
    pub(crate) async fn with<T>(
        &self,
        now: Moment,
        attempt: impl Fn(&KeySet) -> Result<T, Refused>,
    ) -> Result<(T, u64), Denied> {
        match self {
            Keys::Fixed(set) => Ok((attempt(set)?, 0)),
            #[cfg(feature = "remote")]
            Keys::Fetched(keys) => {
                if !keys.is_fresh(now) {
                    keys.fetch(Reason::Due).await;
                }
                let unknown = Denied::Unavailable(Outage::Keys);
                let (set, generation) = keys.usable(now).ok_or(unknown)?;
                match attempt(&set) {
                    Err(Refused::Invalid(Invalid::UnknownKey)) => {
                        if !keys.fetch(Reason::UnknownKey).await {
                            return Err(unknown);
                        }
                        let (set, generation) = keys.usable(now).ok_or(unknown)?;
                        Ok((attempt(&set)?, generation))
                    }
                    result => Ok((result?, generation)),
                }
            }
        }
    }
}

//! Nonces of the server for proofs (RFC 9449 §8): a moment under a checksum, so that nothing is stored and every node knows
//! those of the others.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use crate::secret::{MacKey, RootKey};
use crate::time::Moment;

const TAG: usize = 16;
const BODY: usize = 8 + TAG;
const TEXT: usize = BODY / 3 * 4;

/// Issues and knows nonces. All that are issued within one period are the same, so that a client which was told one can go on
/// with it; one is accepted in its period and in the next.
#[derive(Clone, Debug)]
pub struct Nonces {
    key: MacKey,
    /// In microseconds, at least one.
    period: i64,
}

impl Nonces {
    /// Nonces that are renewed after this time, and die after twice as much at most.
    pub fn new(root: &RootKey, period: Duration) -> Self {
        let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
        Nonces { key: root.mac("dpop nonce"), period }
    }

    /// The nonce of this moment: 32 characters of base64url.
    pub fn issue(&self, now: Moment) -> String {
        self.of(self.number(now))
    }

    /// Whether this nonce is of the present period, of that before, or of that after: another node's clock may be ahead.
    pub fn accepts(&self, nonce: &str, now: Moment) -> bool {
        let mut body = [0; BODY];
        if nonce.len() != TEXT || BASE64URL_NOPAD.decode_mut(nonce.as_bytes(), &mut body).is_err() {
            return false;
        }
        let Some((number, tag)) = body.split_first_chunk::<8>() else { return false };
        let distance = self.number(now).saturating_sub(i64::from_be_bytes(*number));
        self.key.verify(&[number], tag) && (-1..=1).contains(&distance)
    }

    /// Whether this is the nonce of the present period, so that the client need not be told another.
    pub fn is_current(&self, nonce: &str, now: Moment) -> bool {
        nonce == self.issue(now)
    }

    fn number(&self, now: Moment) -> i64 {
        now.micros().div_euclid(self.period)
    }

    fn of(&self, number: i64) -> String {
        let number = number.to_be_bytes();
        let tag: [u8; TAG] = self.key.short_tag(&[&number]);
        BASE64URL_NOPAD.encode(&[number.as_slice(), &tag].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);
    const START: Moment = Moment::from_micros(1_800_000_000_000_000);

    fn nonces() -> Nonces {
        Nonces::new(&RootKey::from_bytes([3; 32]), PERIOD)
    }

    #[test]
    fn one_counts_in_its_period_and_in_the_next() {
        let (nonces, micro) = (nonces(), Duration::from_micros(1));
        let nonce = nonces.issue(START);
        assert_eq!(nonce.len(), TEXT);
        let last = START + PERIOD - micro;
        assert_eq!(nonces.issue(last), nonce, "the same for the whole period");
        assert_ne!(nonces.issue(START + PERIOD), nonce);
        for (now, good) in [
            (START - PERIOD - micro, false),
            (START - PERIOD, true),
            (START - micro, true),
            (START, true),
            (last, true),
            (START + PERIOD, true),
            (START + PERIOD * 2 - micro, true),
            (START + PERIOD * 2, false),
            (Moment::NEVER, false),
            (Moment::DAWN, false),
        ] {
            assert_eq!(nonces.accepts(&nonce, now), good, "{now:?}");
        }
        assert!(nonces.is_current(&nonce, last) && !nonces.is_current(&nonce, START + PERIOD));
    }

    #[test]
    fn every_node_of_an_installation_knows_them_and_nobody_else() {
        let nonce = nonces().issue(START);
        assert!(nonces().accepts(&nonce, START));
        let others = Nonces::new(&RootKey::from_bytes([4; 32]), PERIOD);
        assert!(!others.accepts(&nonce, START));
    }

    #[test]
    fn every_other_form_is_refused() {
        let nonce = nonces().issue(START);
        let cut = (0..nonce.len()).map(|at| nonce[..at].to_owned());
        let changed = (0..nonce.len()).map(|at| {
            let mut bytes = nonce.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        });
        let others =
            [format!("{nonce}A"), format!("{nonce}="), format!(" {nonce}"), nonce.to_ascii_uppercase()];
        for odd in cut.chain(changed).chain(others) {
            assert!(!nonces().accepts(&odd, START), "{odd}");
        }
    }

    #[test]
    fn no_period_is_too_short_or_too_long() {
        for period in [Duration::ZERO, Duration::MAX] {
            let nonces = Nonces::new(&RootKey::from_bytes([3; 32]), period);
            assert!(nonces.accepts(&nonces.issue(START), START));
        }
    }
}

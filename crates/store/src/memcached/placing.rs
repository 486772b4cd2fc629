//! Which record is on which server: rendezvous hashing.
//!
//! Every node must come to the same answer, in every version of this program: so the hash is written down here, and its
//! outcomes in a test.

use super::address::ServerName;

/// The servers, as they take part in the choice.
#[derive(Clone, Debug)]
pub(super) struct Placing {
    seeds: Vec<u64>,
}

impl Placing {
    pub(super) fn new(servers: &[ServerName]) -> Self {
        Placing { seeds: servers.iter().map(|server| mixed(hash(server.to_string().as_bytes()))).collect() }
    }

    /// The index of the server that has this key. When a server is added or taken away, only the keys that come to it or
    /// were on it change their place.
    pub(super) fn server(&self, key: &[u8]) -> usize {
        let key = hash(key);
        let scores = self.seeds.iter().map(|seed| mixed(key ^ seed)).enumerate();
        scores.max_by_key(|(_, score)| *score).map_or(0, |(index, _)| index)
    }

    /// Which of so many connections to its server a key uses: always the same, so that what is done to a record is done and
    /// told in one order.
    pub(super) fn line(key: &[u8], count: usize) -> usize {
        let number = mixed(!hash(key)) % (count.max(1) as u64);
        usize::try_from(number).unwrap_or(0)
    }
}

/// FNV-1a with 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64: every bit of the input touches every bit of the output.
const fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placing(names: &[&str]) -> Placing {
        let name = |host: &&str| ServerName { host: (*host).to_owned(), port: 11211 };
        Placing::new(&names.iter().map(name).collect::<Vec<_>>())
    }

    fn key(number: u32) -> Vec<u8> {
        format!("gateward:session:{number}").into_bytes()
    }

    #[test]
    fn the_choice_is_the_same_for_ever() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8, "as published with the function");
        let placing = placing(&["a", "b", "c"]);
        let chosen: Vec<usize> = (0..12).map(|number| placing.server(&key(number))).collect();
        assert_eq!(chosen, CHOSEN);
    }

    const CHOSEN: [usize; 12] = [1, 1, 1, 1, 1, 1, 2, 0, 1, 0, 2, 1];

    #[test]
    fn keys_spread_evenly_and_move_only_where_they_must() {
        let names = ["a", "b", "c", "d"];
        let (four, three) = (placing(&names), placing(&names[..3]));
        let mut counts = [0_u32; 4];
        let mut lines = [0_u32; 4];
        for number in 0..10_000 {
            let key = key(number);
            let server = four.server(&key);
            counts[server] += 1;
            lines[Placing::line(&key, 4)] += 1;
            if server < 3 {
                assert_eq!(three.server(&key), server, "what was not on d stays where it was");
            }
        }
        for count in counts.into_iter().chain(lines) {
            assert!((2_300..2_700).contains(&count), "{counts:?} {lines:?}");
        }
        assert_eq!(placing(&["a"]).server(b"x"), 0);
        assert_eq!(Placing::line(b"x", 1), 0);
    }
}

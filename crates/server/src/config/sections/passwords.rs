//! Passwords, and what slows guessing.

use std::path::PathBuf;

use crate::config::definition::settings;
use crate::config::values::{Bytes, Pepper, Span};

settings! {
    /// What passwords must be, and how they are hashed (Argon2id). When the cost changes, each password is
    /// hashed anew at the next sign-in.
    pub struct Passwords {
        /// The shortest password, in characters. There are no rules about digits or signs: length and a list
        /// of common passwords do more.
        min_length: u32 = "8" in "8" ..= "64";

        /// The memory of one hash.
        memory: Bytes = "19MiB" in "8MiB" ..= "1GiB";

        /// How often a hash runs over its memory.
        iterations: u32 = "2" in "1" ..= "16";

        /// The lanes of a hash.
        parallelism: u32 = "1" in "1" ..= "8";

        /// How many passwords are hashed at the same time; 0 stands for one on each core. Memory for hashing
        /// is this number times `memory`.
        threads: u32 = "0" in "0" ..= "256";

        /// How many sign-ins may wait for a hash. Further ones are told to try again in a moment.
        queue: u32 = "64" in "1" ..= "4096";

        /// A key that is mixed into each hash, so that a stolen database alone is worth nothing: `data` is one that is
        /// made at the first start and kept encrypted under the root key, `file:PATH` is a file of yours with one key a
        /// line, the newest last, and `none` is none.
        pepper: Pepper = "data";

        /// A file of further refused passwords, one a line, besides the built-in list of common ones.
        blocklist: Option<PathBuf> = "";
    }
}

settings! {
    /// How guessing of passwords is slowed. Each account and each network has a number of free attempts, and
    /// gets one back in each interval. Devices that signed in before are not held up by what others try.
    pub struct Throttle {
        /// The failed attempts an account has at first.
        account_burst: u32 = "10" in "1" ..= "1000000";

        /// The time after which an account gets one attempt back.
        account_every: Span = "30s" in "1ms" ..= "24h";

        /// The attempts a network has at first: one IPv4 address, or an IPv6 /64.
        network_burst: u32 = "60" in "1" ..= "1000000";

        /// The time after which a network gets one attempt back.
        network_every: Span = "1s" in "1ms" ..= "24h";
    }
}

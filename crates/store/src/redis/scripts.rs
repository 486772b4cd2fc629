//! How a record lies in Redis, and the scripts that change it.
//!
//! A record is one string under one key, `<prefix><kind>:<id>`: eight bytes version, eight bytes death (both most significant
//! byte first), and the value. Redis takes it away a minute after its death; whether it is dead, our own clock decides.
//!
//! A version is one more than the one before, or the server's clock in microseconds, whichever is larger. So it grows over
//! removal and re-creation too without anything being kept of what was removed. Only a clock that is set back (or a fail-over to
//! a server whose clock is behind) lets a record that is removed *and created again under the same id* within that span have a
//! smaller version than in its earlier life. A conditional write of the earlier life would then have to name the new version to
//! the microsecond to be taken; near caches were told of the removal. The ids of sessions, codes and tokens are random and never
//! used twice.

use bytes::Bytes;
use gateward_kernel::ports::{Fault, FaultKind, Key, Stored, Version};
use gateward_kernel::time::Moment;
use redis::Cmd;

use super::ENGINE;

/// Redis may take a record away so many milliseconds after its death: clocks differ.
const GRACE_MILLIS: i64 = 60_000;
/// The bytes before the value.
const HEAD: usize = 16;

/// A small program that runs in the server, as a whole or not at all.
pub(super) struct Script {
    code: &'static str,
    digest: String,
}

/// The three changes. Each touches one key.
pub(super) struct Scripts {
    /// Death, value, expiry: the version, or 0 when it is there already.
    pub(super) create: Script,
    /// Death, value, expiry, expected version: the version, 0 when it is absent, -1 when it is stale.
    pub(super) replace: Script,
    /// Nothing: the version of the removal and what was there, or nil.
    pub(super) remove: Script,
}

/// Reads the clock and writes. An expiry in the past is no reason to vanish at once: the dead are read until they are swept.
macro_rules! put {
    () => {
        r"
local function put(least)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local version = math.max(least, now)
  local record = struct.pack('>I8', version) .. ARGV[1] .. ARGV[2]
  if ARGV[3] == '' then
    redis.call('SET', KEYS[1], record)
  else
    local soonest = math.floor(now / 1000) + 60000
    local at = ARGV[3]
    if tonumber(at) < soonest then at = string.format('%.0f', soonest) end
    redis.call('SET', KEYS[1], record, 'PXAT', at)
  end
  return version
end
"
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        let create = concat!(
            put!(),
            r"
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
return put(1)
"
        );
        let replace = concat!(
            put!(),
            r"
local old = redis.call('GETRANGE', KEYS[1], 0, 7)
if old == '' then return 0 end
if old ~= ARGV[4] then return -1 end
return put(struct.unpack('>I8', old) + 1)
"
        );
        let remove = r"
local old = redis.call('GET', KEYS[1])
if not old then return false end
redis.call('DEL', KEYS[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if #old < 8 then return {now, old} end
return {math.max(struct.unpack('>I8', old) + 1, now), old}
";
        Scripts { create: Script::new(create), replace: Script::new(replace), remove: Script::new(remove) }
    }
}

impl Script {
    fn new(code: &'static str) -> Self {
        Script { code, digest: redis::Script::new(code).get_hash().to_owned() }
    }

    /// The command that runs it: by its digest, or with its text for a server that does not know it (any more).
    pub(super) fn command(&self, known: bool, key: &[u8], arguments: &[&[u8]]) -> Cmd {
        let mut command = redis::cmd(if known { "EVALSHA" } else { "EVAL" });
        command.arg(if known { &self.digest } else { self.code }).arg(1).arg(key);
        for argument in arguments {
            command.arg(*argument);
        }
        command
    }
}

/// The key's bytes in Redis.
pub(super) fn name(prefix: &str, key: &Key) -> Vec<u8> {
    let mut name = Vec::with_capacity(prefix.len() + key.kind.len() + 1 + key.id.len());
    name.extend_from_slice(prefix.as_bytes());
    name.extend_from_slice(key.kind.as_bytes());
    name.push(b':');
    name.extend_from_slice(&key.id);
    name
}

/// The kind and the id of a key of ours.
pub(super) fn parse_name<'a>(prefix: &str, name: &'a [u8]) -> Option<(&'a str, &'a [u8])> {
    let rest = name.strip_prefix(prefix.as_bytes())?;
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let (kind, id) = rest.split_at_checked(colon)?;
    Some((std::str::from_utf8(kind).ok()?, id.get(1..)?))
}

/// When Redis may take it away, in milliseconds since the Unix epoch; empty for never.
pub(super) fn expiry(death: Moment) -> String {
    if death == Moment::NEVER {
        return String::new();
    }
    // Not before the epoch; the script moves what lies in the past.
    death.micros().div_euclid(1000).saturating_add(GRACE_MILLIS).max(1).to_string()
}

/// Reads a record.
pub(super) fn decode(kind: &str, bytes: Vec<u8>) -> Result<Stored, Fault> {
    let torn =
        || Fault::new(ENGINE, FaultKind::Unreadable, format!("a {kind} record was not written by Gateward"));
    let (version, rest) = bytes.split_first_chunk::<8>().ok_or_else(torn)?;
    let (death, _) = rest.split_first_chunk::<8>().ok_or_else(torn)?;
    let version = Version(u64::from_be_bytes(*version));
    let death = Moment::from_micros(i64::from_be_bytes(*death));
    Ok(Stored { value: Bytes::from(bytes).slice(HEAD..), version, death })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for id in [&b""[..], b"a", b":", b"a:b", b"\xff\0"] {
            let name = name("gw:", &Key::new("session", id));
            assert_eq!(parse_name("gw:", &name), Some(("session", id)));
        }
        assert_eq!(parse_name("gw:", b"other:session:a"), None);
        assert_eq!(parse_name("gw:", b"gw:session"), None);
    }

    #[test]
    fn expiry_is_a_minute_after_death() {
        assert_eq!(expiry(Moment::from_micros(5_000)), "60005");
        assert_eq!(expiry(Moment::NEVER), "");
        assert_eq!(expiry(Moment::DAWN), "1");
    }

    #[test]
    fn what_is_too_short_is_unreadable() {
        assert!(decode("session", vec![0; 15]).is_err());
        let stored = decode("session", [&[0; 7][..], &[5], &[0; 7], &[9], b"x"].concat()).unwrap();
        assert_eq!((stored.version, stored.death), (Version(5), Moment::from_micros(9)));
        assert_eq!(stored.value, "x");
    }
}

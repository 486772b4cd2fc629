//! Redis Cluster: which slot a key is in, and who has which slots.
//!
//! The routing is our own and not the library's: that one repeats a write whose connection broke, which nobody asked for.

use redis::Value;

use super::address::Host;
use super::trouble::{Trouble, Why};

/// So many slots there are.
pub(super) const SLOTS: usize = 16384;
const NOBODY: u16 = u16::MAX;

/// Who has which slot: the position of the master among the masters.
pub(super) struct Slots(Box<[u16]>);

impl Slots {
    pub(super) fn owner(&self, slot: u16) -> Option<usize> {
        self.0.get(usize::from(slot)).filter(|owner| **owner != NOBODY).map(|owner| usize::from(*owner))
    }
}

/// The slot of a key. What stands between the first brace and the next closing one decides, if there is anything: an id of
/// random bytes may hold braces too.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        rest.get(..rest.iter().position(|byte| *byte == b'}')?)
    });
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key)) & 0x3FFF
}

/// CRC-16/XMODEM.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        let mut sum = sum ^ (u16::from(*byte) << 8);
        for _ in 0..8 {
            sum = if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 };
        }
        sum
    })
}

/// Reads the answer to `CLUSTER SLOTS` of the node `asked`.
pub(super) fn read_slots(answer: &Value, asked: &Host) -> Result<(Vec<Host>, Slots), Trouble> {
    let odd = || Trouble::new(Why::Unreached, format!("{asked} says an odd thing about the cluster"));
    let Value::Array(ranges) = answer else { return Err(odd()) };
    let mut hosts: Vec<Host> = Vec::new();
    let mut slots = vec![NOBODY; SLOTS].into_boxed_slice();
    for range in ranges {
        let Value::Array(parts) = range else { return Err(odd()) };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = &parts[..] else {
            return Err(odd());
        };
        let [name, Value::Int(port), ..] = &master[..] else { return Err(odd()) };
        let name = match name {
            Value::BulkString(name) if !name.is_empty() && name != b"?" => {
                String::from_utf8_lossy(name).into_owned()
            }
            // It does not know its own name: the one by which it was reached will do.
            _ => asked.name.clone(),
        };
        let host = Host { name, port: u16::try_from(*port).map_err(|_| odd())? };
        let at = hosts.iter().position(|known| *known == host).unwrap_or_else(|| {
            hosts.push(host);
            hosts.len() - 1
        });
        let owner = u16::try_from(at).map_err(|_| odd())?;
        let span = usize::try_from(*first).ok().zip(usize::try_from(*last).ok());
        let (first, last) = span.ok_or_else(odd)?;
        slots.get_mut(first..=last).ok_or_else(odd)?.fill(owner);
    }
    if hosts.is_empty() {
        return Err(Trouble::new(Why::Unreached, format!("{asked} knows of no slots")));
    }
    Ok((hosts, Slots(slots)))
}

/// Where `MOVED` and `ASK` send us; a missing name means the server that said so.
pub(super) fn read_redirect(said: &str, from: &Host) -> Option<Host> {
    // The last word is `name:port`; an IPv6 address has colons of its own.
    let (name, port) = said.rsplit_once(':')?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let name = if name.is_empty() { &from.name } else { name };
    Some(Host { name: name.into(), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{}{bar}"), crc16(b"foo{}{bar}") & 0x3FFF);
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
    }

    #[test]
    fn an_answer_about_slots_is_read() {
        let asked = Host { name: "me".into(), port: 1 };
        let node = |name: &[u8], port| Value::Array(vec![Value::BulkString(name.to_vec()), Value::Int(port)]);
        let range = |first, last, node| Value::Array(vec![Value::Int(first), Value::Int(last), node]);
        let answer = Value::Array(vec![
            range(0, 5, node(b"a", 7)),
            range(6, 6, node(b"", 8)),
            range(16383, 16383, node(b"a", 7)),
        ]);
        let (hosts, slots) = read_slots(&answer, &asked).unwrap();
        assert_eq!(hosts, [Host { name: "a".into(), port: 7 }, Host { name: "me".into(), port: 8 }]);
        let owners = [0, 5, 6, 7, 16383].map(|slot| slots.owner(slot));
        assert_eq!(owners, [Some(0), Some(0), Some(1), None, Some(0)]);
        let beyond = Value::Array(vec![range(0, 16384, node(b"a", 7))]);
        for wrong in [Value::Nil, Value::Array(vec![]), Value::Array(vec![Value::Nil]), beyond] {
            assert!(read_slots(&wrong, &asked).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn redirects_are_read() {
        let from = Host { name: "me".into(), port: 1 };
        let read = |said| read_redirect(said, &from).map(|host| host.to_string());
        assert_eq!(read("10.0.0.1:6381").as_deref(), Some("10.0.0.1:6381"));
        assert_eq!(read(":6381").as_deref(), Some("me:6381"));
        assert_eq!(read("::1:6381").as_deref(), Some("[::1]:6381"));
        assert_eq!(read("nowhere"), None);
    }
}

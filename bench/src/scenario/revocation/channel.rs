//! A listener to the push channel that understands nothing and counts bytes: what revocations cost on the wire.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::house::Served;
use crate::wire;

const PATIENCE: Duration = Duration::from_secs(30);

/// The line, and what came over it.
pub(super) struct Channel {
    stream: TcpStream,
    received: Arc<AtomicU64>,
    /// Bytes of the first event, which says everything.
    pub(super) snapshot: u64,
}

impl Channel {
    /// Begins to listen; comes back when everything was said.
    pub(super) fn listen(served: &Served) -> Result<Self> {
        let mut stream = TcpStream::connect(served.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let authority = served.address.to_string();
        stream.write_all(&wire::request("GET", "/oauth/status/events", &authority, &[], ""))?;
        let mut bytes = Vec::new();
        let mut block = vec![0; 64 * 1024];
        let snapshot = loop {
            let count = stream.read(&mut block).context("waiting for the snapshot")?;
            if count == 0 {
                bail!("the push channel was closed before it said anything");
            }
            bytes.extend_from_slice(block.get(..count).unwrap_or_default());
            if let Some(length) = first_event(&bytes)? {
                break length;
            }
        };
        let received = Arc::new(AtomicU64::new(0));
        let (mut reading, counted) = (stream.try_clone()?, received.clone());
        thread::spawn(move || {
            while let Ok(count @ 1..) = reading.read(&mut block) {
                counted.fetch_add(count as u64, Ordering::Relaxed);
            }
        });
        Ok(Self { stream, received, snapshot })
    }

    /// Bytes that came since the snapshot.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Ends the thread that reads, if the server has not ended it already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// How long the first event is, with the framing of its chunk; `None` while it is not whole.
fn first_event(bytes: &[u8]) -> Result<Option<u64>> {
    let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    let Some(head) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    if !bytes.starts_with(b"HTTP/1.1 200 ") {
        bail!("the push channel is not open: {}", String::from_utf8_lossy(bytes));
    }
    let body = bytes.get(head + 4..).unwrap_or_default();
    if find(body, b"\n\n").is_none() {
        return Ok(None);
    }
    if find(body, b"event: snapshot\n").is_none() {
        bail!("the push channel does not begin with a snapshot");
    }
    Ok(Some(body.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_is_measured_when_it_is_whole() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let event = "20\r\nid: 1-1\nevent: snapshot\ndata: {}\n\n\r\n";
        let all = format!("{head}{event}");
        for end in 0..all.len() - 3 {
            assert_eq!(first_event(&all.as_bytes()[..end]).unwrap(), None, "{end}");
        }
        assert_eq!(first_event(all.as_bytes()).unwrap(), Some(event.len() as u64));
        assert!(first_event(b"HTTP/1.1 503 Busy\r\n\r\n").is_err());
        assert!(first_event(all.replace("snapshot", "change").as_bytes()).is_err());
    }
}

//! A TCP line that can be cut, silenced and slowed.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How often a copying thread looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(50);
const BUFFER: usize = 64 * 1024;

/// A line from its own address to that of a server. All of it ends when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    to: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    mode: Mode,
    delay: Duration,
    /// Both ends of every open connection.
    open: Vec<TcpStream>,
    over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Mode {
    #[default]
    Whole,
    /// Whoever comes is turned away.
    Cut,
    /// Whoever comes is let in, and nothing passes.
    Silent,
}

impl Proxy {
    /// A line to that address.
    pub fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let line = Arc::new(Line { to, state: Mutex::default(), changed: Condvar::new() });
        let own = line.clone();
        std::thread::spawn(move || own.accept(&listener));
        Proxy { address, line }
    }

    /// Where to connect to.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection, and turns away whoever comes.
    pub fn cut(&self) {
        self.line.set(Mode::Cut);
        self.line.close();
    }

    /// Closes every connection; whoever comes anew is let through.
    pub fn hang_up(&self) {
        self.line.close();
    }

    /// Keeps every connection open, and lets nothing pass any more.
    pub fn silence(&self) {
        self.line.set(Mode::Silent);
    }

    /// Lets every piece of data wait for so long, in both directions.
    pub fn delay(&self, delay: Duration) {
        self.line.state.lock().delay = delay;
    }

    /// Lets everything through again, at once. What was held back by silence is delivered.
    pub fn heal(&self) {
        self.line.state.lock().delay = Duration::ZERO;
        self.line.set(Mode::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.line.state.lock().over = true;
        self.cut();
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Line {
    fn set(&self, mode: Mode) {
        self.state.lock().mode = mode;
        self.changed.notify_all();
    }

    fn close(&self) {
        for stream in self.state.lock().open.drain(..) {
            // It may have ended on its own.
            let _ended = stream.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for near in listener.incoming() {
            let Ok(near) = near else { continue };
            let (over, mode) = {
                let state = self.state.lock();
                (state.over, state.mode)
            };
            if over {
                return;
            }
            if mode == Mode::Cut {
                continue;
            }
            let Ok(far) = TcpStream::connect(self.to) else { continue };
            {
                let mut state = self.state.lock();
                state.open.push(near.try_clone().unwrap());
                state.open.push(far.try_clone().unwrap());
                if state.mode == Mode::Cut {
                    drop(state);
                    self.close();
                }
            }
            for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                let (line, from, to) = (self.clone(), from.unwrap(), to.unwrap());
                std::thread::spawn(move || line.copy(from, to));
            }
        }
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        from.set_read_timeout(Some(GLANCE)).unwrap();
        to.set_nodelay(true).unwrap();
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.state.lock().over {
                        break;
                    }
                    continue;
                }
                Err(_) => break,
            };
            let delay = self.state.lock().delay;
            if !delay.is_zero() {
                std::thread::sleep(delay);
            }
            if !self.may_pass() || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ended = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    /// Waits while the line is silent; whether it is whole then.
    fn may_pass(&self) -> bool {
        let mut state = self.state.lock();
        while state.mode == Mode::Silent && !state.over {
            self.changed.wait(&mut state);
        }
        state.mode == Mode::Whole && !state.over
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    /// Answers every line with the same line.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    while let Some(Ok(line)) = lines.next() {
                        if stream.write_all(format!("{line}\n").as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn ask(stream: &TcpStream, word: &str, patience: Duration) -> Option<String> {
        stream.set_read_timeout(Some(patience)).unwrap();
        (&*stream).write_all(format!("{word}\n").as_bytes()).ok()?;
        let mut line = String::new();
        match BufReader::new(stream).read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_line_is_whole_cut_silent_and_whole_again() {
        const LONG: Duration = Duration::from_secs(5);
        let proxy = Proxy::to(echo());
        let stream = TcpStream::connect(proxy.addr()).unwrap();
        assert_eq!(ask(&stream, "one", LONG).as_deref(), Some("one"));
        proxy.silence();
        assert_eq!(ask(&stream, "two", Duration::from_millis(200)), None);
        proxy.heal();
        let mut line = String::new();
        stream.set_read_timeout(Some(LONG)).unwrap();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        assert_eq!(line, "two\n", "what was held back comes");
        proxy.cut();
        assert_eq!(ask(&stream, "three", LONG), None);
        let refused = TcpStream::connect(proxy.addr()).unwrap();
        assert_eq!(ask(&refused, "four", LONG), None);
        proxy.heal();
        let stream = TcpStream::connect(proxy.addr()).unwrap();
        assert_eq!(ask(&stream, "five", LONG).as_deref(), Some("five"));
    }
}

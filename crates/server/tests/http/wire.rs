//! A client that is no library: it sends the bytes it is told, also wrong ones, and keeps cookies like a browser.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Nothing in these tests takes that long: whoever waits longer waits for nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header that is there once at most.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} is there {} times", all.len());
        all.first().copied()
    }

    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The `Set-Cookie` of this cookie.
    pub(crate) fn set_cookie(&self, name: &str) -> Option<&str> {
        let begin = format!("{name}=");
        self.all("set-cookie").into_iter().find(|text| text.starts_with(&begin))
    }

    /// The stable code of a problem, whose shape is checked on the way (RFC 9457).
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
        let kind = problem["type"].as_str().unwrap();
        kind.strip_prefix("tag:gateward,2026:problem/").unwrap().to_owned()
    }

    /// The token of the form on this page that leads to `action`.
    pub(crate) fn token(&self, action: &str) -> String {
        let html = self.text();
        let begin = format!("action=\"{action}\"");
        let (_, form) = html.split_once(&begin).unwrap_or_else(|| panic!("no form to {action} in {html}"));
        let (_, rest) = form.split_once("name=\"csrf\" value=\"").expect("a form token");
        rest.split_once('"').unwrap().0.to_owned()
    }

    pub(crate) fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, String::from_utf8_lossy(&self.body));
        self
    }
}

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(to: SocketAddr) -> Wire {
        Wire { stream: TcpStream::connect(to).await.unwrap(), buffer: Vec::new() }
    }

    /// The same from another loopback address.
    pub(crate) async fn connect_from(from: IpAddr, to: SocketAddr) -> Wire {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        Wire { stream: socket.connect(to).await.unwrap(), buffer: Vec::new() }
    }

    /// Sends bytes; a server that has closed already has nothing against it.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _maybe_closed = self.stream.write_all(bytes).await;
    }

    async fn more(&mut self) -> bool {
        let mut part = [0; 16 * 1024];
        let read =
            tokio::time::timeout(PATIENCE, self.stream.read(&mut part)).await.expect("an answer in time");
        match read {
            Ok(count) => {
                self.buffer.extend_from_slice(&part[..count]);
                count > 0
            }
            Err(_) => false,
        }
    }

    /// The next answer; `None` when the connection ends without one. `bodiless` for answers to `HEAD`.
    pub(crate) async fn answer(&mut self, bodiless: bool) -> Option<Answer> {
        let end = loop {
            match self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if self.more().await => {}
                None => return None,
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end);
        let mut lines = head.trim_end().split("\r\n");
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if bodiless || status == 204 || status == 304 {
            return Some(answer);
        }
        answer.body = if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks().await
        } else {
            let length = answer.header("content-length").map(|length| length.parse().unwrap());
            self.exactly(length).await
        };
        Some(answer)
    }

    async fn exactly(&mut self, length: Option<usize>) -> Vec<u8> {
        while length.is_none_or(|length| self.buffer.len() < length) && self.more().await {}
        let end = length.unwrap_or(self.buffer.len());
        self.buffer.drain(..end).collect()
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                match self.buffer.windows(2).position(|two| two == b"\r\n") {
                    Some(line) => break line,
                    None => assert!(self.more().await, "the body broke off"),
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.buffer[..line]).unwrap(), 16).unwrap();
            let whole = line + 2 + size + 2;
            while self.buffer.len() < whole {
                assert!(self.more().await, "the body broke off");
            }
            body.extend_from_slice(&self.buffer[line + 2..line + 2 + size]);
            self.buffer.drain(..whole);
            if size == 0 {
                return body;
            }
        }
    }

    /// Waits until the server closes the connection; what it still sent is dropped.
    pub(crate) async fn closed(&mut self) {
        while self.more().await {}
    }
}

/// Somebody with a browser: an address, a jar of cookies, and a name for the program.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) to: SocketAddr,
    pub(crate) from: Option<IpAddr>,
    pub(crate) jar: Vec<(String, String)>,
    /// Sent with every request.
    pub(crate) headers: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new(to: SocketAddr) -> Browser {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        Browser { to, from: None, jar: Vec::new(), headers: vec![("User-Agent".into(), agent.into())] }
    }

    /// The same browser with one more header in every request.
    pub(crate) fn with(&self, name: &str, value: &str) -> Browser {
        let mut other = self.clone();
        other.headers.push((name.into(), value.into()));
        other
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.jar.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }

    /// The session secret in the jar.
    pub(crate) fn secret(&self) -> String {
        self.cookie("gateward").expect("a session cookie")
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.jar.retain(|(own, _)| own != name);
        self.jar.push((name.into(), value.into()));
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.to);
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            head.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
        }
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        let mut wire = match self.from {
            Some(from) => Wire::connect_from(from, self.to).await,
            None => Wire::connect(self.to).await,
        };
        wire.send(&[head.as_bytes(), body].concat()).await;
        let answer = wire.answer(method == "HEAD").await.expect("an answer");
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        for text in answer.all("set-cookie") {
            let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
            let (name, value) = pair.split_once('=').unwrap();
            self.jar.retain(|(own, _)| own != name);
            if !attributes.to_ascii_lowercase().contains("max-age=0") {
                self.jar.push((name.into(), value.into()));
            }
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    /// The same with headers.
    pub(crate) async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, b"").await
    }

    pub(crate) async fn json(&mut self, method: &str, path: &str, value: &Value) -> Answer {
        let body = value.to_string();
        self.send(method, path, &[("Content-Type", "application/json")], body.as_bytes()).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"").await
    }

    /// Sends a form with exactly these fields.
    pub(crate) async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        self.send("POST", path, &headers, encode(fields).as_bytes()).await
    }

    /// Loads the page, and sends its form with its token to `action`.
    pub(crate) async fn fill(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.get(page).await.expect(200).token(action);
        let fields: Vec<_> = [("csrf", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.form(action, &fields).await
    }

    pub(crate) async fn log_in(&mut self, name: &str, password: &str) -> Answer {
        self.json("POST", "/api/v1/login", &serde_json::json!({"username": name, "password": password})).await
    }

    /// Whether the session in the jar lives.
    pub(crate) async fn is_signed_in(&mut self) -> bool {
        let mut copy = self.clone();
        match copy.get("/api/v1/session").await.status {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }
}

/// `application/x-www-form-urlencoded`.
pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

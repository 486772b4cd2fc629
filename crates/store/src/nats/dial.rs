//! Making a connection to one server, and asking over it.
//!
//! The library would connect again by itself, and then send what waited meanwhile: too late for whoever was told of a fault. So each
//! of its clients is used for one connection only; when that ends, whoever waits for an answer is told at once, and the next
//! connection is a new client's.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Message, Request};
use bytes::Bytes;
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::address::{Host, Login, NatsAddress};
use super::tls;
use super::trouble::{Trouble, Why};

/// So many messages may wait to be handled: enough for what the server sends before it waits for us.
const WAITING: usize = 1 << 16;

/// Makes connections to any server of one address.
pub(super) struct Dialer {
    login: Login,
    tls: Option<ClientConfig>,
    patience: Duration,
}

/// A connection.
pub(super) struct Live {
    pub(super) client: Client,
    pub(super) host: Host,
    down: watch::Sender<bool>,
    /// What the server said last that was no answer, such as that something is forbidden.
    complaint: Arc<Mutex<Option<String>>>,
}

impl Dialer {
    pub(super) fn new(address: &NatsAddress, patience: Duration) -> Result<Self, Trouble> {
        let tls = address.tls.as_ref().map(tls::config).transpose()?;
        Ok(Dialer { login: address.login.clone(), tls, patience })
    }

    pub(super) async fn dial(&self, host: &Host) -> Result<Live, Trouble> {
        let (down, complaint) = (watch::Sender::new(false), Arc::new(Mutex::new(None)));
        let (ended, heard) = (down.clone(), complaint.clone());
        let tell = move |event| {
            match event {
                Event::Disconnected | Event::Closed => drop(ended.send_replace(true)),
                Event::ServerError(error) => *heard.lock() = Some(error.to_string()),
                _ => {}
            }
            std::future::ready(())
        };
        let mut options = self
            .sign_in()?
            .name("gateward")
            .connection_timeout(self.patience)
            .max_reconnects(1)
            .ignore_discovered_servers()
            .request_timeout(None)
            .subscription_capacity(WAITING)
            .event_callback(tell);
        if let Some(config) = &self.tls {
            options = options.require_tls(true).tls_client_config(config.clone());
        }
        let scheme = if self.tls.is_some() { "tls" } else { "nats" };
        let connecting = options.connect(format!("{scheme}://{host}"));
        let said = || format!("{host} did not answer within {} ms", self.patience.as_millis());
        let connected = tokio::time::timeout(self.patience, connecting).await;
        let connected = connected.map_err(|_| Trouble::new(Why::Unreached, said()))?;
        let client = connected.map_err(|error| refused(host, &error))?;
        Ok(Live { client, host: host.clone(), down, complaint })
    }

    /// Files are read anew for every connection, so that a changed secret needs no restart.
    fn sign_in(&self) -> Result<ConnectOptions, Trouble> {
        let options = ConnectOptions::new();
        let text = |file: &std::path::Path| {
            let bytes = Zeroizing::new(tls::read(file)?);
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| Trouble::new(Why::Unfit, format!("{} is no text", file.display())))?;
            Ok::<_, Trouble>(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        };
        Ok(match &self.login {
            Login::None => options,
            Login::Password(user, password) => {
                options.user_and_password(user.clone(), password.0.as_str().to_owned())
            }
            Login::PasswordFile(user, file) => {
                options.user_and_password(user.clone(), text(file)?.as_str().to_owned())
            }
            Login::TokenFile(file) => options.token(text(file)?.as_str().to_owned()),
            Login::Creds(file) => {
                let said = || format!("{} holds no credentials", file.display());
                options.credentials(&text(file)?).map_err(|_| Trouble::new(Why::Unfit, said()))?
            }
        })
    }
}

impl Live {
    /// Asks one thing, and waits for the answer until the connection ends.
    pub(super) async fn ask(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Message, Trouble> {
        let mut down = self.down.subscribe();
        if *down.borrow_and_update() {
            return Err(Trouble::new(Why::Unreached, format!("the connection to {} has ended", self.host)));
        }
        let mut request = Request::new().payload(payload).timeout(None);
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        tokio::select! {
            answer = self.client.send_request(subject, request) => {
                answer.map_err(|error| Trouble::of_request(&error))
            }
            _ = down.wait_for(|down| *down) => Err(Trouble::new(Why::Cut, format!("{} is gone", self.host))),
        }
    }

    /// It is not used any more: whoever waits for an answer is told.
    pub(super) fn end(&self) {
        self.down.send_replace(true);
    }

    pub(super) fn is_down(&self) -> bool {
        *self.down.borrow()
    }

    /// Returns when the connection has ended.
    pub(super) async fn ended(&self) {
        let mut down = self.down.subscribe();
        // The sender is ours, so it is there.
        let _ = down.wait_for(|down| *down).await;
    }

    /// What the server has said unasked, to be added to the cause of silence.
    pub(super) fn complaint(&self) -> String {
        self.complaint.lock().as_ref().map(|said| format!(" ({said})")).unwrap_or_default()
    }
}

fn refused(host: &Host, error: &async_nats::ConnectError) -> Trouble {
    let why = match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => Why::Refused,
        ConnectErrorKind::ServerParse => Why::Unfit,
        _ => Why::Unreached,
    };
    Trouble::new(why, format!("{host}: {error}"))
}

//! Making a connection: TCP, TLS, and signing in.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::address::{Host, Login, RedisAddress, TlsFiles};
use super::trouble::{Trouble, Why};

/// So many commands may wait to be written on one connection before callers wait for room.
const WAITING: usize = 1024;

/// Who hears what the server says unasked; also that the connection has ended.
pub(super) type Push = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// Makes connections to any server of one address.
pub(super) struct Dialer {
    login: Login,
    database: u32,
    tls: Option<TlsConnector>,
    patience: Duration,
}

/// A connection. Its task ends when this is dropped, and with it whatever still waits for an answer.
pub(super) struct Dialled {
    pub(super) connection: MultiplexedConnection,
    task: AbortHandle,
}

impl Drop for Dialled {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Dialer {
    /// A dialer to the servers that hold the records.
    pub(super) fn to_servers(address: &RedisAddress, patience: Duration) -> Result<Self, Trouble> {
        let tls = address.tls.as_ref().map(connector).transpose()?;
        Ok(Dialer { login: address.login.clone(), database: address.database, tls, patience })
    }

    /// A dialer to the Sentinels of the same address.
    pub(super) fn to_sentinels(&self, address: &RedisAddress) -> Self {
        Dialer {
            login: address.sentinel_login.clone(),
            database: 0,
            tls: self.tls.clone(),
            patience: self.patience,
        }
    }

    pub(super) async fn dial(&self, host: &Host, push: Push) -> Result<Dialled, Trouble> {
        let settings = self.settings()?;
        let connecting = async {
            let tcp = TcpStream::connect((host.name.as_str(), host.port)).await?;
            tcp.set_nodelay(true)?;
            Ok::<_, std::io::Error>(tcp)
        };
        let dialling = async {
            let tcp = connecting.await.map_err(|error| unreached(host, &error))?;
            let Some(tls) = &self.tls else { return start(tcp, settings, push).await };
            let name = ServerName::try_from(host.name.clone())
                .map_err(|_| Trouble::new(Why::Unfit, format!("{host} has no name for TLS")))?;
            let stream = tls.connect(name, tcp).await.map_err(|error| unreached(host, &error))?;
            start(stream, settings, push).await
        };
        let said = || format!("{host} did not answer within {} ms", self.patience.as_millis());
        let dialled = tokio::time::timeout(self.patience, dialling).await;
        dialled.unwrap_or_else(|_| Err(Trouble::new(Why::Unreached, said())))
    }

    fn settings(&self) -> Result<RedisConnectionInfo, Trouble> {
        let mut settings = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_skip_set_lib_name()
            .set_db(self.database.into());
        if let Some(user) = &self.login.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.login.password {
            settings = settings.set_password(password.0.as_str());
        }
        if let Some(file) = &self.login.password_file {
            // Read anew for every connection, so that a changed password needs no restart.
            let text = zeroize::Zeroizing::new(read(file)?);
            let text = std::str::from_utf8(&text)
                .map_err(|_| Trouble::new(Why::Unfit, format!("{} is no text", file.display())))?;
            settings = settings.set_password(text.trim_end_matches(['\r', '\n']));
        }
        Ok(settings)
    }
}

async fn start<S>(stream: S, settings: RedisConnectionInfo, push: Push) -> Result<Dialled, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // The deadlines are our own, around every call.
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_pipeline_buffer_size(WAITING)
        .set_push_sender(move |info| {
            push(info);
            Ok::<(), ()>(())
        });
    let made = MultiplexedConnection::new_with_config(&settings, stream, config).await;
    let (connection, driver) = made.map_err(|error| Trouble::of_dialling(&error))?;
    let task = tokio::spawn(driver).abort_handle();
    Ok(Dialled { connection, task })
}

fn unreached(host: &Host, error: &std::io::Error) -> Trouble {
    Trouble::new(Why::Unreached, format!("{host} cannot be reached: {error}"))
}

fn read(file: &Path) -> Result<Vec<u8>, Trouble> {
    std::fs::read(file)
        .map_err(|error| Trouble::new(Why::Unfit, format!("{} cannot be read: {error}", file.display())))
}

/// Trusts the certificates of the file, or the system's where none is named.
fn connector(files: &TlsFiles) -> Result<TlsConnector, Trouble> {
    let unfit = |said: String| Trouble::new(Why::Unfit, said);
    let mut roots = RootCertStore::empty();
    match &files.ca {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(file) => roots_of(file, &mut roots)?,
    }
    if roots.is_empty() {
        return Err(unfit("there is no certificate to trust; name a file with ca=PATH".into()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(error.to_string()))?
        .with_root_certificates(roots);
    let config = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(cert)?).collect();
            let chain = chain.map_err(|error| unfit(format!("{}: {error}", cert.display())))?;
            let key = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|error| unfit(format!("{}: {error}", key.display())))?;
            config.with_client_auth_cert(chain, key).map_err(|error| unfit(error.to_string()))?
        }
        _ => config.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots_of(file: &Path, roots: &mut RootCertStore) -> Result<(), Trouble> {
    let pem = read(file)?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|error| Trouble::new(Why::Unfit, format!("{}: {error}", file.display())))?;
    }
    Ok(())
}

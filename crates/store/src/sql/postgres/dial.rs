//! Reaching a server: host after host, until one takes what is wanted.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateward_kernel::ports::{Fault, FaultKind};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use super::ENGINE;
use super::address::{Host, Password, PostgresAddress};
use super::trouble::said;

/// A line to a server, encrypted or not.
pub(super) type Line = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// What a fresh connection is made into, or why it is of no use.
pub(super) type Prepared<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// Reaches the servers of an address.
pub(super) struct Dialler {
    address: PostgresAddress,
    tls: MakeRustlsConnect,
    /// How long one server may take until it is passed over.
    patience: Duration,
    /// The server that was reached last, and is tried first.
    favourite: AtomicUsize,
}

impl Dialler {
    /// Fails when a file that the address names cannot be used.
    pub(super) fn new(address: PostgresAddress, patience: Duration) -> Result<Self, String> {
        let tls = MakeRustlsConnect::new(encryption(&address)?);
        Ok(Dialler { address, tls, patience, favourite: AtomicUsize::new(0) })
    }

    /// Whether a server will do that takes no writes.
    pub(super) fn wants_any(&self) -> bool {
        self.address.any_server
    }

    /// Connects to the first server that `prepare` comes to an end with.
    pub(super) async fn dial<T>(&self, prepare: impl Fn(Client, Line) -> Prepared<T>) -> Result<T, Fault> {
        let hosts = &self.address.hosts;
        let first = self.favourite.load(Ordering::Relaxed);
        let mut reasons = Vec::new();
        for at in (first..hosts.len()).chain(0..first) {
            let Some(host) = hosts.get(at) else { continue };
            let reached = async {
                let (client, line) = self.reach(host).await?;
                prepare(client, line).await
            };
            let reason = match tokio::time::timeout(self.patience, reached).await {
                Ok(Ok(reached)) => {
                    self.favourite.store(at, Ordering::Relaxed);
                    return Ok(reached);
                }
                Ok(Err(reason)) => reason,
                Err(_) => format!("no answer within {} ms", self.patience.as_millis()),
            };
            reasons.push(format!("{host}: {reason}"));
        }
        Err(Fault::new(ENGINE, FaultKind::Unavailable, reasons.join("; ")))
    }

    async fn reach(&self, host: &Host) -> Result<(Client, Line), String> {
        let mut config = Config::new();
        match host {
            Host::Name(name, port) => config.host(name).port(*port),
            Host::Socket(directory, port) => config.host_path(directory).port(*port),
        };
        let encrypts = self.address.encrypts(host);
        config
            .user(&self.address.user)
            .dbname(&self.address.database)
            .application_name("gateward")
            .connect_timeout(self.patience)
            .tcp_user_timeout(self.patience * 2)
            .keepalives_idle(Duration::from_secs(15))
            .ssl_mode(if encrypts { SslMode::Require } else { SslMode::Disable });
        if !self.wants_any() {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if let Some(Password(password)) = self.password()? {
            config.password(&password[..]);
        }
        config.connect(self.tls.clone()).await.map_err(|error| said(&error))
    }

    fn password(&self) -> Result<Option<Password>, String> {
        let Some(file) = &self.address.password_file else { return Ok(self.address.password.clone()) };
        let text = Zeroizing::new(read(file)?);
        let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
        Ok(Some(Password(Zeroizing::new(line.to_vec()))))
    }
}

/// Trusts the certificates of the address, or the system's where it names none.
fn encryption(address: &PostgresAddress) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &address.ca {
        for certificate in CertificateDer::pem_slice_iter(&read(file)?) {
            let certificate = certificate.map_err(|error| format!("{}: {error}", file.display()))?;
            roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        if roots.is_empty() {
            return Err(format!("{}: there is no certificate in it", file.display()));
        }
    } else if address.hosts.iter().any(|host| address.encrypts(host)) {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("the system trusts no certificate; name a file with ca=PATH".into());
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let Some((cert, key)) = &address.cert else { return Ok(config.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(cert)?).collect();
    let chain = chain.map_err(|error| format!("{}: {error}", cert.display()))?;
    let bytes = Zeroizing::new(read(key)?);
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| format!("{}: {error}", key.display()))?;
    config.with_client_auth_cert(chain, key).map_err(|error| error.to_string())
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

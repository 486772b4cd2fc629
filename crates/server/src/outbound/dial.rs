//! Making a connection: the name is resolved once, every address is judged, and the connection goes to one of those that
//! were judged.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Host;

use super::error::OutboundError;
use super::law::Target;

/// So many names are looked up at the same time. A lookup of the system cannot be broken off: it keeps its place, and its
/// thread, also when nobody waits for it any more.
const LOOKUPS: usize = 16;
/// So many addresses of one name are tried.
const TRIED: usize = 4;

/// What a lookup yields.
pub type Looked<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Finds the addresses of names.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of a name, the best first.
    fn resolve<'a>(&'a self, name: &'a str) -> Looked<'a>;
}

/// The resolver of the system.
#[derive(Debug)]
pub struct SystemResolver {
    places: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        SystemResolver { places: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Looked<'a> {
        let name = name.to_owned();
        Box::pin(async move {
            let place = self.places.clone().acquire_owned().await.map_err(io::Error::other)?;
            let lookup = tokio::spawn(async move {
                // Port 0 is none: only the addresses are wanted.
                let found = tokio::net::lookup_host((name.as_str(), 0)).await;
                drop(place);
                found.map(|found| found.map(|address| address.ip()).collect())
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}

/// Connects to the target, within a share of this time for each of its addresses.
pub(super) async fn dial(
    target: &Target,
    resolver: &dyn Resolver,
    patience: Duration,
) -> Result<TcpStream, OutboundError> {
    let addresses = addresses(target, resolver).await?;
    target.judge(&addresses)?;
    let mut failed = OutboundError::Unresolved;
    for address in addresses.iter().take(TRIED) {
        let connecting = TcpStream::connect(SocketAddr::new(*address, target.port));
        // One that does not answer must not take the time of the others.
        match timeout(patience / 3, connecting).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|error| OutboundError::failed(&error))?;
                return Ok(stream);
            }
            Ok(Err(error)) => failed = OutboundError::failed(&error),
            Err(_) => failed = OutboundError::TimedOut,
        }
    }
    Err(failed)
}

async fn addresses(target: &Target, resolver: &dyn Resolver) -> Result<Vec<IpAddr>, OutboundError> {
    let found = match &target.host {
        Host::Ipv4(address) => return Ok(vec![IpAddr::V4(*address)]),
        Host::Ipv6(address) => return Ok(vec![IpAddr::V6(*address)]),
        Host::Domain(name) => resolver.resolve(name).await,
    };
    match found {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        _ => Err(OutboundError::Unresolved),
    }
}

/// The name that the other side's certificate must be for.
pub(super) fn server_name(host: &Host<String>) -> Result<ServerName<'static>, OutboundError> {
    match host {
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::V4(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::V6(*address))),
        Host::Domain(name) => {
            ServerName::try_from(name.clone()).map_err(|error| OutboundError::failed(&error))
        }
    }
}

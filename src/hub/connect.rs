//! From a URL to a stream: the name is resolved once, every address is checked, and one of those is connected to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::rustls::pki_types::ServerName;
use url::{Host, Url};

use super::Outside;
use crate::websub::Reply;

/// The deadline of each step. Whoever is slower than this would be slow to take a feed, too.
const STEP: Duration = Duration::from_secs(5);

/// How many addresses are tried: enough for one of each family and a spare.
const ADDRESSES: usize = 3;

/// What HTTP is spoken on.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Outside {
    /// Opens a stream to the host of a URL; within TLS for https.
    pub(super) async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, Reply> {
        let addresses = self.addresses(url).await?;
        let tcp = connect(&addresses).await?;
        if url.scheme() == "https" { Ok(Box::new(self.encrypted(url, tcp).await?)) } else { Ok(Box::new(tcp)) }
    }

    /// Where the host is. One address that is forbidden spoils all: a name that leads inside, among others, is up to something.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Reply> {
        let port = url.port_or_known_default().unwrap_or(80);
        let found: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Domain(name)) => {
                let found = within("its name is not resolved", lookup_host((name, port))).await?;
                let found = found.map_err(|error| Reply::Unreachable(format!("its name is not resolved: {error}")))?;
                found.map(|address| address.ip()).collect()
            }
            None => Vec::new(),
        };
        for address in &found {
            self.guard.check(*address).map_err(|forbidden| Reply::Forbidden(forbidden.to_string()))?;
        }
        Ok(found.into_iter().take(ADDRESSES).map(|address| SocketAddr::new(address, port)).collect())
    }

    async fn encrypted(&self, url: &Url, tcp: TcpStream) -> Result<impl Stream + use<>, Reply> {
        let failed = |error: &dyn std::fmt::Display| Reply::Unreachable(format!("TLS failed: {error}"));
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|error| failed(&error))?;
        let connector = self.trust.connector().map_err(|error| failed(&error))?;
        let stream = within("TLS takes too long", connector.connect(name, tcp)).await?;
        stream.map_err(|error| failed(&error))
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Reply> {
    let mut failure = Reply::Unreachable("its name has no address".to_owned());
    for address in addresses {
        match within("it does not answer", TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = Reply::Unreachable(format!("it cannot be connected to: {error}")),
            Err(reply) => failure = reply,
        }
    }
    Err(failure)
}

async fn within<T>(what: &str, step: impl Future<Output = T>) -> Result<T, Reply> {
    tokio::time::timeout(STEP, step)
        .await
        .map_err(|_| Reply::Unreachable(format!("{what} within {} s", STEP.as_secs())))
}

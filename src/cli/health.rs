//! `tidings health`

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Config;

/// Ask the service on the private listener whether it is well. Exit status 0 when it is.
#[derive(Debug, Args)]
pub struct Health {
    /// How long to wait for the answer, in seconds.
    #[arg(long, default_value_t = 3, value_name = "SECONDS")]
    timeout: u64,
}

impl Health {
    pub async fn run(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let address = reachable(config.server.private);
        let answer = tokio::time::timeout(Duration::from_secs(self.timeout), ask(address))
            .await
            .with_context(|| format!("no answer from {address} within {} s", self.timeout))??;
        if !answer.starts_with("HTTP/1.1 200 ") {
            bail!("{address} is not well: {}", answer.lines().last().unwrap_or("an empty answer"));
        }
        println!("ok");
        Ok(ExitCode::SUCCESS)
    }
}

/// A listener on all addresses is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// One request, by hand: a whole HTTP client would be a dependency for one line.
async fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await.with_context(|| {
        format!("nothing listens on {address}; is `tidings serve` running with this configuration?")
    })?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("the request could not be sent")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context("the answer could not be read")?;
    Ok(answer)
}

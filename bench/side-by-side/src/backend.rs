//! What is behind the proxies: nginx for HTTP/1.1, which nobody is faster than, and servers of ours for what it does not do.

mod datagrams;
mod grpc;
mod nginx;
mod websocket;

pub(crate) use grpc::MESSAGES;
pub(crate) use nginx::{LARGE, many};

use crate::process::Process;
use crate::site::Identity;
use crate::tools::Tools;
use lychgate_testkit::free_addr;
use std::net::SocketAddr;
use std::path::Path;
use tokio::net::{TcpListener, TcpStream};

/// All backends, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Backends {
    pub(crate) http: SocketAddr,
    /// The same over TLS.
    pub(crate) https: SocketAddr,
    /// Answers 503, always.
    pub(crate) failing: SocketAddr,
    pub(crate) grpc: SocketAddr,
    pub(crate) websocket: SocketAddr,
    pub(crate) datagrams: SocketAddr,
    _nginx: Process,
}

impl Backends {
    pub(crate) async fn start(tools: &Tools, dir: &Path, identity: &Identity) -> anyhow::Result<Self> {
        let (http, https, failing) = (free_addr(), free_addr(), free_addr());
        let nginx = nginx::start(tools, dir, [http, https, failing], identity).await?;
        let (grpc, websocket, datagrams) = (grpc::start().await?, websocket::start().await?, datagrams::start().await?);
        Ok(Self { http, https, failing, grpc, websocket, datagrams, _nginx: nginx })
    }
}

/// Serves every connection by itself, for as long as we run, and says where.
async fn accept<S, F>(serve: S) -> anyhow::Result<SocketAddr>
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    Ok(at)
}

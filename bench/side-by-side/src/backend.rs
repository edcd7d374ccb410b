//! What is behind the proxies: nginx for HTTP/1.1, which nobody is faster than, and a gRPC server of ours.

mod grpc;
mod nginx;

pub(crate) use grpc::MESSAGES;
pub(crate) use nginx::LARGE;

use crate::process::Process;
use crate::site::Identity;
use crate::tools::Tools;
use lychgate_testkit::free_addr;
use std::net::SocketAddr;
use std::path::Path;

/// All backends, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Backends {
    pub(crate) http: SocketAddr,
    /// The same over TLS.
    pub(crate) https: SocketAddr,
    pub(crate) grpc: SocketAddr,
    _nginx: Process,
}

impl Backends {
    pub(crate) async fn start(tools: &Tools, dir: &Path, identity: &Identity) -> anyhow::Result<Self> {
        let (http, https) = (free_addr(), free_addr());
        let nginx = nginx::start(tools, dir, http, https, identity).await?;
        Ok(Self { http, https, grpc: grpc::start().await?, _nginx: nginx })
    }
}

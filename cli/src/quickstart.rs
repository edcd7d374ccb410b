//! What is served when nobody says what: the quickstart of the repository, with echo servers behind it in this process.

use anyhow::Context;
use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer};
use std::net::SocketAddr;
use tempfile::TempDir;

const FILES: [(&str, &str); 4] = [
    ("backends.yaml", include_str!("../../examples/quickstart/backends.yaml")),
    ("certificate.yaml", include_str!("../../examples/quickstart/certificate.yaml")),
    ("gateway.yaml", include_str!("../../examples/quickstart/gateway.yaml")),
    ("routes.yaml", include_str!("../../examples/quickstart/routes.yaml")),
];

/// Where the EndpointSlices of the quickstart say that its backends are.
const BACKENDS: [(&str, u16); 2] = [("blue", 3000), ("green", 3001)];

/// The quickstart's directory and backends, for as long as this lives.
pub(crate) struct Quickstart {
    dir: TempDir,
    _backends: Vec<EchoServer>,
}

impl Quickstart {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("lychgate-").tempdir().context("no directory for the quickstart")?;
        for (name, text) in FILES {
            std::fs::write(dir.path().join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
        let mut backends = Vec::new();
        for (name, port) in BACKENDS {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let config = EchoConfig::default().with_http(address).with_identity(EchoIdentity::pod(name));
            let server = EchoServer::bind(config).await.context("a backend of the quickstart does not start")?;
            backends.push(server);
        }
        Ok(Self { dir, _backends: backends })
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }
}

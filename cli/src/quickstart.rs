//! What is served when nobody says what: the quickstart of the repository, with echo servers behind it in this process.

use anyhow::Context;
use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer};
use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

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
    dir: Folder,
    _backends: Vec<EchoServer>,
}

impl Quickstart {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let dir = Folder::new().context("no directory for the quickstart")?;
        for (name, text) in FILES {
            std::fs::write(dir.0.join(name), text).with_context(|| format!("cannot write {name}"))?;
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

    pub(crate) fn dir(&self) -> &Path {
        &self.dir.0
    }
}

/// A folder of this process alone, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let beside = std::env::temp_dir();
        // Another process of this number may have left one behind.
        for count in 0..100_u8 {
            let path = beside.join(format!("lychgate-{}-{count}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!("{} is full of folders of earlier runs; remove some", beside.display())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the way of nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

//! Where a proxy stands: its ports, its folder, and what is behind it.

use crate::backend::{self, Backends};
use crate::scene::{Filtered, Scene};
use lychgate_testkit::{Leaf, free_addr, free_udp_addr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The name that the certificate has.
pub(crate) const HOST: &str = "bench.example.com";

/// Where a proxy stands.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) scene: Scene,
    /// Whether it is asked for tunnels by CONNECT, and not told by its configuration where they lead.
    pub(crate) connects: bool,
    /// Its own, and empty at first.
    pub(crate) dir: PathBuf,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// What is behind it, in the clear.
    pub(crate) endpoints: Vec<SocketAddr>,
    /// Serves HTTP/1.1 over TLS, with the same certificate.
    pub(crate) tls_backend: SocketAddr,
    pub(crate) identity: Identity,
}

impl Site {
    pub(crate) fn new(
        scene: Scene,
        connects: bool,
        dir: PathBuf,
        backends: &Backends,
        identity: &Identity,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let http = if scene == Scene::Datagrams { free_udp_addr() } else { free_addr() };
        let [https, admin] = std::array::from_fn(|_| free_addr());
        let endpoints = endpoints(scene, backends);
        let (tls_backend, identity) = (backends.https, identity.clone());
        Ok(Self { scene, connects, dir, http, https, admin, endpoints, tls_backend, identity })
    }

    /// Whether what is behind it speaks HTTP/2, in the clear.
    pub(crate) fn http2_behind(&self) -> bool {
        self.scene == Scene::Grpc
    }

    /// Writes a file into its folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Writes a file anew, in one moment for whoever reads it.
    pub(crate) fn replace(&self, name: &str, text: &str) -> anyhow::Result<()> {
        // What reads whole folders passes over names that begin with a dot.
        let path = self.dir.join(name);
        let (folder, file) = (path.parent().unwrap_or(&self.dir), path.file_name().unwrap_or_default());
        let new = folder.join(format!(".{}", file.to_string_lossy()));
        std::fs::write(&new, text)?;
        Ok(std::fs::rename(&new, &path)?)
    }

    /// Where requests are logged, if they are.
    pub(crate) fn access_log(&self) -> Option<PathBuf> {
        (self.scene == Scene::Logged).then(|| self.dir.join("access.log"))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }
}

fn endpoints(scene: Scene, backends: &Backends) -> Vec<SocketAddr> {
    match scene {
        Scene::Plain
        | Scene::Logged
        | Scene::Routes(_)
        | Scene::Passed
        | Scene::Tunnelled
        | Scene::Traced
        | Scene::Changing(_)
        | Scene::Filtered(
            Filtered::Headers
            | Filtered::Rewrite
            | Filtered::Cors
            | Filtered::Session
            | Filtered::Retry
            | Filtered::Mirror,
        ) => vec![backends.http],
        Scene::Filtered(Filtered::Retried) => vec![backends.http, backends.failing],
        Scene::Endpoints(count) => backend::many(backends.http).take(count.into()).collect(),
        Scene::Grpc => vec![backends.grpc],
        Scene::WebSocket => vec![backends.websocket],
        Scene::Datagrams => vec![backends.datagrams],
    }
}

/// The certificate that all proxies show: ECDSA, P-256.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file.
    pub(crate) both: PathBuf,
    /// A Secret of Kubernetes.
    pub(crate) secret: String,
}

impl Identity {
    pub(crate) fn write(leaf: &Leaf, dir: &Path) -> anyhow::Result<Self> {
        let write = |name: &str, text: String| {
            let path = dir.join(name);
            std::fs::write(&path, text).map(|()| path)
        };
        let both = leaf.chain_pem() + &leaf.key_pem();
        Ok(Self {
            chain: write("chain.pem", leaf.chain_pem())?,
            key: write("key.pem", leaf.key_pem())?,
            both: write("both.pem", both)?,
            secret: leaf.secret("default", "certificate"),
        })
    }
}

//! Where a proxy stands: its ports, its folder, and what is behind it.

use crate::backend::Backends;
use crate::scene::Scene;
use lychgate_testkit::{Leaf, free_addr};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The name that the certificate has.
pub(crate) const HOST: &str = "bench.example.com";

/// Where a proxy stands.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) scene: Scene,
    /// Its own, and empty at first.
    pub(crate) dir: PathBuf,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Serves HTTP/1.1.
    pub(crate) backend: SocketAddr,
    /// Serves the same over TLS, with the same certificate.
    pub(crate) tls_backend: SocketAddr,
    /// Serves gRPC over HTTP/2 in the clear.
    pub(crate) grpc: SocketAddr,
    pub(crate) identity: Identity,
}

impl Site {
    pub(crate) fn new(scene: Scene, dir: PathBuf, backends: &Backends, identity: &Identity) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let [http, https, admin] = std::array::from_fn(|_| free_addr());
        let (backend, tls_backend, grpc) = (backends.http, backends.https, backends.grpc);
        Ok(Self { scene, dir, http, https, admin, backend, tls_backend, grpc, identity: identity.clone() })
    }

    /// Writes a file into its folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Where requests are logged, if they are.
    pub(crate) fn access_log(&self) -> Option<PathBuf> {
        (self.scene == Scene::Logged).then(|| self.dir.join("access.log"))
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.dir.join("log")
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

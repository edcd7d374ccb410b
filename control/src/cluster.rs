//! The way to the API server.

use kube::{Client, Config};
use std::path::Path;

/// Why there is no way to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum NoCluster {
    /// Nothing says where the API server is, or with what credentials.
    #[error("nothing says where the API server is ({0}); run in a pod with a ServiceAccount, or set KUBECONFIG")]
    NoConfig(#[source] kube::config::InferConfigError),
    /// The kubeconfig is of no use.
    #[error("{path}: {error}; see what `kubectl --kubeconfig {path} version` says")]
    BadConfig {
        /// The file.
        path: String,
        /// What is wrong.
        #[source]
        error: kube::config::KubeconfigError,
    },
    /// The configuration makes no client.
    #[error("no client can be made for the API server ({0}); see to certificates and proxy settings")]
    NoClient(#[source] kube::Error),
}

/// A client with the credentials of the pod, or of a kubeconfig: the file named, else what `KUBECONFIG` names. Nothing is
/// asked of the server yet. TLS is by aws-lc-rs in the whole process from here on, unless it has chosen before.
///
/// # Errors
/// Where nothing says which server to ask, and how.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, NoCluster> {
    // Two providers may be linked; ours is this one everywhere.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = match kubeconfig {
        Some(path) => {
            let named = |error| NoCluster::BadConfig { path: path.display().to_string(), error };
            let file = kube::config::Kubeconfig::read_from(path).map_err(named)?;
            Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default()).await.map_err(named)?
        }
        None => Config::infer().await.map_err(NoCluster::NoConfig)?,
    };
    Client::try_from(config).map_err(NoCluster::NoClient)
}

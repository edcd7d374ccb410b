//! A cluster in the place of a directory.

use anyhow::{Context, bail};
use clap::Args;
use lychgate_control::cluster::connect;
use lychgate_control::feed::Slicer;
use lychgate_control::read::{Cluster, read};
use lychgate_ir::{GatewayId, ObjectName, Snapshot};
use lychgate_translate::Translation;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Which cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "A cluster, asked through its API server")]
pub(crate) struct ClusterArgs {
    /// Read the objects of a cluster: the one that KUBECONFIG names, or the one that this runs in.
    #[arg(long)]
    cluster: bool,
    /// Read the objects of the cluster that this file names.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// How long the API server may take to tell everything, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
}

impl ClusterArgs {
    /// Whether a cluster is asked at all.
    pub(crate) fn is_asked(&self) -> bool {
        let Self { cluster, kubeconfig, patience: _ } = self;
        *cluster || kubeconfig.is_some()
    }

    /// Reads it. Only what may be read by these credentials is asked for, and nothing is written.
    pub(crate) fn read(&self) -> anyhow::Result<Cluster> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let cluster = runtime.block_on(async {
            let client = connect(self.kubeconfig.as_deref()).await?;
            anyhow::Ok(read(&client, Duration::from_secs(self.patience)).await?)
        });
        // Nobody waits for watches that go on.
        runtime.shutdown_background();
        cluster
    }
}

/// A Gateway, as `NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatewayName(pub(crate) GatewayId);

impl FromStr for GatewayName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) = text.split_once('/').ok_or("wants NAMESPACE/NAME")?;
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            return Err("wants NAMESPACE/NAME".to_owned());
        }
        Ok(Self(GatewayId(ObjectName::new(namespace, name))))
    }
}

/// What the data plane of one Gateway is told. In a cluster each has sockets of its own, so a port alone does not say
/// which Gateway is meant.
pub(crate) fn of_gateway(translation: &Translation, named: Option<&GatewayName>) -> anyhow::Result<Arc<Snapshot>> {
    let Translation { snapshot, endpoints, .. } = translation;
    let there: BTreeSet<&GatewayId> = snapshot.listeners.keys().map(|listener| &listener.gateway).collect();
    let names = || there.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(", ");
    let gateway = match (named, there.first()) {
        (Some(GatewayName(named)), _) if there.contains(named) => named,
        (Some(GatewayName(named)), _) => {
            bail!("{named} has no listener that is served; those that have are: {}", names())
        }
        (None, Some(only)) if there.len() == 1 => only,
        (None, Some(_)) => bail!("there are several Gateways; say which with --gateway: {}", names()),
        (None, None) => bail!("no Gateway has a listener that is served; see what `lychgate check` says"),
    };
    let groups = BTreeMap::from([(gateway.clone(), ())]);
    let mut slicer = Slicer::default();
    let slice = slicer.cut(snapshot, endpoints, &groups).get(&());
    Ok(slice.context("a Gateway was cut from a snapshot, and is not there; this is a bug of ours")?.snapshot.clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::GatewayName;

    #[test]
    fn gateways_are_named_with_their_namespace() {
        assert_eq!("shop/edge".parse::<GatewayName>().unwrap().0.to_string(), "Gateway/shop/edge");
        for text in ["edge", "/edge", "shop/", "a/b/c", ""] {
            assert!(text.parse::<GatewayName>().is_err(), "{text}");
        }
    }
}

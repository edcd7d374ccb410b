//! The policies of a snapshot, compiled.

use crate::admin::AdminUrl;
use crate::check::Read;
use crate::cluster::{ClusterArgs, GatewayName};
use crate::terminal::paint;
use anyhow::{Context, bail};
use lychgate_egress::Policies;
use lychgate_ir::egress::{EgressConfig, EgressGateway};
use lychgate_ir::{GatewayId, Snapshot};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// What a directory or a cluster was translated to.
pub(super) fn of_objects(config: Option<&Path>, cluster: &ClusterArgs) -> anyhow::Result<Arc<Snapshot>> {
    let read = match config {
        Some(dir) => Read::dir(dir)?,
        None => Read::cluster(cluster)?,
    };
    read.complain(paint());
    Ok(read.translation.snapshot)
}

/// What a gateway serves.
#[derive(serde::Deserialize)]
pub(super) struct Served {
    pub(super) snapshot: Arc<Snapshot>,
    /// The addresses of its host, if it tells.
    #[serde(default)]
    pub(super) addresses: Option<Vec<IpAddr>>,
}

/// Asks a gateway.
pub(super) async fn of_running(admin: &AdminUrl) -> anyhow::Result<Served> {
    let config = admin.get("/config").await?;
    serde_json::from_str(&config)
        .with_context(|| format!("{admin}/config cannot be understood; is the gateway of another version?"))
}

/// The policies of one Gateway.
pub(super) fn compiled(snapshot: &Snapshot, gateway: &EgressGateway) -> Policies {
    let attached =
        gateway.policies.iter().filter_map(|id| Some((id.clone(), snapshot.egress_policies.get(id)?.clone())));
    Policies::compile(&EgressConfig {
        default: gateway.default,
        cluster: gateway.cluster.clone(),
        policies: attached.collect(),
    })
}

/// The policies of all Gateways.
pub(super) fn all(snapshot: &Snapshot) -> anyhow::Result<BTreeMap<GatewayId, Policies>> {
    if snapshot.egress.is_empty() {
        bail!("there is no Gateway through which things leave: its class is one of lychgate.dev/egress-controller");
    }
    Ok(snapshot.egress.iter().map(|(id, gateway)| (id.clone(), compiled(snapshot, gateway))).collect())
}

/// The Gateway that is meant.
pub(super) fn one<'s>(
    snapshot: &'s Snapshot,
    named: Option<&GatewayName>,
) -> anyhow::Result<(&'s GatewayId, &'s Arc<EgressGateway>)> {
    let there = || snapshot.egress.keys().map(|id| id.0.to_string()).collect::<Vec<_>>().join(", ");
    match (named, snapshot.egress.first_key_value()) {
        (Some(GatewayName(named)), _) => match snapshot.egress.get_key_value(named) {
            Some(found) => Ok(found),
            None => bail!("{named} is no Gateway through which things leave; those that are: {}", there()),
        },
        (None, Some(only)) if snapshot.egress.len() == 1 => Ok(only),
        (None, Some(_)) => bail!("there are several Gateways; say which with --gateway: {}", there()),
        (None, None) => bail!("there is no Gateway through which things leave; see what `lychgate check` says"),
    }
}

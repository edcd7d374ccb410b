//! The whole of what a data plane shall do.

use crate::egress::{EgressGateway, EgressPolicy, EgressPolicyId, Workload};
use crate::{
    Backend, BackendId, Certificate, CertificateId, GatewayId, Listener, ListenerId, Route, RouteId, Secret, SecretId,
    StreamRoute,
};
use lychgate_persistent::OrdMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// A set of named resources, complete and closed: every id that one of them mentions is a key here (broken references
/// are [`crate::Refusal`]s instead). Values are shared, so an unchanged resource is the same `Arc` in the next snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Listeners that can be served. Those that conflict are left out, with a condition.
    pub listeners: BTreeMap<ListenerId, Arc<Listener>>,
    /// Routes that are attached to at least one of the listeners. There may be many thousands, most of them those of before.
    pub routes: OrdMap<RouteId, Arc<Route>>,
    /// Routes of connections and datagrams that are attached to at least one of the listeners.
    #[serde(default, skip_serializing_if = "OrdMap::is_empty")]
    pub stream_routes: OrdMap<RouteId, Arc<StreamRoute>>,
    /// Backends that a rule forwards or mirrors to, and those that a filter asks.
    pub backends: BTreeMap<BackendId, Arc<Backend>>,
    /// Certificates that a listener or a backend uses.
    pub certificates: BTreeMap<CertificateId, Arc<Certificate>>,
    /// Secret texts that something else here uses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretId, Arc<Secret>>,
    /// Gateways through which things leave.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub egress: BTreeMap<GatewayId, Arc<EgressGateway>>,
    /// Policies that are attached to at least one of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub egress_policies: BTreeMap<EgressPolicyId, Arc<EgressPolicy>>,
    /// Who is behind an address, for those Gateways. Addresses of nodes are none: more than one workload has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workloads: BTreeMap<IpAddr, Arc<Workload>>,
}

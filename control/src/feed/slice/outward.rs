//! The part of a slice that says what may leave: for those through whose Gateways something leaves, and nobody else.

use lychgate_ir::egress::{
    EgressGateway, EgressHandling, EgressInspection, EgressLogin, EgressPolicy, EgressPolicyId, EgressTls, OriginTls,
    UpstreamProxy, UpstreamProxyLogin, Workload,
};
use lychgate_ir::{CertificateId, ClientIdentity, GatewayId, Secret, SecretId, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Egress Gateways of a group, and what they use.
#[derive(Default)]
pub(super) struct Outward {
    pub(super) gateways: BTreeMap<GatewayId, Arc<EgressGateway>>,
    pub(super) policies: BTreeMap<EgressPolicyId, Arc<EgressPolicy>>,
    pub(super) secrets: BTreeMap<SecretId, Arc<Secret>>,
    pub(super) workloads: BTreeMap<IpAddr, Arc<Workload>>,
    pub(super) certificates: BTreeSet<CertificateId>,
}

impl Outward {
    /// What is for `group`.
    pub(super) fn of<G: Ord>(snapshot: &Snapshot, group: &G, groups: &BTreeMap<GatewayId, G>) -> Self {
        let own = snapshot.egress.iter().filter(|(id, _)| groups.get(id) == Some(group));
        let gateways: BTreeMap<_, _> = own.map(|(id, gateway)| (id.clone(), gateway.clone())).collect();
        if gateways.is_empty() {
            return Self::default();
        }
        let attached: BTreeSet<&EgressPolicyId> = gateways.values().flat_map(|gateway| &gateway.policies).collect();
        let policies =
            attached.into_iter().filter_map(|id| Some((id.clone(), snapshot.egress_policies.get(id)?.clone())));
        let policies: BTreeMap<_, _> = policies.collect();
        let (mut secrets, mut certificates) = (BTreeSet::new(), BTreeSet::new());
        for gateway in gateways.values() {
            let EgressGateway { default: _, cluster: _, policies: _, logins, trust_domains: _, dns: _, inspection } =
                &**gateway;
            secrets.extend(logins.values().map(|EgressLogin { password, namespace: _, service_account: _ }| password));
            let authority = inspection.as_ref().map(|EgressInspection { authority, exclude: _ }| authority);
            certificates.extend(authority.into_iter().flatten().cloned());
        }
        for rule in policies.values().flat_map(|policy| &policy.rules) {
            let EgressHandling { tls, credential, via, leave_from: _, limits: _ } = &*rule.handling;
            secrets.extend(credential.iter().filter_map(|credential| credential.secret.as_ref().ok()));
            secrets.extend(via.iter().flat_map(logins_of));
            certificates.extend(identity_of(tls).cloned());
        }
        let secrets = secrets.into_iter().filter_map(|id| Some((id.clone(), snapshot.secrets.get(id)?.clone())));
        Self { secrets: secrets.collect(), workloads: snapshot.workloads.clone(), gateways, policies, certificates }
    }
}

fn logins_of(via: &UpstreamProxy) -> impl Iterator<Item = &SecretId> {
    let UpstreamProxy { protocol: _, host: _, port: _, login } = via;
    let login = login.as_ref().and_then(|login| login.as_ref().ok());
    login.into_iter().flat_map(|UpstreamProxyLogin { user, password }| [user, password])
}

fn identity_of(tls: &EgressTls) -> Option<&CertificateId> {
    match tls {
        EgressTls::Pass | EgressTls::Originate(Err(_)) | EgressTls::Inspect(Err(_)) => None,
        EgressTls::Originate(Ok(origin)) | EgressTls::Inspect(Ok(origin)) => {
            let OriginTls { min_version: _, roots: _, pins: _, identity } = origin;
            match identity {
                ClientIdentity::Gateway | ClientIdentity::None => None,
                ClientIdentity::Certificate(id) => Some(id),
            }
        }
    }
}

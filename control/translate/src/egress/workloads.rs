//! Who is behind an address.

use crate::keep::keep;
use lychgate_api::Objects;
use lychgate_ir::Snapshot;
use lychgate_ir::egress::Workload;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Workloads by their addresses. An address that two pods claim is nobody's: whoever decided between them might let one
/// do what only the other may.
pub(crate) fn all(objects: &Objects, old: Option<&Snapshot>) -> BTreeMap<IpAddr, Arc<Workload>> {
    let mut claims: BTreeMap<IpAddr, Option<Arc<Workload>>> = BTreeMap::new();
    for (key, pod) in objects.pods() {
        let shared = |text: &str| Arc::<str>::from(text);
        let mut workload = None;
        let mut own: Vec<IpAddr> = pod.own_addresses().filter_map(|text| text.parse().ok()).collect();
        own.sort_unstable();
        own.dedup();
        for address in own {
            if let Some(claim) = claims.get_mut(&address) {
                *claim = None;
                continue;
            }
            let before = old.and_then(|old| old.workloads.get(&address));
            let workload = workload.get_or_insert_with(|| {
                let workload = Workload {
                    identity: None,
                    namespace: Some(shared(&key.namespace)),
                    service_account: Some(shared(pod.service_account())),
                    labels: pod.metadata.labels.iter().map(|(key, value)| (shared(key), shared(value))).collect(),
                };
                keep(workload, before)
            });
            claims.insert(address, Some(workload.clone()));
        }
    }
    claims.into_iter().filter_map(|(address, workload)| Some((address, workload?))).collect()
}

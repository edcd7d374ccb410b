//! Whose names of workloads count.

use super::Workload;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The trust domains in which a SPIFFE ID tells a namespace and a service account of this cluster. In any other the same path is
/// somebody else's workload, who is known by the whole ID alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrustDomains(pub Vec<Arc<str>>);

impl Default for TrustDomains {
    fn default() -> Self {
        Self(vec!["cluster.local".into()])
    }
}

impl TrustDomains {
    /// Whether it is the usual one: that is not written.
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The workload with this SPIFFE ID. `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT` tells namespace and service account.
    pub fn workload(&self, identity: &Arc<str>) -> Workload {
        let mut workload = Workload { identity: Some(identity.clone()), ..Workload::default() };
        let Some((domain, path)) = identity.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')) else {
            return workload;
        };
        let parts: Vec<&str> = path.split('/').collect();
        if let (["ns", namespace, "sa", account], true) = (parts.as_slice(), self.has(domain)) {
            workload.namespace = Some((*namespace).into());
            workload.service_account = Some((*account).into());
        }
        workload
    }

    fn has(&self, domain: &str) -> bool {
        self.0.iter().any(|own| **own == *domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(domains: &TrustDomains, identity: &str) -> (Option<Arc<str>>, Option<Arc<str>>) {
        let workload = domains.workload(&identity.into());
        assert_eq!(workload.identity.as_deref(), Some(identity));
        (workload.namespace, workload.service_account)
    }

    #[test]
    fn an_id_of_the_usual_form_tells_namespace_and_service_account() {
        let domains = TrustDomains::default();
        let cart = (Some("shop".into()), Some("cart".into()));
        assert_eq!(told(&domains, "spiffe://cluster.local/ns/shop/sa/cart"), cart);
        for other in [
            "spiffe://cluster.local/shop/cart",
            "spiffe://cluster.local/ns/shop/sa/cart/more",
            "spiffe://cluster.local",
            "https://cluster.local/ns/shop/sa/cart",
        ] {
            assert_eq!(told(&domains, other), (None, None), "{other}");
        }
    }

    #[test]
    fn the_same_path_in_another_domain_is_somebody_else() {
        let other = "spiffe://other.example/ns/shop/sa/cart";
        assert_eq!(told(&TrustDomains::default(), other), (None, None));
        // Exactly: no part of the name, and not as the one before it.
        for near in ["spiffe://a.cluster.local/ns/shop/sa/cart", "spiffe://CLUSTER.LOCAL/ns/shop/sa/cart"] {
            assert_eq!(told(&TrustDomains::default(), near), (None, None), "{near}");
        }
        let both = TrustDomains(vec!["mesh.example".into(), "other.example".into()]);
        assert_eq!(told(&both, other), (Some("shop".into()), Some("cart".into())));
        assert_eq!(told(&both, "spiffe://cluster.local/ns/shop/sa/cart"), (None, None));
        assert_eq!(told(&TrustDomains(Vec::new()), other), (None, None));
    }
}

//! Who a data plane is.

use std::fmt;
use std::sync::Arc;

/// A data plane: the Gateways that one Deployment serves. It is named as its ServiceAccount is, so that the identity in a
/// certificate tells which config it may have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name of its ServiceAccount, Deployment and Service.
    pub name: Arc<str>,
}

/// Why a URI is no identity of a data plane.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{uri}` is no identity of a data plane; wanted: spiffe://{trust_domain}/ns/NAMESPACE/sa/SERVICEACCOUNT")]
pub struct NotAnIdentity {
    uri: String,
    trust_domain: String,
}

impl GroupId {
    /// From anything that becomes shared text.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// If both are names as the API has them.
    pub(crate) fn checked(namespace: &str, name: &str) -> Option<Self> {
        (is_name(namespace) && is_name(name)).then(|| Self::new(namespace, name))
    }

    /// The identity as a certificate has it (SPIFFE-ID, section 2).
    pub fn spiffe(&self, trust_domain: &str) -> String {
        format!("spiffe://{trust_domain}/ns/{}/sa/{}", self.namespace, self.name)
    }

    /// Who an identity stands for.
    ///
    /// # Errors
    /// If it is of another trust domain, or of no ServiceAccount.
    pub fn from_spiffe(uri: &str, trust_domain: &str) -> Result<Self, NotAnIdentity> {
        let parse = || {
            let path = uri.strip_prefix("spiffe://")?.strip_prefix(trust_domain)?.strip_prefix("/ns/")?;
            let (namespace, name) = path.split_once("/sa/")?;
            Self::checked(namespace, name)
        };
        parse().ok_or_else(|| NotAnIdentity { uri: uri.to_owned(), trust_domain: trust_domain.to_owned() })
    }
}

/// A name as the API has them (RFC 1123 subdomain).
fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    (1..=253).contains(&text.len()) && text.bytes().all(is_allowed)
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_leads_back_to_its_group() {
        let group = GroupId::new("shop", "lychgate-front");
        let uri = group.spiffe("cluster.local");
        assert_eq!(uri, "spiffe://cluster.local/ns/shop/sa/lychgate-front");
        assert_eq!(GroupId::from_spiffe(&uri, "cluster.local"), Ok(group));
    }

    #[test]
    fn what_is_no_identity_of_ours_is_refused() {
        for uri in [
            "",
            "spiffe://cluster.local",
            "spiffe://other/ns/a/sa/b",
            "spiffe://cluster.local.evil/ns/a/sa/b",
            "spiffe://cluster.local/ns//sa/b",
            "spiffe://cluster.local/ns/a/sa/",
            "spiffe://cluster.local/ns/a/sa/b/c",
            "spiffe://cluster.local/ns/a/b/sa/c",
            "spiffe://cluster.local/ns/a/sa/b?x",
            // A replica of the control plane is nobody's ServiceAccount.
            &crate::relay::spiffe("cluster.local"),
            "https://cluster.local/ns/a/sa/b",
        ] {
            assert!(GroupId::from_spiffe(uri, "cluster.local").is_err(), "{uri}");
        }
    }
}

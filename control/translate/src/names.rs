//! Names that we answer to, and keys under which others speak to us.

use lychgate_api::ObjectKey;
use lychgate_api::meta::ObjectMeta;
use lychgate_ir::ObjectName;

/// `spec.controllerName` of our GatewayClasses for what comes in, and `controllerName` of what we say in statuses.
pub const CONTROLLER_NAME: &str = "lychgate.dev/gateway-controller";
/// `spec.controllerName` of our GatewayClasses for what leaves, and `controllerName` of what we say to their policies.
pub const EGRESS_CONTROLLER_NAME: &str = "lychgate.dev/egress-controller";
/// The class of ingress Gateways.
pub const GATEWAY_CLASS: &str = "lychgate";
/// The class of egress Gateways.
pub const EGRESS_GATEWAY_CLASS: &str = "lychgate-egress";

/// Our domain: keys under it that we do not know are refused, because whoever wrote them relies on them.
pub(crate) const DOMAIN: &str = "lychgate.dev/";
/// On a Gateway: how many proxies in front of it may be believed, 0 to 255.
pub const TRUSTED_HOPS: &str = "lychgate.dev/trusted-hops";
/// On a Gateway: proxies whose connections begin with a header of the PROXY protocol, as addresses and ranges.
pub const PROXY_PROTOCOL_FROM: &str = "lychgate.dev/proxy-protocol-from";
/// On a Gateway in a cluster: the name of the data plane that it shares with Gateways of its namespace that write the same.
pub const SHARE: &str = "lychgate.dev/share";
/// On a Gateway: its data plane is in another cluster, which we know by this name. None is made here.
pub const REMOTE: &str = "lychgate.dev/remote";
/// On a Service or XBackend: which header of the PROXY protocol its connections begin with, `v1` or `v2`.
pub const PROXY_PROTOCOL: &str = "lychgate.dev/proxy-protocol";
/// On a Service or XBackend: how an endpoint is picked, `round-robin` or `least-request`.
pub const LOAD_BALANCER: &str = "lychgate.dev/load-balancer";
/// In a listener's `tls.options`: the oldest TLS version, `1.2` or `1.3`.
pub const MIN_TLS_VERSION: &str = "lychgate.dev/min-tls-version";

/// The same name, in the snapshot's vocabulary.
pub(crate) fn name_of(key: &ObjectKey) -> ObjectName {
    ObjectName::new(key.namespace.as_str(), key.name.as_str())
}

/// Seconds since 1970 of an object's creation, where an API server has said so.
pub(crate) fn created(metadata: &ObjectMeta) -> Option<i64> {
    metadata.creation_timestamp.map(|time| time.unix_seconds())
}

/// Orders objects by age and then by name, as every conflict of Gateway API is decided. Objects from files have no age
/// and come after those that have one.
pub(crate) fn seniority(metadata: &ObjectMeta) -> (bool, Option<i64>, &str, &str) {
    let created = created(metadata);
    (created.is_none(), created, &metadata.namespace, &metadata.name)
}

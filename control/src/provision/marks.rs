//! Labels and annotations by which we know our own, and others know what it belongs to.

pub use lychgate_translate::{REMOTE, SHARE};

/// On everything that we make: the group that it belongs to.
pub const GROUP: &str = "lychgate.dev/group";
/// Which of several control planes made it, and on a Gateway, which of them shall serve it.
pub const REVISION: &str = "lychgate.dev/revision";
/// On everything that we make: what we wanted when we wrote it last.
pub(super) const APPLIED: &str = "lychgate.dev/applied";
/// On everything that we make for what leaves: `egress`, by which NetworkPolicies know the only way out.
pub(super) const DIRECTION: &str = "lychgate.dev/direction";
/// On Services: the static address that it shall have; colons of IPv6 as dashes.
pub(super) const ADDRESS: &str = "lychgate.dev/address";
/// The Gateway that something was made for (GEP-1762).
pub(super) const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// The class of that Gateway (GEP-1762).
pub(super) const CLASS_NAME: &str = "gateway.networking.k8s.io/gateway-class-name";
/// Who looks after it.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// That is us: the value of the label above, and the field manager of what we write.
pub(super) const MANAGER: &str = "lychgate-control";

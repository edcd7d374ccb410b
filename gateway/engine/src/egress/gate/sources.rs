//! Tells of rules that let nothing leave from this replica: it has none of their source addresses.

use crate::egress::dial::{Own, list};
use lychgate_egress::source_address::{here, is_loopback};
use lychgate_ir::GatewayId;
use lychgate_ir::egress::{EgressPolicy, EgressPolicyId};

/// Says it in the log; each attempt is refused and recorded besides. An address that comes later is used all the same.
pub(super) fn tell_absent(gateway: &GatewayId, id: &EgressPolicyId, policy: &EgressPolicy, own: &Own) {
    for (index, rule) in policy.rules.iter().enumerate() {
        let wanted = &rule.handling.leave_from;
        // All of the loopback is here, and no interface shows more of it than one address.
        if wanted.is_empty() || wanted.iter().any(is_loopback) {
            continue;
        }
        match own.addresses() {
            Ok(own) if here(wanted, &own).next().is_some() => {}
            Ok(own) => tracing::warn!(
                %gateway, policy = %id, rule = rule.name.as_deref().unwrap_or_default(), index,
                wanted = list(wanted), ?own,
                "no interface of this host has a source address of the rule: what the rule allows is refused here"
            ),
            Err(error) => {
                tracing::warn!(%gateway, policy = %id, %error, "the addresses of this host cannot be read: what rules with several source addresses allow is refused here");
            }
        }
    }
}

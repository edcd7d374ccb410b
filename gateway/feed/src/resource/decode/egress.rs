//! What decides what leaves. What is not understood of it denies.

use super::{Decoded, Value, field, json, whole};
use crate::resource::{Name, Need};
use lychgate_ir::GatewayId;
use lychgate_ir::egress::{
    Destination, EgressAction, EgressDns, EgressExceptions, EgressGateway, EgressMode, EgressPolicy, EgressPolicyId,
    EgressRule, EgressSubject, TrustDomains,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A Gateway that is not understood lets nothing leave.
pub(super) fn gateway(name: &Name, payload: &[u8], unmet: &[&Need]) -> Decoded {
    let why = match whole::<GatewayId, EgressGateway>(name, payload, unmet) {
        Ok((id, gateway)) => return Decoded::good(Value::Egress(id, Arc::new(gateway))),
        Err(why) => why,
    };
    let Ok(id) = name.name.parse::<GatewayId>() else { return Decoded::nothing(name, why) };
    let closed = EgressGateway {
        default: EgressMode::Enforce,
        cluster: Vec::new(),
        policies: Vec::new(),
        logins: BTreeMap::new(),
        // Nobody is anybody by a name.
        trust_domains: TrustDomains(Vec::new()),
        dns: EgressDns::default(),
        inspection: None,
    };
    Decoded::closed(Value::Egress(id, Arc::new(closed)), name, why)
}

/// A policy that is not understood denies everything to whom it is about: without it, what it denies could leave.
pub(super) fn policy(name: &Name, payload: &[u8], unmet: &[&Need]) -> Decoded {
    let why = match whole::<EgressPolicyId, EgressPolicy>(name, payload, unmet) {
        Ok((id, policy)) => return Decoded::good(Value::EgressPolicy(id, Arc::new(policy))),
        Err(why) => why,
    };
    let Ok(id) = name.name.parse::<EgressPolicyId>() else { return Decoded::nothing(name, why) };
    let json = json(payload);
    let deny = EgressRule {
        name: None,
        action: EgressAction::Deny,
        destination: Destination::Any,
        ports: Vec::new(),
        protocols: Vec::new(),
        windows: Vec::new(),
        exceptions: EgressExceptions::default(),
        reason: None,
        handling: Arc::default(),
    };
    let closed = EgressPolicy {
        generation: field(&json, "generation").unwrap_or_default(),
        mode: field(&json, "mode").unwrap_or_default(),
        subjects: field::<Vec<_>>(&json, "subjects").unwrap_or_else(|| vec![EgressSubject::Everyone]),
        rules: vec![deny],
    };
    Decoded::closed(Value::EgressPolicy(id, Arc::new(closed)), name, why)
}

//! `spec.addresses`: where a Gateway is bound. In a cluster that is everywhere in its pods: addresses are those of Services.

use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use lychgate_api::gateway::{AddressType, Gateway, GatewayAddressRoutability, GatewayStatusAddress};
use std::net::IpAddr;

/// The addresses that a Gateway asks for.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// To bind; sorted, and empty for every address of the host.
    pub(crate) bind: Vec<IpAddr>,
    /// Some were asked for, and none of them can be used.
    pub(crate) none_usable: bool,
    /// Addresses of a kind that we do not have: the Gateway is not accepted.
    pub(crate) unsupported: Option<Problem>,
    /// Addresses that cannot be used: the Gateway is not programmed.
    pub(crate) unusable: Option<Problem>,
}

/// Reads them. One without value leaves the choice to us, and we choose every address.
pub(super) fn read(gateway: &Gateway, standalone: bool) -> Addresses {
    let mut bind = Vec::new();
    let mut any = gateway.spec.addresses.is_empty();
    let (mut unsupported, mut unusable) = (Vec::new(), Vec::new());
    for (index, address) in gateway.spec.addresses.iter().enumerate() {
        let value = address.value.as_deref().filter(|value| !value.is_empty());
        match (&address.r#type, &address.routability) {
            (AddressType::IpAddress, GatewayAddressRoutability::Default) => match value.map(str::parse) {
                None => any = true,
                Some(Ok(ip)) => bind.push(ip),
                Some(Err(_)) => unusable.push(no_address(index, value)),
            },
            // That of a Service: whoever makes it knows whether the one that is asked for can be had.
            (AddressType::IpAddress, GatewayAddressRoutability::Cluster) if !standalone => {
                match value.map(str::parse::<IpAddr>) {
                    None | Some(Ok(_)) => any = true,
                    Some(Err(_)) => unusable.push(no_address(index, value)),
                }
            }
            (AddressType::IpAddress, routability) => {
                unsupported
                    .push(format!("spec.addresses[{index}]: routability {routability} is not supported; leave it out"));
            }
            (other, _) => unsupported.push(format!(
                "spec.addresses[{index}]: addresses of type {other} are not supported; use type IPAddress"
            )),
        }
    }
    bind.sort_unstable();
    bind.dedup();
    let none_usable = !any && bind.is_empty();
    if any || !standalone {
        bind.clear();
    }
    let problem = |reason, texts: Vec<String>| (!texts.is_empty()).then(|| Problem::new(reason, sentences(&texts)));
    Addresses {
        bind,
        none_usable,
        unsupported: problem(reason::UNSUPPORTED_ADDRESS, unsupported),
        unusable: problem(reason::ADDRESS_NOT_USABLE, unusable),
    }
}

fn no_address(index: usize, value: Option<&str>) -> String {
    format!(
        "spec.addresses[{index}]: `{}` is no IP address; write one such as 192.0.2.1 or 2001:db8::1",
        value.unwrap_or_default()
    )
}

impl Addresses {
    /// As `status.addresses` has them: an unspecified address stands for those of the host.
    pub(super) fn status(&self, node: &[IpAddr]) -> Vec<GatewayStatusAddress> {
        let (any, given): (Vec<IpAddr>, Vec<IpAddr>) = self.bind.iter().partition(|ip| ip.is_unspecified());
        let any = !any.is_empty() || (self.bind.is_empty() && !self.none_usable);
        let mut all: Vec<IpAddr> = given;
        if any {
            all.extend(node);
        }
        all.sort_unstable();
        all.dedup();
        // The CRD takes no more.
        all.truncate(16);
        all.iter()
            .map(|ip| GatewayStatusAddress { r#type: AddressType::IpAddress, value: ip.to_string(), routability: None })
            .collect()
    }
}

//! Addresses of Gateways, where others give them: a Gateway that does not have what it asks for is not Programmed.
//!
//! Gateway API v1.7.0, `GatewayReasonAddressNotAssigned` and `GatewayReasonAddressNotUsable`.

use super::super::condition::{self, Problem};
use super::super::reason;
use super::{find, set};
use lychgate_api::gateway::{GatewayStatus, GatewayStatusAddress};
use lychgate_api::meta::ConditionStatus;

/// The addresses of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Those that it has.
    pub addresses: Vec<GatewayStatusAddress>,
    /// What it does not have, though it should.
    pub missing: Option<MissingAddress>,
}

/// Why a Gateway does not have an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingAddress {
    /// None was assigned yet.
    NotAssigned(String),
    /// One that it asks for cannot be had.
    NotUsable(String),
}

impl Assigned {
    /// Adds a reason to what is missing.
    pub fn explain(&mut self, why: &str) {
        match &mut self.missing {
            Some(MissingAddress::NotAssigned(message) | MissingAddress::NotUsable(message)) => {
                *message = format!("{why} | {message}");
            }
            None => {}
        }
    }
}

/// A Gateway that cannot be reached is not programmed, whatever its listeners are.
pub(super) fn assign(status: &mut GatewayStatus, assigned: &Assigned) {
    let Assigned { addresses, missing } = assigned;
    status.addresses.clone_from(addresses);
    let problem = match missing {
        None => return,
        Some(MissingAddress::NotAssigned(message)) => Problem::new(reason::ADDRESS_NOT_ASSIGNED, message.clone()),
        Some(MissingAddress::NotUsable(message)) => Problem::new(reason::ADDRESS_NOT_USABLE, message.clone()),
    };
    if let Some(programmed) = find(&mut status.conditions, condition::PROGRAMMED)
        && programmed.status == ConditionStatus::True
    {
        set(programmed, false, &problem);
    }
}

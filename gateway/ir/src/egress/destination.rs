//! Where to: by name, by address, and at which port.

use super::EgressHost;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Where a rule lets things go, or not.
///
/// Addresses that are not public (private, link-local, of the cluster, of cloud metadata and the like) are reached by a
/// rule that names them alone: by a network that lies within such a block. `0.0.0.0/0` names none of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// Everywhere: by any name, and by address.
    Any,
    /// By name. An address that is dialled without a name is none of them.
    Hosts {
        /// One that fits is enough.
        hosts: Vec<EgressHost>,
        /// Where their addresses have to lie; empty is any public address.
        within: Vec<IpNet>,
    },
    /// By address. Allows what is called by its address alone; denies what leads there, whatever it is called.
    Addresses(Vec<IpNet>),
}

/// Ports from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Both ends belong to it; `None` if they are the wrong way round, or it would begin with port 0.
    pub fn new(first: u16, last: u16) -> Option<Self> {
        (0 < first && first <= last).then_some(Self { first, last })
    }

    /// Whether a port is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl TryFrom<(u16, u16)> for PortRange {
    type Error = &'static str;

    fn try_from((first, last): (u16, u16)) -> Result<Self, Self::Error> {
        Self::new(first, last).ok_or("ports go from a first one, not 0, to one that is no smaller")
    }
}

impl From<PortRange> for (u16, u16) {
    fn from(PortRange { first, last }: PortRange) -> Self {
        (first, last)
    }
}

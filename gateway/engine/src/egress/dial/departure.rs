//! The address that a connection leaves from.

use super::own::Own;
use crate::egress::refused::Refused;
use ipnet::IpNet;
use lychgate_egress::source_address::{Pair, here, in_order};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpSocket;

/// Where connections leave from: as the rule says that allows them.
#[derive(Clone, Copy)]
pub(in crate::egress) struct Departure<'a> {
    /// Empty leaves it to the host.
    pub(super) networks: &'a [IpNet],
    /// Who goes where, if there may be several addresses to choose from.
    pub(super) pair: Option<Pair>,
    pub(super) own: &'a Own,
}

impl Departure<'_> {
    /// A socket that is bound to where it may leave from. Without such an address here, nothing leaves.
    pub(super) fn socket(&self, to: SocketAddr) -> Result<TcpSocket, Refused> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(|error| Refused::not_connected(&to.to_string(), &error))?;
        if self.networks.is_empty() {
            return Ok(socket);
        }
        let mut absent = None;
        for own in self.addresses(to.ip())? {
            match socket.bind(SocketAddr::new(own, 0)) {
                Ok(()) => return Ok(socket),
                // One that has just gone, or is not there yet (RFC 4862 section 5.4), has others beside it.
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => absent = Some((own, error)),
                Err(error) => return Err(from(own, to, &error)),
            }
        }
        Err(match absent {
            Some((own, error)) => from(own, to, &error),
            None => Refused::cannot_leave(format!("of {}, this host has no address for {to}", list(self.networks))),
        })
    }

    /// Whether there is such an address here, without a connection: an interface shows it, or binding tells.
    pub(super) fn is_here(&self, to: SocketAddr) -> bool {
        let is_shown = |own: Arc<[IpAddr]>| here(self.networks, &own).any(|own| own.is_ipv4() == to.is_ipv4());
        self.networks.is_empty()
            || self.own.addresses().is_ok_and(is_shown)
            || !self.socket(to).is_err_and(|refused| refused.is_absent())
    }

    fn addresses(&self, to: IpAddr) -> Result<Vec<IpAddr>, Refused> {
        match self.pair {
            Some(pair) => {
                let own = self.own.addresses();
                let own = own.map_err(|error| Refused::cannot_leave(format!("the addresses of this host: {error}")))?;
                Ok(in_order(self.networks, &own, to, pair))
            }
            // Binding tells whether it is there.
            None => Ok(self.networks.iter().map(IpNet::addr).filter(|own| own.is_ipv4() == to.is_ipv4()).collect()),
        }
    }
}

fn from(own: IpAddr, to: SocketAddr, error: &io::Error) -> Refused {
    Refused::cannot_leave(format!("leaving from {own} to {to}: {error}"))
}

/// For people.
pub(in crate::egress) fn list(networks: &[IpNet]) -> String {
    let texts: Vec<String> = networks.iter().map(IpNet::to_string).collect();
    texts.join(", ")
}

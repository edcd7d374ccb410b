//! A connection to where something may go: from the address that it leaves from, and through the proxy beyond, if the rule
//! that allows it says so.

use super::gate::Gate;
use super::limits::{Fare, Spare, is_same};
use super::passage::{Passage, Way, handling};
use super::refused::Refused;
use super::via;
use super::wire::{Begun, Wire};
use crate::limits::Limits;
use lychgate_egress::target::Target;
use lychgate_ir::egress::EgressHandling;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// A connection, and the way that it took.
#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) io: Begun,
    pub(crate) way: Way,
    pub(crate) handling: Arc<EgressHandling>,
    /// Its seat, where connections are counted.
    pub(crate) spare: Option<Spare>,
}

impl Dialled {
    /// The way of a decision that came later, if it would have made this connection. What it is counted by is that of the
    /// connection.
    pub(crate) fn is_for(&self, passage: &Passage) -> Option<Way> {
        let same = |way: &&Way| {
            way.address == self.way.address
                && is_same_road(&handling(&way.decision), &self.handling)
                && is_same(way.share.as_ref(), self.way.share.as_ref())
        };
        let way = passage.ways.iter().find(same)?;
        Some(Way { share: self.way.share.clone(), ..way.clone() })
    }
}

/// Whether connections of one are connections of the other.
pub(crate) fn is_same_road(a: &EgressHandling, b: &EgressHandling) -> bool {
    let EgressHandling { tls: _, credential: _, via, leave_from, limits: _ } = a;
    *via == b.via && *leave_from == b.leave_from
}

/// Connects by the first way that can be taken. What it is counted by is asked before.
pub(crate) async fn dial(gate: &Gate, passage: &Passage, limits: &Limits, mut fare: Fare) -> Result<Dialled, Refused> {
    let mut last = None;
    for way in &passage.ways {
        let handling = handling(&way.decision);
        let counted = match fare.enter(way, &gate.lines) {
            Ok(counted) => counted,
            Err(refused) => {
                last = Some(refused);
                continue;
            }
        };
        match road(gate, passage, way, &handling, limits).await {
            Ok(io) => {
                let spare = counted.as_ref().map(|(_, seat)| seat.spare());
                let io = match counted {
                    Some((share, seat)) => io.metered(share, seat),
                    None => io,
                };
                return Ok(Dialled { io, way: way.clone(), handling, spare });
            }
            Err(refused) => last = Some(refused.after(&way.decision)),
        }
    }
    Err(last.unwrap_or_else(|| Refused::misconfigured("a passage without a way")))
}

async fn road(
    gate: &Gate,
    passage: &Passage,
    way: &Way,
    handling: &EgressHandling,
    limits: &Limits,
) -> Result<Begun, Refused> {
    let Target { host: _, port } = passage.wish.target;
    match (&handling.via, way.address) {
        (Some(proxy), address) => {
            via::connect(gate, proxy, &passage.wish.target, address, &handling.leave_from, limits).await
        }
        (None, Some(address)) => {
            let to = SocketAddr::new(address, port);
            tcp(to, &handling.leave_from, limits).await.map(|tcp| Begun::new(Wire::Tcp(tcp)))
        }
        (None, None) => Err(Refused::misconfigured("no address, and no proxy that would know one")),
    }
}

/// A connection to an address, from one of these, or from whichever the host takes.
pub(super) async fn tcp(to: SocketAddr, leave_from: &[IpAddr], limits: &Limits) -> Result<TcpStream, Refused> {
    let not_connected = |error: io::Error| Refused::not_connected(&to.to_string(), &error);
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(not_connected)?;
    if !leave_from.is_empty() {
        let own = leave_from.iter().find(|own| own.is_ipv4() == to.is_ipv4());
        let own =
            own.ok_or_else(|| Refused::cannot_leave(format!("none of its addresses is of the family of {to}")))?;
        let bound = socket.bind(SocketAddr::new(*own, 0));
        bound.map_err(|error| Refused::cannot_leave(format!("leaving from {own} to {to}: {error}")))?;
    }
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("nothing within {:?}", limits.connect));
    let connected = timeout(limits.connect, socket.connect(to)).await.map_err(|_| late()).flatten();
    let tcp = connected.map_err(not_connected)?;
    // Latency matters more than packet count; without it the connection only is slower.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

//! A connection to where something may go: from the address that it leaves from, and through the proxy beyond, if the rule
//! that allows it says so. Where there are several ways, attempts run side by side.

mod departure;
mod lately;
mod own;
mod race;

pub(super) use departure::{Departure, list};
pub(crate) use lately::Lately;
pub(crate) use own::Own;
pub(super) use race::in_turn;

use super::gate::Gate;
use super::limits::{Fare, Seat, Share, Spare, is_same};
use super::passage::{Passage, Way, handling};
use super::refused::Refused;
use super::via;
use super::wire::{Begun, Wire};
use crate::limits::Limits;
use lychgate_egress::target::Target;
use lychgate_ir::egress::EgressHandling;
use race::{Attempt, race};
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
                && way.pair == self.way.pair
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

/// Connects by the first way that can be taken; those that could not be taken lately come last. What it is counted by is asked
/// before each attempt; if none succeeds, a limit says more of why than an address that does not answer, and that more than one
/// that there is no source address for.
pub(crate) async fn dial(gate: &Gate, passage: &Passage, limits: &Limits, mut fare: Fare) -> Result<Dialled, Refused> {
    let mut ways: Vec<&Way> = passage.ways.iter().collect();
    ways.sort_by_cached_key(|way| passage.choice(way).is_some_and(|address| gate.lately.fails(address)));
    let (mut next, mut begun, mut limited, mut absent) = (ways.into_iter(), Vec::new(), None, None);
    let begin = || -> Option<Attempt<'_, Dialled, Refused>> {
        let (way, socket) = loop {
            let way = next.next()?;
            match socket(gate, passage, way) {
                Some(Err(refused)) if refused.is_absent() => {
                    absent.get_or_insert_with(|| refused.after(&way.decision));
                }
                socket => break (way, socket),
            }
        };
        let counted = fare.enter(way, &gate.lines);
        // What a limit refuses says nothing of the address.
        match &counted {
            Ok(_) => begun.push(way),
            Err(full) => drop(limited.get_or_insert_with(|| full.clone())),
        }
        Some(Box::pin(attempt(gate, passage, way, socket, counted, limits)))
    };
    let dialled = race(begin).await;
    let taken = dialled.as_ref().and_then(|dialled| dialled.as_ref().ok()).map(|dialled| dialled.way.address);
    // What cannot leave to a proxy says nothing of the addresses beyond it.
    let has_left = !matches!(&dialled, Some(Err(refused)) if refused.is_absent());
    // Those that had begun before, and are not there yet, are slower.
    for way in begun.into_iter().filter(|_| has_left) {
        let is_taken = taken == Some(way.address);
        if let Some(address) = passage.choice(way) {
            gate.lately.tell(address, is_taken);
        }
        if is_taken {
            break;
        }
    }
    let nowhere = || Err(absent.unwrap_or_else(|| Refused::misconfigured("a passage without a way")));
    let dialled = dialled.unwrap_or_else(nowhere);
    dialled.map_err(|refused| limited.unwrap_or(refused))
}

/// Where no proxy beyond is asked: a socket that is bound to where it may leave from.
fn socket(gate: &Gate, passage: &Passage, way: &Way) -> Option<Result<TcpSocket, Refused>> {
    let handling = handling(&way.decision);
    let address = way.address.filter(|_| handling.via.is_none())?;
    Some(departure(gate, way, &handling).socket(SocketAddr::new(address, passage.wish.target.port)))
}

/// Whether there is an address here that a passage can leave from. To a proxy beyond, that does not depend on where it leads.
pub(crate) fn can_leave(gate: &Gate, passage: &Passage) -> bool {
    passage.ways.iter().any(|way| {
        let handling = handling(&way.decision);
        let to = way.address.filter(|_| handling.via.is_none());
        to.is_none_or(|to| departure(gate, way, &handling).is_here(SocketAddr::new(to, passage.wish.target.port)))
    })
}

fn departure<'a>(gate: &'a Gate, way: &Way, handling: &'a EgressHandling) -> Departure<'a> {
    Departure { networks: &handling.leave_from, pair: way.pair, own: &gate.own }
}

async fn attempt(
    gate: &Gate,
    passage: &Passage,
    way: &Way,
    socket: Option<Result<TcpSocket, Refused>>,
    counted: Result<Option<(Share, Seat)>, Refused>,
    limits: &Limits,
) -> Result<Dialled, Refused> {
    let (counted, handling) = (counted?, handling(&way.decision));
    let io =
        road(gate, passage, way, socket, &handling, limits).await.map_err(|refused| refused.after(&way.decision))?;
    let spare = counted.as_ref().map(|(_, seat)| seat.spare());
    let io = match counted {
        Some((share, seat)) => io.metered(share, seat),
        None => io,
    };
    Ok(Dialled { io, way: way.clone(), handling, spare })
}

async fn road(
    gate: &Gate,
    passage: &Passage,
    way: &Way,
    socket: Option<Result<TcpSocket, Refused>>,
    handling: &EgressHandling,
    limits: &Limits,
) -> Result<Begun, Refused> {
    let Target { host: _, port } = passage.wish.target;
    match (&handling.via, way.address, socket) {
        (Some(proxy), address, _) => {
            let departure = departure(gate, way, handling);
            via::connect(gate, proxy, &passage.wish.target, address, departure, limits).await
        }
        (None, Some(address), Some(socket)) => {
            tcp(socket?, SocketAddr::new(address, port), limits).await.map(|tcp| Begun::new(Wire::Tcp(tcp)))
        }
        (None, None, _) | (None, Some(_), None) => {
            Err(Refused::misconfigured("no address, and no proxy that would know one"))
        }
    }
}

/// A connection to an address.
async fn tcp(socket: TcpSocket, to: SocketAddr, limits: &Limits) -> Result<TcpStream, Refused> {
    let not_connected = |error: io::Error| Refused::not_connected(&to.to_string(), &error);
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("nothing within {:?}", limits.connect));
    let connected = timeout(limits.connect, socket.connect(to)).await.map_err(|_| late()).flatten();
    let tcp = connected.map_err(not_connected)?;
    // Latency matters more than packet count; without it the connection only is slower.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

/// A connection to one of these addresses, whichever answers first, of those that there is a source address for.
pub(super) async fn tcp_among(
    addresses: impl IntoIterator<Item = IpAddr>,
    port: u16,
    departure: Departure<'_>,
    limits: &Limits,
) -> Option<Result<TcpStream, Refused>> {
    let (mut addresses, mut absent) = (in_turn(addresses).into_iter(), None);
    let begin = || -> Option<Attempt<'_, TcpStream, Refused>> {
        loop {
            let to = SocketAddr::new(addresses.next()?, port);
            match departure.socket(to) {
                Err(refused) if refused.is_absent() => drop(absent.get_or_insert(refused)),
                socket => return Some(Box::pin(async move { tcp(socket?, to, limits).await })),
            }
        }
    };
    race(begin).await.or_else(|| absent.map(Err))
}

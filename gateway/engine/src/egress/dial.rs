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
use tokio::net::TcpStream;
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
/// before each attempt; if none succeeds, a limit says more of why than an address that does not answer.
pub(crate) async fn dial(gate: &Gate, passage: &Passage, limits: &Limits, mut fare: Fare) -> Result<Dialled, Refused> {
    let mut ways: Vec<&Way> = passage.ways.iter().collect();
    ways.sort_by_cached_key(|way| passage.choice(way).is_some_and(|address| gate.lately.fails(address)));
    let (mut next, mut begun, mut limited) = (ways.into_iter(), Vec::new(), None);
    let begin = || -> Option<Attempt<'_, Dialled, Refused>> {
        let way = next.next()?;
        let counted = fare.enter(way, &gate.lines);
        // What a limit refuses says nothing of the address.
        match &counted {
            Ok(_) => begun.push(way),
            Err(full) => drop(limited.get_or_insert_with(|| full.clone())),
        }
        Some(Box::pin(attempt(gate, passage, way, counted, limits)))
    };
    let dialled = race(begin).await;
    let taken = dialled.as_ref().and_then(|dialled| dialled.as_ref().ok()).map(|dialled| dialled.way.address);
    // Those that had begun before, and are not there yet, are slower.
    for way in begun {
        let is_taken = taken == Some(way.address);
        if let Some(address) = passage.choice(way) {
            gate.lately.tell(address, is_taken);
        }
        if is_taken {
            break;
        }
    }
    let dialled = dialled.unwrap_or_else(|| Err(Refused::misconfigured("a passage without a way")));
    dialled.map_err(|refused| limited.unwrap_or(refused))
}

async fn attempt(
    gate: &Gate,
    passage: &Passage,
    way: &Way,
    counted: Result<Option<(Share, Seat)>, Refused>,
    limits: &Limits,
) -> Result<Dialled, Refused> {
    let (counted, handling) = (counted?, handling(&way.decision));
    let io = road(gate, passage, way, &handling, limits).await.map_err(|refused| refused.after(&way.decision))?;
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
    handling: &EgressHandling,
    limits: &Limits,
) -> Result<Begun, Refused> {
    let Target { host: _, port } = passage.wish.target;
    let departure = Departure { networks: &handling.leave_from, pair: way.pair, own: &gate.own };
    match (&handling.via, way.address) {
        (Some(proxy), address) => via::connect(gate, proxy, &passage.wish.target, address, departure, limits).await,
        (None, Some(address)) => {
            let to = SocketAddr::new(address, port);
            tcp(to, departure, limits).await.map(|tcp| Begun::new(Wire::Tcp(tcp)))
        }
        (None, None) => Err(Refused::misconfigured("no address, and no proxy that would know one")),
    }
}

/// A connection to an address.
async fn tcp(to: SocketAddr, departure: Departure<'_>, limits: &Limits) -> Result<TcpStream, Refused> {
    let not_connected = |error: io::Error| Refused::not_connected(&to.to_string(), &error);
    let socket = departure.socket(to)?;
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("nothing within {:?}", limits.connect));
    let connected = timeout(limits.connect, socket.connect(to)).await.map_err(|_| late()).flatten();
    let tcp = connected.map_err(not_connected)?;
    // Latency matters more than packet count; without it the connection only is slower.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

/// A connection to one of these addresses, whichever answers first.
pub(super) async fn tcp_among(
    addresses: impl IntoIterator<Item = IpAddr>,
    port: u16,
    departure: Departure<'_>,
    limits: &Limits,
) -> Option<Result<TcpStream, Refused>> {
    let mut addresses = in_turn(addresses).into_iter();
    let begin = || -> Option<Attempt<'_, TcpStream, Refused>> {
        let to = SocketAddr::new(addresses.next()?, port);
        Some(Box::pin(tcp(to, departure, limits)))
    };
    race(begin).await
}

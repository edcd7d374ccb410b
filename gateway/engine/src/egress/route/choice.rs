//! Which of the ways that are allowed an attempt takes.

use super::leaver::Wanted;
use crate::egress::dial::{Dialled, dial};
use crate::egress::gate::Gate;
use crate::egress::limits::{Fare, is_same};
use crate::egress::passage::{Passage, Way, handling};
use crate::egress::refused::Refused;
use crate::limits::Limits;
use crate::upstream::Picked;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What was chosen.
pub(super) struct Choice {
    pub(super) picked: Picked,
    /// The way to it, and those that may be taken in its place: nothing about them differs but the address.
    pub(super) ways: Vec<Way>,
    /// Whether the destination has others, be they of another rule, that this request has not had.
    pub(super) has_others: bool,
}

/// What is dialled already, or cannot be.
pub(super) type Ready = Option<Result<Dialled, Refused>>;

/// One of the addresses that are allowed: of those that this request has not had, and that have not failed lately; of IPv4
/// where there is one. A proxy beyond chooses by itself.
pub(super) fn choose(gate: &Gate, passage: &Passage, wanted: &Wanted<'_>) -> Option<Choice> {
    let port = passage.wish.target.port;
    let address = |way: &Way| SocketAddr::new(way.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port);
    let was_tried = |address: SocketAddr| wanted.tried.iter().any(|endpoint| endpoint.address == address);
    let rank = |way: &Way| {
        let address = address(way);
        (was_tried(address), gate.lately.fails(address), address.is_ipv6())
    };
    // A session goes where it was, whatever others would.
    let is_kept = wanted.session.is_some() && wanted.tried.is_empty();
    let best = passage.ways.iter().map(rank).min()?;
    let candidates = passage.ways.iter().filter(|way| is_kept || rank(way) == best);
    let candidates: Vec<SocketAddr> = candidates.map(address).collect();
    let picked = wanted.backend.pick_among(&candidates, wanted.session, wanted.tried)?;
    let first = passage.ways.iter().find(|way| address(way) == picked.endpoint().address)?;
    let is_other = |way: &&Way| {
        let is_same_road = handling(&way.decision) == handling(&first.decision);
        let is_same_account = is_same(way.share.as_ref(), first.share.as_ref());
        way.address != first.address && is_same_road && is_same_account && !was_tried(address(way))
    };
    let others = passage.ways.iter().filter(is_other).filter(|_| !is_kept);
    let has_others = passage.ways.iter().any(|way| way.address != first.address && !was_tried(address(way)));
    Some(Choice { ways: std::iter::once(first).chain(others).cloned().collect(), picked, has_others })
}

/// Takes the first of the ways, if it is known to answer or the only one. Else all of them are tried side by side, and what
/// comes of that is ready: the connection and the way that it took are known before anything is said of the request, which is
/// counted already.
pub(super) async fn settle(gate: &Gate, passage: &mut Passage, limits: &Limits) -> Ready {
    let answers = |way: &Way| passage.choice(way).is_none_or(|address| gate.lately.answers(address));
    if passage.ways.len() < 2 || passage.ways.first().is_some_and(answers) {
        passage.ways.truncate(1);
        return None;
    }
    let share = passage.ways.first().and_then(|way| way.share.clone());
    let fare = Fare { paid: share.clone(), ..Fare::default() };
    let dialled = dial(gate, passage, limits, fare).await;
    match &dialled {
        Ok(Dialled { way, .. }) => passage.ways = vec![Way { share, ..way.clone() }],
        Err(_) => passage.ways.truncate(1),
    }
    Some(dialled)
}

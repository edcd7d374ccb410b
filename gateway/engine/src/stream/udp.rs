//! Datagrams of a UDPRoute. The datagrams of one client are a flow: they go to one endpoint, and what that endpoint
//! sends goes back to the client, until neither has said anything for a while.

mod flow;
mod flows;

use super::{Carries, Record, StreamState};
use crate::limits::Limits;
use crate::observe::Observe;
use crate::runtime::ListenerState;
use flow::Opening;
use flows::{Begun, Flows};
use lychgate_telemetry::Reason;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// No datagram is larger.
const MAX_DATAGRAM: usize = 65_535;

/// When a socket has to go, its flows are over once nobody has said anything for so long: most of them are questions that
/// were answered long ago.
const PARTING: Duration = Duration::from_secs(1);

/// Serves a socket until told to drain; then flows go on that somebody still uses. Nothing is read while `reads` is false.
pub(crate) async fn serve(
    socket: Arc<UdpSocket>,
    limits: Limits,
    observe: &Arc<Observe>,
    route: impl Fn() -> Option<(Arc<ListenerState>, Option<Arc<StreamState>>)>,
    mut reads: watch::Receiver<bool>,
    mut drain: watch::Receiver<bool>,
) {
    let flows = Flows::default();
    let mut datagram = vec![0; MAX_DATAGRAM];
    // Dropping it ends all flows, and with the last of them the socket.
    let mut tasks = JoinSet::new();
    let mut parting: Option<Parting> = None;
    loop {
        let is_read = *reads.borrow_and_update();
        let received = tokio::select! {
            received = socket.recv_from(&mut datagram), if is_read => received,
            // An error means that whoever could say so is gone, and it stays as it is.
            Ok(()) = reads.changed() => continue,
            Some(_) = tasks.join_next() => continue,
            _ = drain.wait_for(|drain| *drain), if parting.is_none() => {
                parting = Some(Parting::begin(&flows));
                continue;
            }
            () = Parting::moment(&parting) => match parting.as_mut().is_none_or(|parting| parting.is_over(&flows)) {
                true => return,
                false => continue,
            },
        };
        let (length, client) = match received {
            Ok(received) => received,
            // An earlier answer found its client gone; that says nothing of this socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => {
                tracing::warn!(%error, "datagrams cannot be received");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(datagram) = datagram.get(..length) else { continue };
        if flows.pass(client, datagram) || parting.is_some() {
            continue;
        }
        let Some((listener, route)) = route() else { continue };
        // Counted, and no more: anybody can send datagrams in anybody's name, and a line for each would be their flood.
        let drop_it = |reason| {
            listener.stream_metrics.refused();
            observe.metrics.refused(reason);
            observe.notices.acted(reason, client.ip(), "a datagram that belongs to no flow was dropped");
        };
        let Some(route) = route else {
            drop_it(Reason::NoRoute);
            continue;
        };
        if flows.begin(limits.flows, client, datagram) == Begun::Full {
            drop_it(Reason::TooManyFlows);
            continue;
        }
        let mut record = Record::begin(observe, Carries::Datagrams, client);
        record.taken(&listener);
        let (socket, flows, limits) = (socket.clone(), flows.clone(), limits.clone());
        tasks.spawn(async move {
            Opening { socket: &socket, client, route: &route, limits: &limits }.run(&flows, record).await;
        });
    }
}

/// A socket that has to go.
struct Parting {
    /// When to look again.
    at: Instant,
    /// What had been carried when it was looked last.
    carried: u64,
}

impl Parting {
    fn begin(flows: &Flows) -> Self {
        let wait = if flows.is_empty() { Duration::ZERO } else { PARTING };
        Self { at: Instant::now() + wait, carried: flows.carried() }
    }

    /// The next moment to look; never, if there is no parting.
    async fn moment(parting: &Option<Self>) {
        match parting {
            Some(parting) => tokio::time::sleep_until(parting.at).await,
            None => std::future::pending().await,
        }
    }

    /// Whether nobody has said anything since the last look. A flow that ends takes its own count with it, which is no
    /// silence; the next look will tell.
    fn is_over(&mut self, flows: &Flows) -> bool {
        let before = std::mem::replace(&mut self.carried, flows.carried());
        self.at = Instant::now() + PARTING;
        before == self.carried
    }
}

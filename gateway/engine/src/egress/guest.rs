//! The other end of one connection of a client, for as long as it lasts.

use super::gate::Gate;
use super::record::{Origin, Record};
use super::refused::Refused;
use super::who::Client;
use crate::engine::Engine;
use crate::limits::Limits;
use crate::runtime::{ListenerState, Runtime};
use crate::stream::Meter;
use lychgate_egress::Source;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// A connection of a client to a listener of an egress Gateway.
pub(crate) struct Guest {
    pub(crate) engine: Arc<Engine>,
    pub(crate) listener: Arc<ListenerState>,
    pub(crate) client: Client,
    pub(crate) peer: SocketAddr,
    pub(crate) drain: watch::Receiver<bool>,
    /// Where its bytes count as well, if a route leads it out.
    pub(crate) meter: Option<Arc<Meter>>,
}

/// What counts at one moment.
pub(crate) struct Moment {
    pub(crate) gate: Arc<Gate>,
    pub(crate) source: Source,
}

/// Whether somebody wants to be asked before anything passes the listener. A control plane that sends this to an egress
/// Gateway is another than this data plane knows.
pub(crate) fn asks_filters(listener: &ListenerState) -> bool {
    !listener.spec.filters.is_empty()
}

impl Guest {
    pub(crate) fn limits(&self) -> &Limits {
        &self.engine.limits
    }

    /// The Gateway as it is now.
    pub(crate) fn gate(&self) -> Result<(Arc<Runtime>, Arc<Gate>), Refused> {
        let spec = &self.listener.spec;
        if asks_filters(&self.listener) {
            return Err(Refused::misconfigured(format!(
                "{}: its filters are for routes, and nobody asks them here",
                spec.id
            )));
        }
        let runtime = self.engine.runtime();
        let id = &spec.id.gateway;
        let gate = runtime.gates.get(id).cloned();
        let gate = gate.ok_or_else(|| Refused::misconfigured(format!("{id} is no egress Gateway any more")))?;
        Ok((runtime, gate))
    }

    /// The Gateway as it is now, and who a client is to it.
    pub(crate) fn moment(&self, client: &Client) -> Result<Moment, Refused> {
        let (runtime, gate) = self.gate()?;
        let source = client.source(&runtime, &gate);
        Ok(Moment { gate, source })
    }

    /// Who a client is, to be told of what is refused; unknown where there is no Gateway any more.
    pub(crate) fn source_of(&self, client: &Client) -> Source {
        self.moment(client).map_or(Source::Unknown, |moment| moment.source)
    }

    pub(crate) fn record(&self, source: Source, protocol: &'static str) -> Record {
        let origin =
            Origin { observe: self.engine.observe.clone(), listener: self.listener.spec.id.clone(), client: self.peer };
        Record::begin(origin, source, protocol).metered(self.meter.clone())
    }

    /// Ends when the listener is drained.
    pub(crate) async fn drained(&self) {
        // An error means that whoever could say so is gone.
        let _ = self.drain.clone().wait_for(|drain| *drain).await;
    }
}

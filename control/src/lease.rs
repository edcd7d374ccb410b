//! Who of several replicas writes: whoever holds a Lease (`coordination.k8s.io/v1`).
//!
//! Every replica watches, translates and serves. The leader also writes statuses and provisions; when it is gone, another
//! one is after [`Terms::lease`] at the latest, and goes on from what the API server has. A leader that cannot renew stops
//! before anybody else may begin. Nothing here believes a clock of another machine, or that its own does not jump: how long
//! a record stands is measured from when it was seen to change.
//!
//! The Lease says, too, where the leader takes reports of the others: they see it with the same look.

mod election;
mod record;
mod standing;

pub use election::{Election, Move};
pub use record::Record;
pub use standing::{Leadership, Standing, Tell, Term};

use crate::observe::Metrics;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Error};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long things last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long others wait for a leader that says nothing.
    pub lease: Duration,
    /// How long a leader believes that it leads when it cannot renew; shorter than the lease.
    pub renew: Duration,
    /// How often it renews, and others look.
    pub retry: Duration,
}

impl Default for Terms {
    /// What controllers of Kubernetes itself use: 15 s, 10 s, 2 s.
    fn default() -> Self {
        Self { lease: Duration::from_secs(15), renew: Duration::from_secs(10), retry: Duration::from_secs(2) }
    }
}

/// Which Lease, and who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The Lease's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Our name, different from that of every other replica.
    pub identity: String,
    /// Where other replicas reach our feed, if they do.
    pub relay: Option<SocketAddr>,
}

/// Takes part in elections until `stop`, then gives the Lease back if it has it.
pub async fn take_part(
    client: Client,
    seat: Seat,
    terms: Terms,
    tell: Tell,
    mut stop: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
) {
    let api: Api<Lease> = Api::namespaced(client, &seat.namespace);
    let mut election = Election::new(seat.identity.clone(), seat.relay, terms);
    let mut complained = false;
    let mut seen = None;
    loop {
        let begun = Instant::now();
        let round = timeout(terms.renew / 2, round(&api, &seat, &mut election)).await;
        match round {
            Ok(Ok(holds)) => {
                seen = Some(begun);
                complained = false;
                if let Some(holds) = holds {
                    take_note(holds, begun + terms.renew, &seat, &election, &tell);
                }
            }
            Ok(Err(error)) => complain(&seat, &error.to_string(), &mut complained),
            Err(_) => complain(&seat, "the API server does not answer in time", &mut complained),
        }
        if seen.is_none_or(|seen| seen + terms.lease <= Instant::now()) {
            tell.stands(Standing::Unknown);
        }
        metrics.leads(tell.term.borrow().is_some_and(|term| Instant::now() < term.until));
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = sleep(terms.retry.mul_f64(rand::random_range(0.9..=1.1))) => {}
        }
    }
    tell.does_not_lead();
    metrics.leads(false);
    if let Ok(Err(error)) = timeout(terms.retry, give_back(&api, &seat)).await {
        tracing::debug!(%error, "the lease could not be given back; it expires");
    }
}

/// Tells whether we lead, and who does.
fn take_note(leads: bool, until: Instant, seat: &Seat, election: &Election, tell: &Tell) {
    if leads {
        if tell.leads(until) {
            tracing::info!(lease = seat.name, identity = seat.identity, "leads: writes statuses");
        }
        return;
    }
    let (holder, relay) = election.holder();
    if tell.does_not_lead() {
        tracing::warn!(lease = seat.name, holder, "does not lead any more");
    }
    tell.stands(Standing::Follows { holder: holder.to_owned(), relay });
}

fn complain(seat: &Seat, why: &str, complained: &mut bool) {
    if !std::mem::replace(complained, true) {
        tracing::warn!(
            namespace = seat.namespace,
            lease = seat.name,
            why,
            "the lease cannot be looked at or renewed; let the ServiceAccount get, create and update it"
        );
    }
}

/// Looks at the Lease and takes or renews it where that is right. Tells whether we hold it; None if that was not seen.
async fn round(api: &Api<Lease>, seat: &Seat, election: &mut Election) -> Result<Option<bool>, Error> {
    let found = api.get_opt(&seat.name).await?;
    let record = found.as_ref().map(Record::of);
    let record = match election.decide(record.as_ref(), Instant::now()) {
        Move::Wait => return Ok(Some(false)),
        Move::Hold(record) => record,
    };
    let written = match found {
        // Its version goes along, so that of two who want it one is refused.
        Some(lease) => api.replace(&seat.name, &PostParams::default(), &record.written_to(lease)).await,
        None => {
            let metadata = ObjectMeta { name: Some(seat.name.clone()), ..ObjectMeta::default() };
            let lease = record.written_to(Lease { metadata, ..Lease::default() });
            api.create(&PostParams::default(), &lease).await
        }
    };
    match written {
        Ok(lease) => {
            election.saw(&Record::of(&lease), Instant::now());
            Ok(Some(true))
        }
        // It was written meanwhile; by whom, the next round shows.
        Err(Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}

async fn give_back(api: &Api<Lease>, seat: &Seat) -> Result<(), Error> {
    let Some(lease) = api.get_opt(&seat.name).await? else { return Ok(()) };
    let record = Record::of(&lease);
    if record.holder != seat.identity {
        return Ok(());
    }
    let free = Record { holder: String::new(), relay: None, ..record };
    api.replace(&seat.name, &PostParams::default(), &free.written_to(lease)).await.map(drop)
}

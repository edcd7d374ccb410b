//! Who of several replicas writes: whoever holds a Lease (`coordination.k8s.io/v1`).
//!
//! Every replica watches, translates and serves. The leader also writes statuses and provisions; when it is gone, another
//! one is after [`Terms::lease`] at the latest, and goes on from what the API server has. A leader that cannot renew stops
//! before anybody else may begin. Nothing here believes a clock of another machine, or that its own does not jump: how long
//! a record stands is measured from when it was seen to change.

mod election;

pub use election::{Election, Move, Record};

use crate::observe::Metrics;
use election::{record_of, spec_of};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Error};
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
}

/// Whether this replica leads.
#[derive(Clone, Debug)]
pub struct Leadership {
    until: watch::Receiver<Option<Instant>>,
}

impl Leadership {
    /// Whether it leads at this moment.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.until.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Ends when something changed, also if it only has to be asked again.
    pub async fn changed(&mut self) {
        let until = *self.until.borrow();
        let expires = async {
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                Some(_) | None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.until.changed() => if changed.is_err() {
                // Nobody will ever say anything again.
                std::future::pending().await
            },
            () = expires => {}
        }
    }

    /// One that leads for as long as the sender says, for tests.
    #[must_use]
    pub fn from(until: watch::Receiver<Option<Instant>>) -> Self {
        Self { until }
    }
}

/// Takes part in elections until `stop`, then gives the Lease back if it has it.
pub async fn take_part(
    client: Client,
    seat: Seat,
    terms: Terms,
    tell: watch::Sender<Option<Instant>>,
    mut stop: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
) {
    let api: Api<Lease> = Api::namespaced(client, &seat.namespace);
    let mut election = Election::new(seat.identity.clone(), terms);
    let mut complained = false;
    loop {
        let begun = Instant::now();
        let round = timeout(terms.renew / 2, round(&api, &seat, &mut election)).await;
        match round {
            Ok(Ok(Some(true))) => {
                let was = tell.send_replace(Some(begun + terms.renew));
                if was.is_none_or(|until| until < begun) {
                    tracing::info!(lease = seat.name, identity = seat.identity, "leads: writes statuses");
                }
                complained = false;
            }
            Ok(Ok(None)) => {}
            Ok(Ok(Some(false))) => {
                if tell.send_replace(None).is_some() {
                    tracing::warn!(lease = seat.name, holder = election.holder(), "does not lead any more");
                }
                complained = false;
            }
            Ok(Err(error)) => complain(&seat, &error.to_string(), &mut complained),
            Err(_) => complain(&seat, "the API server does not answer in time", &mut complained),
        }
        metrics.leads(tell.borrow().is_some_and(|until| Instant::now() < until));
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = sleep(terms.retry.mul_f64(rand::random_range(0.9..=1.1))) => {}
        }
    }
    tell.send_replace(None);
    metrics.leads(false);
    if let Ok(Err(error)) = timeout(terms.retry, give_back(&api, &seat)).await {
        tracing::debug!(%error, "the lease could not be given back; it expires");
    }
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
    let record = found.as_ref().map(record_of);
    let next = election.decide(record.as_ref(), Instant::now());
    let spec = match &next {
        Move::Wait => return Ok(Some(false)),
        Move::Hold(record) => Some(spec_of(record)),
    };
    let written = match found {
        Some(lease) => {
            // Its version goes along, so that of two who want it one is refused.
            let lease = Lease { spec, ..lease };
            api.replace(&seat.name, &PostParams::default(), &lease).await
        }
        None => {
            let metadata = ObjectMeta { name: Some(seat.name.clone()), ..ObjectMeta::default() };
            api.create(&PostParams::default(), &Lease { metadata, spec }).await
        }
    };
    match written {
        Ok(lease) => {
            election.saw(&record_of(&lease), Instant::now());
            Ok(Some(true))
        }
        // It was written meanwhile; by whom, the next round shows.
        Err(Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}

async fn give_back(api: &Api<Lease>, seat: &Seat) -> Result<(), Error> {
    let Some(lease) = api.get_opt(&seat.name).await? else { return Ok(()) };
    let record = record_of(&lease);
    if record.holder != seat.identity {
        return Ok(());
    }
    let free = Record { holder: String::new(), ..record };
    let lease = Lease { spec: Some(spec_of(&free)), ..lease };
    api.replace(&seat.name, &PostParams::default(), &lease).await.map(drop)
}

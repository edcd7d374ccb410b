//! The process: everything that runs in it, begun in order and ended in order.

mod view;

use crate::events::{Denials, Teller};
use crate::fleet::{self, Ends};
use crate::lease::{self, Leadership, Seat, Standing, Tell, Terms};
use crate::observe::{Admin, Metrics};
use crate::provision;
use crate::status::writer::{Shared, Writer};
use crate::store::{self, Store};
use crate::translation::{Addresses, Translated, Translator};
use crate::watch::Watch;
use kube::Client;
use lychgate_feed::server::Feed;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use view::View;

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the admin port listens.
    pub admin: SocketAddr,
    /// Which Lease says who leads, and who we are.
    pub seat: Seat,
    /// How long things of the Lease last.
    pub terms: Terms,
    /// Which of several control planes this is.
    pub revision: Option<String>,
    /// Whether kinds of the experimental API are read.
    pub experimental: bool,
    /// How data planes are made and served; none makes none, serves none, and says nothing of addresses.
    pub fleet: Option<fleet::Options>,
}

/// Why nothing runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Metrics cannot be set up.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The feed's port cannot be bound.
    #[error("the feed's port {address} cannot be bound ({error}); end what uses it, or choose another with --feed")]
    Feed {
        /// The port.
        address: SocketAddr,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// The admin port cannot be bound.
    #[error("the admin port {address} cannot be bound ({error}); end what uses it, or choose another with --admin")]
    Admin {
        /// The port.
        address: SocketAddr,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
}

/// A control plane that runs.
pub struct Control {
    admin: Admin,
    feed: Feed,
    stop: watch::Sender<bool>,
    /// Those that end in order when told to.
    ending: JoinSet<()>,
    /// Those that just end.
    _running: JoinSet<()>,
}

impl Control {
    /// Begins everything. Whether the API server answers does not matter: it is asked until it does.
    ///
    /// # Errors
    /// Where something that is ours cannot be set up.
    pub async fn start(client: Client, options: Options) -> Result<Self, StartError> {
        let Options { admin: address, seat, terms, revision, experimental, fleet } = options;
        let metrics = Metrics::new()?;
        let (stop, stopped) = watch::channel(false);
        let (tell_term, term) = watch::channel(None);
        let (tell_standing, standing) = watch::channel(Standing::default());
        let tell_leader = Tell { term: tell_term, standing: tell_standing };
        let leadership = Leadership::from(term);
        let shared = Arc::new(Shared::default());
        let (tell, translated) = watch::channel(None);
        let (store, feed) = (Arc::new(Store::default()), Feed::new());

        let listening = match fleet {
            Some(fleet) => {
                let (address, bound) = (fleet.listen, TcpListener::bind(fleet.listen).await);
                Some((fleet, bound.map_err(|error| StartError::Feed { address, error })?))
            }
            None => None,
        };
        let (tell_authorized, authorized) = watch::channel(false);

        let Watch { changes, discovered, troubles, tasks } = Watch::start(&client, &metrics, experimental);
        let view = Arc::new(View {
            metrics: metrics.clone(),
            translated,
            shared: shared.clone(),
            feed: feed.clone(),
            identity: seat.identity.clone(),
            troubles: troubles.clone(),
            leadership: leadership.clone(),
            stopped: stopped.clone(),
            serving: listening.is_some().then(|| (authorized, standing.clone())),
        });
        let bound = Admin::bind(address, view.clone()).await;
        let admin = bound.map_err(|error| StartError::Admin { address, error })?;
        tracing::info!(admin = %admin.address(), lease = seat.name, identity = seat.identity, "started");

        let mut running = tasks;
        running.spawn(store::take_in(changes, store.clone(), shared.clone(), metrics.clone()));
        let (denials, denied) = Denials::new();
        let teller = Teller {
            client: client.clone(),
            seat: seat.clone(),
            translated: view.translated.clone(),
            denials: denied,
            troubles,
            leadership: leadership.clone(),
        };
        running.spawn(teller.run());
        let mut ending = JoinSet::new();
        // Where nobody looks for addresses, there are none.
        let (tell_addresses, addresses) = watch::channel(listening.is_none().then(Addresses::default));
        if let Some((fleet, listener)) = listening {
            let ends = Ends {
                feed: feed.clone(),
                views: views(&mut running, view.translated.clone()),
                leading: leading(&mut running, leadership.clone()),
                standing,
                identity: seat.identity.clone(),
                addresses: tell_addresses,
                authorized: tell_authorized,
                metrics: metrics.clone(),
            };
            ending.spawn(fleet::run(client.clone(), fleet, listener, ends, stopped.clone()));
        }
        let translator = Translator {
            store,
            feed: feed.clone(),
            statuses: shared.clone(),
            revision,
            addresses,
            leadership: leadership.clone(),
            tell,
            metrics: metrics.clone(),
        };
        running.spawn(translator.run());
        let writer =
            Writer { client: client.clone(), shared, discovered, leadership, denials, metrics: metrics.clone() };
        let (writing, written) = watch::channel(());
        let stop_writing = stopped.clone();
        ending.spawn(async move {
            writer.run(stop_writing).await;
            drop(writing);
        });
        ending.spawn(async move {
            // The Lease is given back when the last status is written.
            let (stop_leading, stop_election) = watch::channel(false);
            let election = lease::take_part(client, seat, terms, tell_leader, stop_election, metrics);
            let last = async {
                let mut written = written;
                while written.changed().await.is_ok() {}
                stop_leading.send_replace(true);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = election => {}
                () = last => {}
            }
        });
        Ok(Self { admin, feed, stop, ending, _running: running })
    }

    /// Where the admin port listens.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.admin.address()
    }

    /// What data planes follow.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Finishes the writes that are on their way, gives the Lease back, and ends. Data planes go on with what they have.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.ending.join_next().await.is_some() {}
    }
}

/// What provisioning looks at.
fn views(
    running: &mut JoinSet<()>,
    mut translated: watch::Receiver<Option<Arc<Translated>>>,
) -> watch::Receiver<Option<Arc<provision::View>>> {
    let (tell, views) = watch::channel(None);
    running.spawn(async move {
        while translated.changed().await.is_ok() {
            let view = translated.borrow_and_update().clone().map(|translated| {
                let Translated { objects, others: _, broken: _, translation } = &*translated;
                Arc::new(provision::View {
                    objects: objects.clone(),
                    snapshot: translation.snapshot.clone(),
                    statuses: translation.statuses.clone(),
                })
            });
            tell.send_replace(view);
        }
    });
    views
}

/// Whether we lead, as something to wait for.
fn leading(running: &mut JoinSet<()>, mut leadership: Leadership) -> watch::Receiver<bool> {
    let (tell, leading) = watch::channel(false);
    running.spawn(async move {
        loop {
            let leads = leadership.leads();
            tell.send_if_modified(|known| std::mem::replace(known, leads) != leads);
            leadership.changed().await;
        }
    });
    leading
}

/// A name for this replica: a container that starts again in its pod is another one, and has to wait its turn.
#[must_use]
pub fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}_{:08x}", host.trim(), rand::random::<u32>())
}

//! Data planes: who they are, what they are given, and that there are any.
//!
//! The certificate authority comes first: without it there is nobody to speak with, and no pod could be told whom to trust.
//! It is in a Secret, so it waits for the API server, for as long as it takes.
//!
//! Every replica serves the feed once it has translated all that there is. What data planes say to one that does not lead, it
//! reports to the one that does, which writes statuses; so one that knows of no leader that takes reports serves nobody.

mod relay;
mod serve;

use crate::ca::{Authority, Elsewhere, Keeper, Kept, TokenEnroller};
use crate::cluster;
use crate::lease::Standing;
use crate::observe::Metrics;
use crate::provision::{Context, Provisioner, View};
use crate::translation::Addresses;
use kube::Client;
use lychgate_feed::server::{self, Feed};
use relay::Relay;
use serve::Serve;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Between two tries to read the authority.
const RETRY: Duration = Duration::from_secs(2);

/// How data planes are made, and how they find us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the feed listens.
    pub listen: SocketAddr,
    /// Our namespace.
    pub namespace: String,
    /// The Secret with the certificate authority.
    pub ca_secret: String,
    /// The Service by which data planes find the feed.
    pub service: String,
    /// Its port.
    pub port: u16,
    /// More names under which the feed is reached, for data planes elsewhere.
    pub names: Vec<String>,
    /// The trust domain of identities.
    pub trust_domain: String,
    /// The image of data planes.
    pub image: String,
    /// When nodes fetch it; Kubernetes decides where absent.
    pub pull_policy: Option<String>,
    /// Secrets with credentials for its registry.
    pub pull_secrets: Vec<String>,
    /// Kubeconfigs of other clusters with data planes of ours, each named as its cluster is.
    pub remote_clusters: Option<PathBuf>,
    /// Which of several control planes we are.
    pub revision: Option<String>,
}

/// What the rest of the process has for data planes, and wants to know of them.
pub(crate) struct Ends {
    pub(crate) feed: Feed,
    /// What Gateways there are.
    pub(crate) views: watch::Receiver<Option<Arc<View>>>,
    /// Whether we lead.
    pub(crate) leading: watch::Receiver<bool>,
    /// How we stand to who leads.
    pub(crate) standing: watch::Receiver<Standing>,
    /// What we call ourselves.
    pub(crate) identity: String,
    /// Where Gateways can be reached.
    pub(crate) addresses: watch::Sender<Option<Addresses>>,
    /// Whether the authority is there.
    pub(crate) authorized: watch::Sender<bool>,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
}

impl Options {
    /// Where data planes find the feed.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}.{}.svc:{}", self.service, self.namespace, self.port)
    }

    /// Every name that the feed's certificate has.
    #[must_use]
    pub fn server_names(&self) -> Vec<String> {
        let Self { namespace, service, names, .. } = self;
        let of_service = ["", ".svc", ".svc.cluster.local"].map(|end| format!("{service}.{namespace}{end}"));
        of_service.into_iter().chain(names.iter().cloned()).collect()
    }

    /// The name by which one replica knows another.
    fn replica_name(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    fn context(&self, authority: &Authority) -> Arc<Context> {
        Arc::new(Context {
            image: self.image.clone(),
            pull_policy: self.pull_policy.clone(),
            pull_secrets: self.pull_secrets.clone(),
            control: self.url(),
            trust_bundle: authority.bundle(),
            revision: self.revision.clone(),
        })
    }
}

/// Serves the feed, reports to the replica that leads and keeps data planes, until `stop`. `listener` shows that the port can
/// be had.
pub(crate) async fn run(
    client: Client,
    options: Options,
    listener: TcpListener,
    ends: Ends,
    mut stop: watch::Receiver<bool>,
) {
    let Ends { feed, mut views, leading, standing, identity: replica, addresses, authorized, metrics } = ends;
    let kept = tokio::select! {
        kept = keep(&client, &options) => kept,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let (keeper, Kept { authority, identity }) = kept;
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run());
    let (tell, context) = watch::channel(options.context(&authority.borrow()));
    tasks.spawn(follow(authority.clone(), options.clone(), tell));
    let (provisioner, found) = Provisioner::new(client.clone(), context, views.clone(), leading);
    let elsewhere = Elsewhere { clusters: clusters(&options).await, groups: Some(provisioner.remote()) };
    tasks.spawn(provisioner.run());
    tasks.spawn(hand_on(found, addresses));
    authorized.send_replace(true);
    let relay = Relay {
        feed: feed.clone(),
        replica,
        authority: authority.clone(),
        trust_domain: options.trust_domain.clone(),
        name: options.replica_name(),
        standing: standing.clone(),
        metrics,
    };
    let enroller = Arc::new(TokenEnroller::new(client, authority, options.trust_domain.clone(), elsewhere));
    let serving = server::Options { trust_domain: options.trust_domain.clone(), ..server::Options::default() };
    let serve = Serve { address: options.listen, feed, identity, enroller, options: serving, standing };
    // Before it is known what there is, there is nothing to serve; an error means that the process is gone.
    tokio::select! {
        seen = views.wait_for(Option::is_some) => if seen.is_err() { return },
        _ = stop.wait_for(|stop| *stop) => return,
    }
    let mut stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = relay.run() => {}
            // What was reported shall count until its data planes are with another replica, so that they leave is not told.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    });
    serve.run(listener, stop).await;
}

/// Clients of other clusters. One whose file is of no use is told, and is none.
async fn clusters(options: &Options) -> BTreeMap<String, Client> {
    let mut clients = BTreeMap::new();
    let Some(folder) = &options.remote_clusters else { return clients };
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files.filter_map(Result::ok).map(|file| file.path()).collect::<BTreeSet<PathBuf>>(),
        Err(error) => {
            tracing::error!(folder = %folder.display(), %error, "other clusters are not known: the folder cannot be read");
            return clients;
        }
    };
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // What a mounted Secret has beside its keys.
        if name.starts_with('.') {
            continue;
        }
        match cluster::connect(Some(&file)).await {
            Ok(client) => {
                clients.insert(name.to_owned(), client);
            }
            Err(error) => tracing::error!(cluster = name, %error, "data planes of this cluster cannot be known"),
        }
    }
    clients
}

/// Reads the authority, or makes it; tried until it is there.
async fn keep(client: &Client, options: &Options) -> (Keeper, Kept) {
    let Options { namespace, ca_secret, .. } = options;
    loop {
        match Keeper::start(client.clone(), namespace, ca_secret, options.server_names()).await {
            Ok(kept) => return kept,
            Err(error) => tracing::warn!(%error, "no certificate authority yet; trying again"),
        }
        sleep(RETRY).await;
    }
}

/// Data planes are told of a new authority.
async fn follow(mut authority: watch::Receiver<Arc<Authority>>, options: Options, tell: watch::Sender<Arc<Context>>) {
    while authority.changed().await.is_ok() {
        let context = options.context(&authority.borrow_and_update());
        tell.send_replace(context);
    }
}

/// The addresses, from the first time on that they are known.
async fn hand_on(mut found: watch::Receiver<Addresses>, tell: watch::Sender<Option<Addresses>>) {
    while found.changed().await.is_ok() {
        tell.send_replace(Some(found.borrow_and_update().clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_has_every_name_that_is_dialled() {
        let options = Options {
            listen: ([0, 0, 0, 0], 9910).into(),
            namespace: "ns".to_owned(),
            ca_secret: "ca".to_owned(),
            service: "control".to_owned(),
            port: 9910,
            names: vec!["feed.example.com".to_owned()],
            trust_domain: "cluster.local".to_owned(),
            image: "image".to_owned(),
            pull_policy: None,
            pull_secrets: Vec::new(),
            remote_clusters: None,
            revision: None,
        };
        assert_eq!(options.url(), "https://control.ns.svc:9910");
        assert_eq!(
            options.server_names(),
            ["control.ns", "control.ns.svc", "control.ns.svc.cluster.local", "feed.example.com"]
        );
    }
}

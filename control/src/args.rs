//! The arguments of `lychgate-control`.
//!
//! They are read once, here, and then there are only options.

use crate::fleet;
use crate::lease::{Seat, Terms};
use crate::process::{self, Options};
use clap::{Parser, ValueEnum};
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// The control plane of Lychgate: reads Gateway API objects of a cluster, tells data planes what to do, and writes
/// statuses.
#[derive(Clone, Debug, Parser)]
#[command(name = "lychgate-control", version, max_term_width = 120)]
pub struct Args {
    /// Which cluster, and who we are there. By default the pod's own, or what KUBECONFIG names.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Where the feed listens, which data planes follow.
    #[arg(long, value_name = "ADDR", env = "LYCHGATE_FEED", default_value = "0.0.0.0:9910")]
    pub feed: SocketAddr,
    /// Where the admin port listens (/livez, /readyz, /config, /metrics, /status). Keep it off the internet.
    #[arg(long, value_name = "ADDR", env = "LYCHGATE_ADMIN", default_value = "127.0.0.1:9900")]
    pub admin: SocketAddr,
    /// The namespace that the control plane is in: its Lease is there.
    #[arg(long, value_name = "NAMESPACE", env = "LYCHGATE_NAMESPACE", default_value = "lychgate-system")]
    pub namespace: String,
    /// The Lease by which replicas agree on who writes; the same for all of them, and another for each revision.
    #[arg(long, value_name = "NAME", default_value = "lychgate-control")]
    pub lease: String,
    /// Which of several control planes this is: it serves Gateways with the label `lychgate.dev/revision` of this value.
    /// Without one, those without that label.
    #[arg(long, value_name = "NAME", env = "LYCHGATE_REVISION")]
    pub revision: Option<String>,
    /// Read kinds of Gateway API's experimental group (XBackend).
    #[arg(long)]
    pub experimental: bool,
    /// The Secret with the certificate authority of the feed, in our namespace. It is made if it is not there.
    #[arg(long, value_name = "NAME", default_value = "lychgate-ca")]
    pub ca_secret: String,
    /// The Service, in our namespace, by which data planes find the feed. By default it is named as the Lease is.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Its port.
    #[arg(long, value_name = "PORT", default_value_t = 9910)]
    pub service_port: u16,
    /// Another name under which the feed is reached, such as from another cluster; may be given several times.
    #[arg(long, value_name = "HOST")]
    pub feed_name: Vec<String>,
    /// The IP address under which other replicas reach our feed: the pod's. They report to the replica that leads; where it
    /// has none, it serves data planes alone. By default the address of --feed, if that is one of this host alone.
    #[arg(long, value_name = "IP", env = "LYCHGATE_POD_IP")]
    pub advertise: Option<IpAddr>,
    /// A folder with a kubeconfig for each other cluster that has data planes of ours, named as we know the cluster. They
    /// are only asked whose a token is.
    #[arg(long, value_name = "DIR")]
    pub remote_clusters: Option<PathBuf>,
    /// The trust domain that identities of data planes are in.
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// The image of data planes. Without one, none are made and none are served: statuses are all there is.
    #[arg(long, value_name = "IMAGE", env = "LYCHGATE_GATEWAY_IMAGE")]
    pub gateway_image: Option<String>,
    /// When nodes fetch it: Always, IfNotPresent or Never; Kubernetes decides by default.
    #[arg(long, value_name = "POLICY", requires = "gateway_image")]
    pub gateway_pull_policy: Option<String>,
    /// A Secret with credentials for its registry, in each namespace with Gateways; may be given several times.
    #[arg(long, value_name = "NAME", requires = "gateway_image")]
    pub gateway_pull_secret: Vec<String>,
    /// What this replica calls itself there, different from all others. By default the host's name and something random.
    #[arg(long, value_name = "NAME", env = "LYCHGATE_POD_NAME")]
    pub identity: Option<String>,
    /// How logs are written, which go to standard error.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by target, as in `info,lychgate_control=debug`.
    #[arg(long, value_name = "FILTER", env = "LYCHGATE_LOG", default_value = "info")]
    pub log: String,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Args {
    /// What follows from them for the process.
    #[must_use]
    pub fn options(self) -> Options {
        let Self {
            kubeconfig: _,
            feed,
            admin,
            namespace,
            lease,
            revision,
            experimental,
            ca_secret,
            service,
            service_port,
            feed_name,
            advertise,
            remote_clusters,
            trust_domain,
            gateway_image,
            gateway_pull_policy,
            gateway_pull_secret,
            identity,
            log_format: _,
            log: _,
        } = self;
        let fleet = gateway_image.map(|image| fleet::Options {
            listen: feed,
            namespace: namespace.clone(),
            ca_secret,
            service: service.unwrap_or_else(|| lease.clone()),
            port: service_port,
            names: feed_name,
            trust_domain,
            image,
            pull_policy: gateway_pull_policy,
            pull_secrets: gateway_pull_secret,
            remote_clusters,
            revision: revision.clone(),
        });
        let identity = identity.unwrap_or_else(process::identity);
        let advertise = advertise.or_else(|| Some(feed.ip()).filter(|ip| !ip.is_unspecified()));
        let relay = advertise.filter(|_| fleet.is_some()).map(|ip| SocketAddr::new(ip, feed.port()));
        let seat = Seat { namespace, name: lease, identity, relay };
        Options { admin, seat, terms: Terms::default(), revision, experimental, fleet }
    }

    /// From here on, logs are written.
    pub fn init_logs(&self) {
        // What the client of the cluster meets is told by whoever asked it, with the object that it was about.
        let (filter, error) = match EnvFilter::try_new(format!("kube_client=off,kube_runtime=off,{}", self.log)) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new("info"), Some(error)),
        };
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
        if let Some(error) = error {
            tracing::warn!(filter = self.log, %error, "--log is no filter; logging at info");
        }
    }
}

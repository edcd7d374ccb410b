//! Data planes, and what they are given.

use crate::control::soon;
use lychgate_feed::client::{Client, Config, Options, Outcome};
use lychgate_ir::{
    Attachment, Backend, BackendId, BackendTls, Balance, Certificate, CertificateId, Endpoint, EndpointAddress,
    EndpointSet, Endpoints, Forward, HostPattern, Listener, Match, PathMatch, Protocol, Redacted, Resolution, Route,
    Rule, RuleId, Snapshot, Target, Timeouts, UpstreamProtocol, WeightedBackend,
};
use std::sync::Arc;

/// A data plane that serves nothing, and says that it does.
pub(crate) struct Plane {
    pub(crate) client: Arc<Client>,
    _telling: tokio::task::JoinSet<()>,
}

impl Plane {
    pub(crate) async fn start(options: Options) -> Self {
        let client = Arc::new(Client::start(options).await);
        let mut telling = tokio::task::JoinSet::new();
        let (mut configs, teller) = (client.configs(), client.clone());
        telling.spawn(async move {
            loop {
                if let Some(config) = configs.borrow_and_update().clone() {
                    teller.tell(Outcome { serial: config.serial, ..Outcome::default() });
                }
                if configs.changed().await.is_err() {
                    return;
                }
            }
        });
        Self { client, _telling: telling }
    }

    /// The config, once it holds what is asked for.
    pub(crate) async fn config(&self, holds: impl Fn(&Config) -> bool) -> Arc<Config> {
        let mut configs = self.client.configs();
        let config = soon(configs.wait_for(|config| config.as_ref().is_some_and(|config| holds(config)))).await;
        config.unwrap().clone().unwrap()
    }

    /// Stops, when everything is on disk.
    pub(crate) async fn stop(self) {
        let Self { client, _telling: mut telling } = self;
        telling.shutdown().await;
        soon(Arc::into_inner(client).unwrap().stop()).await;
    }
}

pub(crate) fn backend_id(name: &str) -> BackendId {
    format!("Service/shop/{name}:80").parse().unwrap()
}

/// A listener, these routes with a rule and a backend each, and a certificate.
pub(crate) fn snapshot(routes: &[&str]) -> Arc<Snapshot> {
    let mut snapshot = Snapshot::default();
    let listener: lychgate_ir::ListenerId = "Gateway/shop/front/http".parse().unwrap();
    snapshot.listeners.insert(
        listener.clone(),
        Arc::new(Listener {
            id: listener.clone(),
            addresses: Vec::new(),
            port: 80,
            protocol: Protocol::Http,
            hostname: HostPattern::Any,
            tls: None,
            upstream_identity: None,
            trusted_hops: 0,
            proxy_protocol_from: Vec::new(),
            filters: Vec::new(),
            leaves: false,
        }),
    );
    for name in routes {
        let rule: RuleId = format!("HTTPRoute/shop/{name}#0@1").parse().unwrap();
        let matches =
            Match { path: PathMatch::Prefix(format!("/{name}").into()), method: None, headers: vec![], query: vec![] };
        let target = Target::Backend(backend_id(name));
        let forward = Forward {
            backends: vec![WeightedBackend { weight: 1, target, filters: vec![] }],
            timeouts: Timeouts::default(),
            retry: None,
            persistence: None,
        };
        let route = Route {
            id: rule.route.clone(),
            created: Some(1),
            attachments: [Attachment { listener: listener.clone(), hostnames: vec![HostPattern::Any] }].into(),
            rules: vec![Arc::new(Rule {
                id: rule,
                matches: vec![matches],
                filters: vec![],
                forward: Ok(Arc::new(forward)),
            })],
        };
        snapshot.routes.insert(route.id.clone(), Arc::new(route));
        let backend = Backend {
            id: backend_id(name),
            protocol: UpstreamProtocol::Auto,
            tls: BackendTls::Plain,
            resolution: Resolution::Endpoints,
            balance: Balance::default(),
            persistence: None,
            proxy_protocol: None,
        };
        snapshot.backends.insert(backend.id.clone(), Arc::new(backend));
    }
    let id: CertificateId = "Secret/shop/cert".parse().unwrap();
    let certificate =
        Certificate { id: id.clone(), chain_pem: "a chain".into(), key_pem: Redacted::new("a key".to_owned()) };
    snapshot.certificates.insert(id, Arc::new(certificate));
    Arc::new(snapshot)
}

pub(crate) fn endpoints(backends: &[(&str, u16)]) -> Endpoints {
    let set = |(name, port): &(&str, u16)| {
        let address = EndpointAddress::Ip(([10, 0, 0, 1], *port).into());
        let endpoints = vec![Endpoint { address, terminating: false }];
        (backend_id(name), Arc::new(EndpointSet { endpoints }))
    };
    backends.iter().map(set).collect()
}

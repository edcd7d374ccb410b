//! Replicas of a control plane with real feeds, a real data plane, and an API server that is a value.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::ca::Authority;
use crate::lease::Term;
use crate::store::take_in;
use crate::watch::{Change, Seen};
use async_trait::async_trait;
use lychgate_feed::client::{Client, Options as Following, Outcome, Pace};
use lychgate_feed::enroll::{EnrollError, Enrolled, Enroller};
use lychgate_feed::relay::{self, Leader, Step};
use lychgate_feed::server::{self, Identity};
use lychgate_ir::Redacted;
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const PATIENCE: Duration = Duration::from_secs(30);
const DOMAIN: &str = "cluster.local";

/// Signs for the data plane of the Gateway, whatever its token.
struct Signer(Arc<Authority>);

#[async_trait]
impl Enroller for Signer {
    async fn enroll(&self, _: &Redacted, csr: &[u8]) -> Result<Enrolled, EnrollError> {
        let group = GroupId::new("d", "lychgate-gw");
        let issued = self.0.data_plane(csr, &group, DOMAIN, SystemTime::now()).unwrap();
        Ok(Enrolled { chain_pem: issued.chain, roots_pem: self.0.bundle(), not_after: issued.not_after })
    }
}

/// What the API server has of the Gateway.
#[derive(Clone, Debug)]
struct Stored {
    generation: i64,
    version: u64,
    ports: Vec<u16>,
    status: Value,
}

impl Stored {
    fn new(ports: &[u16]) -> Self {
        Self { generation: 1, version: 1, ports: ports.into(), status: Value::Null }
    }

    /// Somebody wants these ports.
    fn wants(&mut self, ports: &[u16]) {
        (self.generation, self.version, self.ports) = (self.generation + 1, self.version + 1, ports.into());
    }

    /// The one that leads writes.
    fn written(&mut self, status: Value) {
        (self.version, self.status) = (self.version + 1, status);
    }

    fn seen(&self) -> Seen {
        let listeners: Vec<Value> = self
            .ports
            .iter()
            .map(|port| json!({"name": format!("p{port}"), "port": port, "protocol": "HTTP"}))
            .collect();
        let metadata = json!({
            "name": "gw", "namespace": "d", "uid": "1",
            "generation": self.generation, "resourceVersion": self.version.to_string(),
        });
        let spec = json!({"gatewayClassName": "lychgate", "listeners": listeners});
        let object = json!({"metadata": metadata, "spec": spec, "status": self.status});
        Seen::new(Kind::Gateway, object).unwrap()
    }
}

/// A replica.
struct Replica {
    feed: Feed,
    statuses: Arc<Shared>,
    changes: mpsc::Sender<Change>,
    term: watch::Sender<Option<Term>>,
    address: SocketAddr,
    running: JoinSet<()>,
}

impl Replica {
    async fn start(authority: &Arc<Authority>, stored: &Stored) -> Self {
        let (feed, statuses, store) = (Feed::new(), Arc::new(Shared::default()), Arc::new(Store::default()));
        let metrics = Metrics::new().unwrap();
        let (changes, changed) = mpsc::channel(100);
        let (term, terms) = watch::channel(None);
        let (_, addresses) = watch::channel(Some(Addresses::default()));
        let mut running = JoinSet::new();
        running.spawn(take_in(changed, store.clone(), statuses.clone(), metrics.clone()));
        let translator = Translator {
            store,
            feed: feed.clone(),
            statuses: statuses.clone(),
            revision: None,
            addresses,
            leadership: Leadership::from(terms),
            tell: watch::Sender::new(None),
            metrics,
        };
        running.spawn(translator.run());

        let issued = authority.server(&["127.0.0.1".to_owned()], SystemTime::now()).unwrap();
        let identity = Identity::new(&issued.chain, &issued.key.unwrap(), &authority.bundle()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (serving, signer) = (feed.clone(), Arc::new(Signer(authority.clone())));
        running.spawn(async move {
            let (_keep, identity) = watch::channel(identity);
            let stop = std::future::pending();
            server::serve(listener, serving, identity, signer, server::Options::default(), stop).await;
        });

        for kind in Kind::ALL.iter().filter(|kind| !matches!(kind, Kind::Gateway | Kind::GatewayClass)) {
            changes.send(Change::Absent(*kind)).await.unwrap();
        }
        let class = json!({
            "metadata": {"name": "lychgate", "uid": "2", "generation": 1, "resourceVersion": "1"},
            "spec": {"controllerName": "lychgate.dev/gateway-controller"},
        });
        let class = Seen::new(Kind::GatewayClass, class).unwrap();
        changes.send(Change::Listed(Kind::GatewayClass, vec![class])).await.unwrap();
        changes.send(Change::Listed(Kind::Gateway, vec![stored.seen()])).await.unwrap();
        Self { feed, statuses, changes, term, address, running }
    }

    /// It is shown what there is, and has seen it when this ends.
    async fn sees(&self, stored: &Stored) {
        self.changes.send(Change::Applied(Box::new(stored.seen()))).await.unwrap();
        let object = ObjectRef { kind: Kind::Gateway, key: ObjectKey::new("d", "gw") };
        let seen = tokio::time::timeout(PATIENCE, async {
            while self.statuses.observed(&object, |status| *status == stored.status) != Some(true) {
                self.statuses.changed().await;
            }
        });
        seen.await.unwrap();
    }

    fn leads(&self, number: u64) {
        self.term.send_replace(Some(Term { number, until: Instant::now() + 10 * PATIENCE }));
    }

    /// What it says of the Gateway, with the term in which that was judged.
    fn says(&self) -> (Option<u64>, Value) {
        let object = ObjectRef { kind: Kind::Gateway, key: ObjectKey::new("d", "gw") };
        let term = self.statuses.term();
        (term, self.statuses.wanted().remove(&object).unwrap_or_default())
    }

    /// What it says once it leads and that is so.
    async fn until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let reached = tokio::time::timeout(PATIENCE, async {
            loop {
                match self.says() {
                    (Some(_), status) if is_so(&status) => return status,
                    _ => self.statuses.changed().await,
                }
            }
        });
        reached.await.unwrap_or_else(|_| panic!("it says {:#?}", self.says()))
    }

    /// Reports to another one from now on. Returns when that one has all.
    async fn reports_to(&mut self, leader: &Self, authority: &Authority) {
        let credentials = authority.replica(DOMAIN, SystemTime::now()).unwrap();
        let to = Leader { address: leader.address, name: "127.0.0.1".to_owned() };
        let (feed, (tell, mut whole)) = (self.feed.clone(), watch::channel(false));
        self.running.spawn(async move {
            let step = |step| {
                tell.send_if_modified(|whole| matches!(step, Step::Whole(_)) && !std::mem::replace(whole, true));
            };
            let error = relay::report(&feed, "follower", &to, &credentials, step).await;
            tracing::debug!(%error, "the leader is gone");
        });
        tokio::time::timeout(PATIENCE, whole.wait_for(|whole| *whole)).await.unwrap().unwrap();
    }
}

/// The condition that a part of a status has.
fn programmed(part: &Value) -> Option<(&str, &str, i64)> {
    let conditions = part["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == "Programmed")?;
    Some((condition["status"].as_str()?, condition["reason"].as_str()?, condition["observedGeneration"].as_i64()?))
}

fn is_programmed(generation: i64) -> impl Fn(&Value) -> bool {
    move |status| {
        let is = |part: &Value| matches!(programmed(part), Some(("True", _, of)) if of == generation);
        is(status) && status["listeners"].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(is))
    }
}

/// A data plane that serves whatever it is given.
struct Plane {
    _home: TempDir,
    _running: JoinSet<()>,
}

impl Plane {
    async fn start(authority: &Authority, replica: &Replica) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "token").unwrap();
        std::fs::write(home.path().join("ca.crt"), authority.bundle()).unwrap();
        let client = Client::start(Following {
            control: format!("https://{}", replica.address).parse().unwrap(),
            token_file: home.path().join("token"),
            trust_bundle: home.path().join("ca.crt"),
            cache: None,
            instance: "pod".to_owned(),
            node: "node".to_owned(),
            pace: Pace::default(),
        })
        .await;
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut configs = client.configs();
            while configs.changed().await.is_ok() {
                let serial = configs.borrow_and_update().as_ref().map_or(0, |config| config.serial);
                client.tell(Outcome { serial, ..Outcome::default() });
            }
        });
        Self { _home: home, _running: running }
    }
}

#[tokio::test]
async fn programmed_stays_when_another_replica_leads() {
    let authority = Arc::new(Authority::generate(SystemTime::now()).unwrap());
    let mut stored = Stored::new(&[80]);
    let old = Replica::start(&authority, &stored).await;
    let mut new = Replica::start(&authority, &stored).await;
    old.leads(1);
    let first = old.until(|status| programmed(status).is_some()).await;
    assert_eq!(programmed(&first), Some(("False", "Pending", 1)), "nobody has acknowledged it");

    // A data plane acknowledges to the one that does not lead.
    new.reports_to(&old, &authority).await;
    let plane = Plane::start(&authority, &new).await;
    stored.written(old.until(is_programmed(1)).await);
    for replica in [&old, &new] {
        replica.sees(&stored).await;
    }

    // The leader goes, and with it all that it has heard; the data plane, too, is away at that moment.
    drop((plane, old));
    new.leads(1);
    let now = new.until(|status| programmed(status).is_some()).await;
    assert!(is_programmed(1)(&now), "{now:#}");

    // What changes from then on has to be acknowledged.
    stored.wants(&[80, 81]);
    new.sees(&stored).await;
    let is_told = |status: &Value| status["listeners"].as_array().is_some_and(|all| all.len() == 2);
    let now = new.until(is_told).await;
    let said: Vec<_> = now["listeners"].as_array().unwrap().iter().filter_map(programmed).collect();
    assert_eq!(said, [("True", "Programmed", 2), ("False", "Pending", 2)], "{now:#}");
    let _plane = Plane::start(&authority, &new).await;
    new.until(is_programmed(2)).await;
}

#[tokio::test]
async fn a_leader_that_sees_late_what_stood_says_it_all_the_same() {
    let authority = Arc::new(Authority::generate(SystemTime::now()).unwrap());
    let mut stored = Stored::new(&[80]);
    let old = Replica::start(&authority, &stored).await;
    let new = Replica::start(&authority, &stored).await;
    old.leads(1);
    let plane = Plane::start(&authority, &old).await;
    stored.written(old.until(is_programmed(1)).await);
    drop((plane, old));
    new.leads(1);
    let early = new.until(|status| programmed(status).is_some()).await;
    assert_eq!(programmed(&early), Some(("False", "Pending", 1)), "which is held: it may be wrong");
    new.sees(&stored).await;
    tokio::time::timeout(PATIENCE / 3, new.until(is_programmed(1))).await.unwrap();
}

#[tokio::test]
async fn a_replica_that_starts_takes_nothing_back() {
    let authority = Arc::new(Authority::generate(SystemTime::now()).unwrap());
    let mut stored = Stored::new(&[80]);
    let one = Replica::start(&authority, &stored).await;
    one.leads(1);
    let _plane = Plane::start(&authority, &one).await;
    stored.written(one.until(is_programmed(1)).await);

    // It leads before it knows anything.
    let two = Replica::start(&authority, &stored).await;
    two.leads(1);
    let said = two.until(|status| programmed(status).is_some()).await;
    assert!(is_programmed(1)(&said), "{said:#}");

    // Of a generation that nobody acknowledged, nobody has said anything that could stand.
    stored.wants(&[81]);
    let three = Replica::start(&authority, &stored).await;
    three.leads(1);
    let said = three.until(|status| programmed(status).is_some()).await;
    assert_eq!(programmed(&said["listeners"][0]), Some(("False", "Pending", 2)), "{said:#}");
}

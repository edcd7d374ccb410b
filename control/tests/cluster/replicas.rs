//! Replicas that serve data planes. The data plane is a client of the feed in this process, with a token of the
//! ServiceAccount that was made for the Gateway; its pods have an image that no node has.

use crate::bed::{Bed, fast, ours};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, PostParams};
use lychgate_control::ca::AUDIENCE;
use lychgate_control::fleet;
use lychgate_control::lease::Seat;
use lychgate_control::process::{Control, Options};
use lychgate_feed::client::{Client, Options as Following, Outcome, Pace};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A replica that serves the feed at this address.
async fn serving(bed: &Bed, identity: &str, listen: SocketAddr) -> Control {
    let (namespace, name) = (bed.name.clone(), "lychgate-control".to_owned());
    let seat = Seat { namespace, name: name.clone(), identity: identity.to_owned(), relay: Some(listen) };
    let fleet = fleet::Options {
        listen,
        namespace: bed.name.clone(),
        ca_secret: "lychgate-ca".to_owned(),
        service: name,
        port: listen.port(),
        names: vec![listen.ip().to_string()],
        trust_domain: "cluster.local".to_owned(),
        image: "lychgate-gateway:none".to_owned(),
        pull_policy: Some("Never".to_owned()),
        pull_secrets: Vec::new(),
        remote_clusters: None,
        revision: Some(bed.name.clone()),
    };
    let (admin, revision) = (([127, 0, 0, 1], 0).into(), Some(bed.name.clone()));
    let options = Options { admin, seat, terms: fast(), revision, experimental: true, fleet: Some(fleet) };
    Control::start(bed.client.clone(), options).await.unwrap()
}

/// A data plane that follows one replica and serves whatever it is given.
struct Plane {
    _home: TempDir,
    _running: JoinSet<()>,
}

impl Plane {
    async fn start(bed: &Bed, replica: SocketAddr) -> Self {
        let home = tempfile::tempdir().unwrap();
        let accounts: Api<ServiceAccount> = Api::namespaced(bed.client.clone(), &bed.name);
        let request: TokenRequest =
            serde_json::from_value(json!({"metadata": {}, "spec": {"audiences": [AUDIENCE]}})).unwrap();
        let made = accounts.create_token_request("lychgate-gw", &PostParams::default(), &request).await.unwrap();
        std::fs::write(home.path().join("token"), made.status.unwrap().token).unwrap();
        let secrets: Api<Secret> = Api::namespaced(bed.client.clone(), &bed.name);
        let authority = secrets.get("lychgate-ca").await.unwrap().data.unwrap().remove("tls.crt").unwrap();
        std::fs::write(home.path().join("ca.crt"), authority.0).unwrap();
        let client = Client::start(Following {
            control: format!("https://{replica}").parse().unwrap(),
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

fn programmed(status: &Value) -> Option<&Value> {
    let conditions = status["listeners"][0]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == "Programmed")
}

fn is_programmed(status: &Value) -> bool {
    programmed(status).is_some_and(|condition| condition["status"] == "True")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster: make test-cluster"]
async fn what_data_planes_say_to_any_replica_is_written_and_stays() {
    Bed::run(|bed| async move {
        let [first, second] = lychgate_testkit::free_addrs();
        let one = serving(&bed, "one", first).await;
        bed.gateway("gw", json!([{"name": "http", "protocol": "HTTP", "port": 80}])).await;
        bed.until("Gateway", "gw", |status| programmed(status).is_some()).await;
        let two = serving(&bed, "two", second).await;
        let mut fleet = two.feed().fleet();

        // It follows the one that does not lead, and the one that does says so.
        let plane = Plane::start(&bed, second).await;
        let gateway = bed.until("Gateway", "gw", is_programmed).await;
        assert_eq!(one.feed().clients().clients.len(), 0);
        assert_eq!(fleet.borrow_and_update().clients.len(), 1);

        // The leader goes without a word, and the data plane is away, too: the next one writes, and takes nothing back.
        drop((one, plane));
        bed.route("late", &["gw"]).await;
        bed.until("HTTPRoute", "late", |status| ours(status).len() == 1).await;
        let after = bed.until("Gateway", "gw", |status| status["listeners"][0]["attachedRoutes"] == 1).await;
        assert_eq!(programmed(&after["status"]), programmed(&gateway["status"]));
        two.stop().await;
    })
    .await;
}

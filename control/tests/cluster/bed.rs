//! A namespace of a cluster, for one test.

use futures::StreamExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use kube::{Client, Config};
use lychgate_control::lease::{Seat, Terms};
use lychgate_control::process::{Control, Options};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CONTROLLER: &str = "lychgate.dev/gateway-controller";
/// So long is waited for what has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A namespace, a class and a revision of the same name.
pub(crate) struct Bed {
    pub(crate) client: Client,
    pub(crate) name: String,
}

/// A lease that is short, for tests that wait for its end.
pub(crate) fn fast() -> Terms {
    Terms { lease: Duration::from_secs(3), renew: Duration::from_secs(2), retry: Duration::from_millis(200) }
}

/// A lease whose end no test lives to see.
pub(crate) fn slow() -> Terms {
    Terms { lease: 10 * PATIENCE, renew: 5 * PATIENCE, retry: Duration::from_millis(200) }
}

/// All entries of a route's status.
pub(crate) fn parents(status: &Value) -> Vec<&Value> {
    status["parents"].as_array().map(|all| all.iter().collect()).unwrap_or_default()
}

/// Those of ours.
pub(crate) fn ours(status: &Value) -> Vec<&Value> {
    parents(status).into_iter().filter(|entry| entry["controllerName"] == CONTROLLER).collect()
}

impl Bed {
    /// Runs a test, and leaves nothing behind whatever becomes of it.
    pub(crate) async fn run<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Arc<Self>) -> F) {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = Config::infer().await.expect("KUBECONFIG names a cluster");
        let client = Client::try_from(config).unwrap();
        let bed = Arc::new(Self { client, name: format!("lychgate-test-{:08x}", rand::random::<u32>()) });
        bed.apply("Namespace", &bed.name, json!({})).await;
        let class = json!({
            "metadata": {"labels": {"lychgate.dev/revision": bed.name}}, "spec": {"controllerName": CONTROLLER},
        });
        bed.apply("GatewayClass", &bed.name, class).await;
        let done = tokio::spawn(test(bed.clone())).await;
        for kind in ["GatewayClass", "Namespace"] {
            let _ = bed.api(kind).delete(&bed.name, &DeleteParams::background()).await;
        }
        if let Err(error) = done {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    /// A control plane for this bed alone.
    pub(crate) async fn control(&self, identity: &str, terms: Terms) -> Control {
        let (namespace, name) = (self.name.clone(), "lychgate-control".to_owned());
        let seat = Seat { namespace, name, identity: identity.to_owned(), relay: None };
        let admin = ([127, 0, 0, 1], 0).into();
        let revision = Some(self.name.clone());
        let options = Options { admin, seat, terms, revision, experimental: true, fleet: None };
        Control::start(self.client.clone(), options).await.unwrap()
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        let (group, version) = match kind {
            "Namespace" => ("", "v1"),
            _ => ("gateway.networking.k8s.io", "v1"),
        };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let resource = if kind == "GatewayClass" {
            ApiResource { plural: "gatewayclasses".to_owned(), ..resource }
        } else {
            resource
        };
        match kind {
            "Namespace" | "GatewayClass" => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), &self.name, &resource),
        }
    }

    async fn apply(&self, kind: &str, name: &str, mut body: Value) {
        let api = self.api(kind);
        body["apiVersion"] = if kind == "Namespace" { "v1".into() } else { "gateway.networking.k8s.io/v1".into() };
        body["kind"] = kind.into();
        body["metadata"]["name"] = name.into();
        api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(body)).await.unwrap();
    }

    pub(crate) async fn gateway(&self, name: &str, listeners: Value) {
        let labels = json!({"lychgate.dev/revision": self.name});
        let spec = json!({"gatewayClassName": self.name, "listeners": listeners});
        self.apply("Gateway", name, json!({"metadata": {"labels": labels}, "spec": spec})).await;
    }

    pub(crate) async fn route(&self, name: &str, gateways: &[&str]) {
        let parents: Vec<Value> = gateways.iter().map(|name| json!({ "name": name })).collect();
        let rules = json!([{"backendRefs": [{"name": "nobody", "port": 80}]}]);
        self.apply("HTTPRoute", name, json!({"spec": {"parentRefs": parents, "rules": rules}})).await;
    }

    /// Writes a status, as somebody else.
    pub(crate) async fn say(&self, kind: &str, name: &str, status: Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        self.api(kind).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    pub(crate) async fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::to_value(self.api(kind).get(name).await.unwrap()).unwrap()
    }

    pub(crate) async fn version(&self, kind: &str, name: &str) -> String {
        self.get(kind, name).await["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    }

    /// Waits until the status of an object is so.
    pub(crate) async fn until(&self, kind: &str, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut objects = pin!(watcher(self.api(kind), only).default_backoff().applied_objects());
        let mut last = Value::Null;
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(object) = objects.next().await {
                let Ok(object) = object else { continue };
                last = serde_json::to_value(object).unwrap();
                if is_so(&last["status"]) {
                    return;
                }
            }
        });
        assert!(found.await.is_ok(), "{kind} {name} did not come to say it: {}", last["status"]);
        last
    }

    /// How many statuses of a kind a control plane has written.
    pub(crate) async fn writes(&self, control: &Control, kind: &str) -> u64 {
        let mut tcp = tokio::net::TcpStream::connect(control.admin()).await.unwrap();
        tcp.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        tcp.read_to_string(&mut text).await.unwrap();
        let series = format!("lychgate_control_status_writes_total{{kind=\"{kind}\",result=\"written\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or_default()
    }
}

//! Provisioning against a real API server: the cluster of KUBECONFIG, in namespaces of its own. `make test-cluster` brings
//! one; without it these tests do not run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use lychgate_api::{Kind, Object, Objects};
use lychgate_control::ca::{Elsewhere, Keeper, TokenEnroller};
use lychgate_control::provision::{Context, Provisioner, View};
use lychgate_feed::enroll::{EnrollError, Enroller};
use lychgate_ir::{GatewayId, Redacted};
use lychgate_translate::{Assigned, MissingAddress, Options, translate};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long anything may take; nothing is waited for that has not been asked for.
const PATIENCE: Duration = Duration::from_secs(30);
const OURS: &str = "lychgate.dev/gateway-controller";

async fn client() -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    lychgate_control::cluster::connect(None).await.expect("KUBECONFIG names a cluster")
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

fn object(json: Value) -> DynamicObject {
    serde_json::from_value(json).unwrap()
}

/// A namespace that goes with the test.
struct Place {
    client: Client,
    name: String,
}

impl Place {
    async fn new(client: &Client, what: &str) -> Self {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource("", "v1", "Namespace"));
        let metadata = json!({"generateName": format!("lychgate-test-{what}-")});
        let namespace = object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
        let made = api.create(&PostParams::default(), &namespace).await.unwrap();
        Self { client: client.clone(), name: made.metadata.name.unwrap() }
    }

    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.name, &resource(group, version, kind))
    }

    fn deployments(&self) -> Api<DynamicObject> {
        self.api("apps", "v1", "Deployment")
    }

    fn services(&self) -> Api<DynamicObject> {
        self.api("", "v1", "Service")
    }

    fn gateways(&self) -> Api<DynamicObject> {
        self.api("gateway.networking.k8s.io", "v1", "Gateway")
    }

    /// A Gateway of a class that the cluster does not know, so that no other control plane takes it for its own.
    async fn gateway(&self, name: &str) -> Object {
        let listeners = json!([{"name": "http", "port": 80, "protocol": "HTTP"}]);
        let gateway = object(json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": name},
            "spec": {"gatewayClassName": "lychgate-test", "listeners": listeners},
        }));
        let made = self.gateways().create(&PostParams::default(), &gateway).await.unwrap();
        Object::decode(Kind::Gateway, serde_json::to_value(made).unwrap()).unwrap()
    }

    async fn end(self) {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource("", "v1", "Namespace"));
        api.delete(&self.name, &DeleteParams::background()).await.unwrap();
    }
}

fn class(controller: &str) -> Object {
    let json = json!({"metadata": {"name": "lychgate-test"}, "spec": {"controllerName": controller}});
    Object::decode(Kind::GatewayClass, json).unwrap()
}

fn view(objects: &[Object]) -> Option<Arc<View>> {
    let objects: Objects = objects.iter().cloned().collect();
    let translation = translate(&objects, &Options::default(), None);
    Some(Arc::new(View { objects, snapshot: translation.snapshot, statuses: translation.statuses }))
}

/// A provisioner that is running, and all that it is told.
struct Running {
    views: watch::Sender<Option<Arc<View>>>,
    leading: watch::Sender<bool>,
    addresses: watch::Receiver<Arc<BTreeMap<GatewayId, Assigned>>>,
    _context: watch::Sender<Arc<Context>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    fn start(client: &Client) -> Self {
        let (keep, context) = watch::channel(Arc::new(Context {
            image: "lychgate-gateway:none".to_owned(),
            pull_policy: Some("Never".to_owned()),
            pull_secrets: Vec::new(),
            control: "https://lychgate-control.nowhere.svc:9910".to_owned(),
            trust_bundle: "none".to_owned(),
            // What is there already is another's.
            revision: Some("test".to_owned()),
        }));
        let (views, viewed) = watch::channel(None);
        let (leading, leads) = watch::channel(false);
        let (provisioner, addresses) = Provisioner::new(client.clone(), context, viewed, leads);
        Self { views, leading, addresses, _context: keep, task: tokio::spawn(provisioner.run()) }
    }

    /// Waits until it says so of addresses.
    async fn told(&mut self, says: impl Fn(&BTreeMap<GatewayId, Assigned>) -> bool) {
        let told = timeout(PATIENCE, self.addresses.wait_for(|all| says(all))).await.map(|told| told.is_ok());
        assert_eq!(told, Ok(true), "{:?}", self.addresses.borrow());
    }
}

async fn until(api: &Api<DynamicObject>, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let value = |object: &DynamicObject| serde_json::to_value(object).unwrap_or_default();
    let condition = |object: Option<&DynamicObject>| object.is_some_and(|object| holds(&value(object)));
    let found = timeout(PATIENCE, await_condition(api.clone(), name, condition)).await;
    value(&found.unwrap_or_else(|_| panic!("{name} is not as it should be")).unwrap().unwrap())
}

async fn until_gone(api: &Api<DynamicObject>, name: &str) {
    let gone = timeout(PATIENCE, await_condition(api.clone(), name, |object: Option<&DynamicObject>| object.is_none()));
    gone.await.unwrap_or_else(|_| panic!("{name} is still there")).unwrap();
}

/// When we wrote an object last.
fn written(object: DynamicObject) -> Vec<String> {
    let managers = object.metadata.managed_fields.unwrap_or_default().into_iter();
    let ours = managers.filter(|entry| entry.manager.as_deref() == Some("lychgate-control"));
    ours.map(|entry| format!("{:?}", entry.time)).collect()
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_data_plane_is_made_kept_and_given_up() {
    let client = client().await;
    let place = Place::new(&client, "life").await;
    let gateway = place.gateway("edge").await;
    let mut running = Running::start(&client);

    // Who does not lead makes nothing, and knows that there is no address.
    running.views.send_replace(view(&[class(OURS), gateway.clone()]));
    running.told(|all| all.values().any(|it| it.missing.is_some())).await;
    assert!(place.deployments().list(&ListParams::default()).await.unwrap().items.is_empty());

    // Who leads does.
    running.leading.send_replace(true);
    until(&place.deployments(), "lychgate-edge", |_| true).await;
    let has_address = |service: &Value| service.pointer("/status/loadBalancer/ingress/0/ip").is_some();
    let service = until(&place.services(), "lychgate-edge", has_address).await;
    let ip = service["status"]["loadBalancer"]["ingress"][0]["ip"].as_str().unwrap();
    running
        .told(|all| all.values().any(|it| it.missing.is_none() && it.addresses.iter().any(|it| it.value == ip)))
        .await;

    // What somebody breaks is mended.
    let broken = Patch::Merge(json!({"spec": {"replicas": 7}}));
    let broken = place.deployments().patch("lychgate-edge", &PatchParams::default(), &broken).await.unwrap();
    assert_eq!(broken.data["spec"]["replicas"], 7);
    until(&place.deployments(), "lychgate-edge", |deployment| deployment["spec"]["replicas"] == 1).await;

    // The next one that leads finds all as it should be, and writes nothing.
    let before = written(place.services().get("lychgate-edge").await.unwrap());
    drop(running);
    let mut running = Running::start(&client);
    running.leading.send_replace(true);
    running.views.send_replace(view(&[class(OURS), gateway.clone()]));
    running.told(|all| all.values().any(|it| it.missing.is_none())).await;
    assert_eq!(written(place.services().get("lychgate-edge").await.unwrap()), before);

    // A view without anything deletes nothing; the Gateway goes to another controller, and all goes with it.
    running.views.send_replace(view(&[]));
    running.told(BTreeMap::is_empty).await;
    assert!(place.deployments().get_opt("lychgate-edge").await.unwrap().is_some());
    running.views.send_replace(view(&[class("example.com/other"), gateway]));
    until_gone(&place.deployments(), "lychgate-edge").await;
    until_gone(&place.services(), "lychgate-edge").await;
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn a_deleted_gateway_takes_its_data_plane_along() {
    let client = client().await;
    let place = Place::new(&client, "gone").await;
    let gateway = place.gateway("edge").await;
    let running = Running::start(&client);
    running.leading.send_replace(true);
    running.views.send_replace(view(&[class(OURS), gateway]));
    until(&place.deployments(), "lychgate-edge", |_| true).await;
    until(&place.services(), "lychgate-edge", |_| true).await;
    place.gateways().delete("edge", &DeleteParams::default()).await.unwrap();
    running.views.send_replace(view(&[class(OURS)]));
    until_gone(&place.deployments(), "lychgate-edge").await;
    until_gone(&place.services(), "lychgate-edge").await;
    until_gone(&place.api("", "v1", "ServiceAccount"), "lychgate-edge").await;
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn what_others_made_is_left_alone_and_told() {
    let client = client().await;
    let place = Place::new(&client, "foreign").await;
    let service = object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "lychgate-edge"},
        "spec": {"ports": [{"port": 1234}], "selector": {"app": "other"}},
    }));
    place.services().create(&PostParams::default(), &service).await.unwrap();
    let gateway = place.gateway("edge").await;
    let mut running = Running::start(&client);
    running.leading.send_replace(true);
    running.views.send_replace(view(&[class(OURS), gateway]));
    let is_told = |it: &Assigned| matches!(&it.missing, Some(MissingAddress::NotAssigned(why)) if why.contains("not made by Lychgate"));
    running.told(|all| all.values().any(is_told)).await;
    let there = place.services().get("lychgate-edge").await.unwrap();
    assert_eq!(there.data["spec"]["ports"][0]["port"], 1234);
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn replicas_agree_on_one_authority_and_tokens_prove_who_one_is() {
    let client = client().await;
    let place = Place::new(&client, "ca").await;
    let start = || Keeper::start(client.clone(), &place.name, "lychgate-ca", vec!["localhost".to_owned()]);
    // All at once, from nothing.
    let (one, two, three) = tokio::join!(start(), start(), start());
    let mut bundles: Vec<String> =
        [one, two, three].into_iter().map(|kept| kept.unwrap().1.authority.borrow().bundle()).collect();
    bundles.dedup();
    assert_eq!(bundles.len(), 1);

    let (_keeper, kept) = start().await.unwrap();
    let account = object(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "lychgate-edge"}}));
    place.api("", "v1", "ServiceAccount").create(&PostParams::default(), &account).await.unwrap();
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(client.clone(), &place.name);
    let token = async |audience: &str| {
        let request = serde_json::from_value(json!({"metadata": {}, "spec": {"audiences": [audience]}})).unwrap();
        let made = accounts.create_token_request("lychgate-edge", &PostParams::default(), &request).await.unwrap();
        Redacted::new(made.status.unwrap().token)
    };
    let csr = rcgen::CertificateParams::default().serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let enroller =
        TokenEnroller::new(client.clone(), kept.authority.clone(), "cluster.local".to_owned(), Elsewhere::default());

    let enrolled = enroller.enroll(&token("lychgate").await, csr.der()).await.unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(enrolled.chain_pem.as_bytes()).unwrap();
    let names =
        format!("{:?}", pem.parse_x509().unwrap().subject_alternative_name().unwrap().unwrap().value.general_names);
    assert!(names.contains(&format!("spiffe://cluster.local/ns/{}/sa/lychgate-edge", place.name)), "{names}");
    assert_eq!(enrolled.roots_pem, bundles[0]);

    for wrong in [token("https://kubernetes.default.svc").await, Redacted::new("garbage".to_owned())] {
        let refused = enroller.enroll(&wrong, csr.der()).await;
        assert!(matches!(refused, Err(EnrollError::Refused(_))), "{refused:?}");
    }
    place.end().await;
}

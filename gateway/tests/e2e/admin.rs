//! The admin port: health, the running config without its secrets, statuses.

use crate::support::{Site, echo, gateway, http_gateway, http_route, service};
use crate::tls::{ca, https, secret, tls_policy, trusting};
use lychgate_gateway::admin::{Admin, Source};
use lychgate_testkit::{Authority, Dial, Leaf, Reply, free_addr, free_addrs};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn get(admin: SocketAddr, path: &str) -> Reply {
    Dial::http1(admin).get(&format!("http://admin{path}")).await.unwrap()
}

struct Pretended(AtomicBool);

impl Source for Pretended {
    fn metrics(&self) -> String {
        String::new()
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn config(&self) -> Value {
        json!({ "config": 1 })
    }

    fn status(&self) -> Value {
        json!({ "status": 1 })
    }
}

#[tokio::test]
async fn readiness_follows_its_source_and_liveness_does_not() {
    let source = Arc::new(Pretended(false.into()));
    let mut admin = Admin::bind(([127, 0, 0, 1], 0).into(), source.clone()).await.unwrap();
    let address = admin.address();
    admin.go_on();
    for is_ready in [false, true, false] {
        source.0.store(is_ready, Ordering::Relaxed);
        assert_eq!(get(address, "/readyz").await.status, if is_ready { 200 } else { 503 });
        assert_eq!(get(address, "/livez").await.status, 200);
    }
    assert_eq!(get(address, "/config").await.json::<Value>(), json!({ "config": 1 }));
    assert_eq!(get(address, "/status").await.json::<Value>(), json!({ "status": 1 }));
    assert_eq!(get(address, "/nothing").await.status, 404);
    let post = http::Request::post("http://admin/readyz").body(()).unwrap();
    assert_eq!(Dial::http1(address).send(post).await.unwrap().status, 405);
}

#[tokio::test]
async fn a_gateway_that_starts_is_alive_and_not_ready() {
    let [admin, address] = free_addrs();
    // Enough to take a while.
    let routes: String = (0..300)
        .map(|index| http_route(&format!("r{index}"), "[]", "    - backendRefs: [{name: blue, port: 80}]\n"))
        .collect();
    let files = http_gateway(address.port()) + &routes;
    let files = [("all.yaml", files.as_str())];
    let start = Site::try_serve_with(&files, |options| options.admin = Some(admin));
    let watch = async {
        let mut refused = 0;
        loop {
            match Dial::http1(admin).get("http://admin/readyz").await {
                Ok(reply) if reply.status == 503 => {
                    assert_eq!(get(admin, "/livez").await.status, 200);
                    refused += 1;
                }
                Ok(reply) => return (reply.status.as_u16(), refused),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    let (site, (status, refused)) = tokio::join!(start, watch);
    assert!(status == 200 && refused > 0, "{status} after {refused} times 503");
    assert_eq!(site.unwrap().stop().await, 0);
}

#[tokio::test]
async fn a_gateway_that_drains_is_alive_and_not_ready() {
    let (blue, backend) = echo("blue").await;
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service("blue", &[backend])
        + &http_route("all", "[]", "    - backendRefs: [{name: blue, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let admin = site.admin();
    assert_eq!((get(admin, "/readyz").await.status.as_u16(), get(admin, "/livez").await.status.as_u16()), (200, 200));
    let dial = Dial::http1(address);
    let (reply, cut, ()) = tokio::join!(
        dial.get("http://a.example/?hold=gate"),
        async {
            blue.wait_held("gate", 1).await;
            site.stop().await
        },
        async {
            blue.wait_held("gate", 1).await;
            while get(admin, "/readyz").await.status != 503 {
                tokio::task::yield_now().await;
            }
            assert_eq!(get(admin, "/livez").await.status, 200);
            blue.release("gate");
        }
    );
    assert_eq!((reply.unwrap().status.as_u16(), cut), (200, 0));
}

/// What must not be found: the key's bytes as PEM has them, line by line, and as a Secret has that.
fn traces(leaf: &Leaf, file: &str) -> Vec<String> {
    let pem = leaf.key_pem();
    let lines = pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned);
    let encoded = file.lines().find_map(|line| line.trim().strip_prefix("tls.key: ")).unwrap().to_owned();
    lines.chain([encoded]).collect()
}

#[tokio::test]
async fn config_and_status_tell_everything_but_secrets() {
    let (authority, clients) = (Authority::new("ca"), Authority::new("clients"));
    let (_blue, backend) = echo("blue").await;
    let (shown, own) = (authority.server(&["a.example"]), clients.client("gateway"));
    let [plain, tls] = free_addrs();
    let listeners = format!("    - {{name: http, protocol: HTTP, port: {}}}\n", plain.port())
        + &https("https", tls.port(), "", &["shown"])
        + "  tls: {backend: {clientCertificateRef: {name: own}}}\n";
    let secrets = secret("shown", &shown) + &secret("own", &own);
    let files = gateway(&listeners)
        + &secrets
        + &service("blue", &[backend])
        + &service("sealed", &[backend])
        + &tls_policy("sealed", &trusting("ca", "b.example"))
        + &ca("ca", &authority)
        + &http_route("all", "[]", "    - backendRefs: [{name: blue, port: 80}, {name: sealed, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let admin = site.admin();
    let config = get(admin, "/config").await;
    let status = get(admin, "/status").await;
    assert_eq!(config.header("content-type"), Some("application/json"));
    let (config, status) = (config.text(), status.text());
    for leaf in [&shown, &own] {
        for trace in traces(leaf, &leaf.secret("default", "any")) {
            assert!(!config.contains(&trace) && !status.contains(&trace), "{trace}");
        }
    }
    for text in [&config, &status] {
        assert!(!text.contains("PRIVATE KEY"));
    }
    let config: Value = serde_json::from_str(&config).unwrap();
    let certificates = config["snapshot"]["certificates"].as_object().unwrap();
    assert_eq!(certificates.keys().collect::<Vec<_>>(), ["Secret/default/own", "Secret/default/shown"]);
    assert!(certificates.values().all(|certificate| certificate["key_pem"] == "[redacted]"));
    assert_eq!(config["endpoints"]["Service/default/blue:80"], json!([backend.to_string()]));
    assert!(config["snapshot"]["routes"]["HTTPRoute/default/all"].is_object());

    let status: Value = serde_json::from_str(&status).unwrap();
    let listening: Vec<&str> = status["listening"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let mut expected = [plain.to_string(), tls.to_string()];
    expected.sort_by_key(|address| address.parse::<SocketAddr>().unwrap());
    assert_eq!(listening, expected);
    let objects = status["objects"].as_array().unwrap();
    let kinds: Vec<&str> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
    for kind in ["Gateway", "HTTPRoute", "BackendTLSPolicy"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn status_says_what_went_wrong() {
    let address = free_addr();
    let files =
        http_gateway(address.port()) + &http_route("all", "[]", "    - backendRefs: [{name: nowhere, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let status = get(site.admin(), "/status").await.text();
    assert!(status.contains("BackendNotFound") && status.contains("default/nowhere"), "{status}");
    assert_eq!(get(site.admin(), "/readyz").await.status, 200, "one bad route is no reason to take the gate away");
    assert_eq!(site.stop().await, 0);
}

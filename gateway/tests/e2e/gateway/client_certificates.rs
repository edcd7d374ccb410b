//! Client certificates (GEP-91): who is let in, by port and mode, and what backends are told.

use super::blue;
use crate::support::{Site, gateway};
use crate::tls::{ca, https, secret};
use lychgate_echo::EchoReport;
use lychgate_testkit::{Authority, ClientError, ClientTls, Dial, Leaf, Reply, free_addr, free_addrs};

pub(super) const XFCC: &str = "x-forwarded-client-cert";

/// `spec.tls.frontend`, as the end of what [`gateway`] takes.
pub(super) fn frontend(default: &str, per_port: &[(u16, &str)]) -> String {
    let mut yaml = format!("  tls:\n    frontend:\n      default: {default}\n");
    if !per_port.is_empty() {
        yaml += "      perPort:\n";
    }
    for (port, tls) in per_port {
        yaml += &format!("        - {{port: {port}, tls: {tls}}}\n");
    }
    yaml
}

/// Validation by a ConfigMap.
pub(super) fn validation(ca: &str, mode: &str) -> String {
    format!("{{validation: {{mode: {mode}, caCertificateRefs: [{{group: \"\", kind: ConfigMap, name: {ca}}}]}}}}")
}

/// A client that shows a certificate, or none, with a session store of its own.
pub(super) fn client(servers: &Authority, leaf: Option<&Leaf>) -> ClientTls {
    match leaf {
        Some(leaf) => ClientTls::with_identity(servers, leaf),
        None => ClientTls::trusting(servers),
    }
}

pub(super) fn told(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json::<EchoReport>().header(XFCC).into_iter().map(str::to_owned).collect()
}

struct Clients {
    servers: Authority,
    trusted: Authority,
    good: Leaf,
    strange: Leaf,
    expired: Leaf,
    server_only: Leaf,
}

impl Clients {
    fn new() -> Self {
        let (servers, trusted) = (Authority::new("servers"), Authority::new("clients"));
        Self {
            good: trusted.leaf().common_name("alice").dns("alice.example").uri("spiffe://example/alice").issue(),
            // The same name, from somebody else.
            strange: Authority::new("clients").client("alice"),
            expired: trusted.leaf().common_name("alice").expired().issue(),
            server_only: trusted.leaf().common_name("alice").server_only().issue(),
            servers,
            trusted,
        }
    }

    fn files(&self) -> String {
        secret("cert", &self.servers.server(&["a.example"])) + &ca("clients", &self.trusted)
    }
}

#[tokio::test]
async fn without_a_valid_certificate_nobody_is_let_in() {
    let (blue, files) = blue().await;
    let (clients, address) = (Clients::new(), free_addr());
    let listeners =
        https("https", address.port(), "", &["cert"]) + &frontend(&validation("clients", "AllowValidOnly"), &[]);
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &clients.files() + &files))]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let get =
        async |leaf: Option<&Leaf>| Dial::tls(address, &client(&clients.servers, leaf)).get("https://a.example/").await;
    let told_of_good = told(&get(Some(&clients.good)).await.unwrap());
    assert_eq!(told_of_good, [r#"Subject="CN=alice";URI="spiffe://example/alice";DNS="alice.example""#]);
    for leaf in [None, Some(&clients.strange), Some(&clients.expired), Some(&clients.server_only)] {
        let refused: Result<Reply, ClientError> = get(leaf).await;
        assert!(refused.is_err(), "{:?}", refused.map(|reply| reply.status));
    }
    assert_eq!(blue.counts().requests, 1);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_resumed_session_keeps_its_client() {
    let (_blue, files) = blue().await;
    let (clients, address) = (Clients::new(), free_addr());
    let listeners =
        https("https", address.port(), "", &["cert"]) + &frontend(&validation("clients", "AllowValidOnly"), &[]);
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &clients.files() + &files))]).await;
    let dial = Dial::tls(address, &client(&clients.servers, Some(&clients.good)));
    let (first, second) =
        (dial.get("https://a.example/").await.unwrap(), dial.get("https://a.example/").await.unwrap());
    assert_eq!(told(&first), told(&second));
    assert!(second.tls.unwrap().resumed);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn an_insecure_fallback_lets_all_in_and_vouches_for_the_verified_alone() {
    let (_blue, files) = blue().await;
    let (clients, address) = (Clients::new(), free_addr());
    let listeners =
        https("https", address.port(), "", &["cert"]) + &frontend(&validation("clients", "AllowInsecureFallback"), &[]);
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &clients.files() + &files))]).await;
    for (leaf, vouched) in [
        (Some(&clients.good), 1),
        (None, 0),
        (Some(&clients.strange), 0),
        (Some(&clients.expired), 0),
        (Some(&clients.server_only), 0),
    ] {
        let dial = Dial::tls(address, &client(&clients.servers, leaf));
        for _ in 0..2 {
            let request =
                http::Request::get("https://a.example/").header(XFCC, "Subject=\"CN=root\"").body(()).unwrap();
            let told = told(&dial.send(request).await.unwrap());
            assert_eq!(told.len(), vouched, "{told:?}");
            assert!(!told.concat().contains("root"), "what a client claims is not passed on");
        }
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_port_can_have_settings_of_its_own() {
    let (_blue, files) = blue().await;
    let clients = Clients::new();
    let others = Authority::new("others");
    let [default, open, other, plain] = free_addrs();
    let per_port = [(open.port(), "{}".to_owned()), (other.port(), validation("others", "AllowValidOnly"))];
    let per_port: Vec<(u16, &str)> = per_port.iter().map(|(port, tls)| (*port, tls.as_str())).collect();
    let listeners = https("default", default.port(), "", &["cert"])
        + &https("open", open.port(), "", &["cert"])
        + &https("other", other.port(), "", &["cert"])
        + &format!("    - {{name: plain, protocol: HTTP, port: {}}}\n", plain.port())
        + &frontend(&validation("clients", "AllowValidOnly"), &per_port);
    let files = gateway(&listeners) + &clients.files() + &ca("others", &others) + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let bob = others.client("bob");
    for (address, leaf, is_let_in) in [
        (default, Some(&clients.good), true),
        (default, Some(&bob), false),
        (default, None, false),
        (open, None, true),
        (open, Some(&bob), true),
        (other, Some(&bob), true),
        (other, Some(&clients.good), false),
        (other, None, false),
    ] {
        let reply = Dial::tls(address, &client(&clients.servers, leaf)).get("https://a.example/").await;
        assert_eq!(reply.is_ok(), is_let_in, "{address}: {reply:?}");
    }
    // What is claimed in clear text is not passed on either.
    let request = http::Request::get("http://a.example/").header(XFCC, "Subject=\"CN=root\"").body(()).unwrap();
    assert_eq!(told(&Dial::http1(plain).send(request).await.unwrap()), Vec::<String>::new());
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn without_trust_anchors_nobody_is_let_in() {
    let (blue, files) = blue().await;
    let (clients, address) = (Clients::new(), free_addr());
    for mode in ["AllowValidOnly", "AllowInsecureFallback"] {
        let listeners = https("https", address.port(), "", &["cert"]) + &frontend(&validation("nowhere", mode), &[]);
        let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &clients.files() + &files))]).await;
        for leaf in [None, Some(&clients.good)] {
            let refused = Dial::tls(address, &client(&clients.servers, leaf)).get("https://a.example/").await;
            assert!(refused.unwrap_err().is_tls());
        }
        assert!(!site.report().is_clean());
        assert_eq!(site.stop().await, 0);
    }
    assert_eq!(blue.counts().requests, 0);
}

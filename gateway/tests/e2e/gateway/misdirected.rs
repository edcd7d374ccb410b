//! Requests on a TLS connection that was made for another listener (GEP-3567): 421 if the host belongs to another one,
//! 404 if to none. One certificate for all names, as it is when clients reuse connections across hosts.

use crate::support::{Site, echo, gateway, service};
use crate::tls::{https, secret};
use lychgate_testkit::{Authority, ClientTls, Dial, free_addr};

const LISTENERS: [(&str, &str, &str); 4] = [
    ("https", "", "example.org"),
    ("https-with-hostname", "second-example.org", ""),
    ("https-with-wildcard-hostname", "*.wildcard.org", ""),
    ("https-with-hostname-matching-wildcard", "fourth-example.wildcard.org", ""),
];

fn route(name: &str, section: &str, hostname: &str) -> String {
    let hostnames = if hostname.is_empty() { "[]".to_owned() } else { format!("[{hostname}]") };
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  parentRefs: [{{name: gw, sectionName: {section}}}]\n  hostnames: {hostnames}\n  rules:\n    - \
         matches: [{{path: {{value: /detect-misdirected-requests}}}}]\n      backendRefs: [{{name: {name}, port: \
         80}}]\n---\n"
    )
}

/// The requests of the conformance suite's `HTTPRouteHTTPSListenerDetectMisdirectedRequests`.
#[tokio::test]
async fn misdirected_requests_are_told_from_unknown_ones() {
    let (authority, address) = (Authority::new("ca"), free_addr());
    let leaf = authority.server(&["example.org", "second-example.org", "unknown-example.org", "*.wildcard.org"]);
    let mut listeners = String::new();
    let mut files = secret("cert", &leaf);
    let mut backends = Vec::new();
    for (index, (section, hostname, route_hostname)) in LISTENERS.into_iter().enumerate() {
        let name = format!("v{}", index + 1);
        let (server, backend) = echo(&name).await;
        backends.push(server);
        listeners += &https(section, address.port(), hostname, &["cert"]);
        files += &service(&name, &[backend]);
        files += &route(&name, section, route_hostname);
    }
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &files))]).await;
    for (server_name, requests) in [
        ("example.org", &[("example.org", "v1"), ("second-example.org", "421"), ("unknown-example.org", "404")][..]),
        ("second-example.org", &[("second-example.org", "v2"), ("example.org", "421"), ("unknown-example.org", "421")]),
        (
            "third-example.wildcard.org",
            &[
                ("third-example.wildcard.org", "v3"),
                ("fith-example.wildcard.org", "v3"),
                ("fourth-example.wildcard.org", "421"),
                ("second-example.org", "421"),
                ("unknown-example.org", "421"),
            ],
        ),
        ("fourth-example.wildcard.org", &[("fourth-example.wildcard.org", "v4"), ("fith-example.wildcard.org", "421")]),
        ("unknown-example.org", &[("example.org", "v1"), ("unknown-example.org", "404")]),
    ] {
        for alpn in ["h2", "http/1.1"] {
            let tls = ClientTls::trusting(&authority).alpn(&[alpn]);
            // One connection for all of them.
            let mut connection = Dial::tls(address, &tls).connect(server_name).await.unwrap();
            for (host, expected) in requests {
                let reply = connection.get(&format!("https://{host}/detect-misdirected-requests")).await.unwrap();
                let answer = match reply.status.as_u16() {
                    200 => reply.json::<lychgate_echo::EchoReport>().identity.pod,
                    other => other.to_string(),
                };
                assert_eq!(answer, *expected, "{alpn}, SNI {server_name}, host {host}");
            }
        }
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_listener_that_went_serves_nothing_and_its_neighbours_keep_their_connections() {
    let (authority, address) = (Authority::new("ca"), free_addr());
    let (_blue, backend) = echo("blue").await;
    let [a, b] = ["a.example", "b.example"].map(|host| https(&host[..1], address.port(), host, &["cert"]));
    let rest = secret("cert", &authority.server(&["a.example", "b.example"]))
        + &service("blue", &[backend])
        + &crate::support::http_route("all", "[]", "    - backendRefs: [{name: blue, port: 80}]\n");
    let site = Site::serve(&[("gateway.yaml", &gateway(&(a + &b))), ("rest.yaml", &rest)]).await;
    let dial = Dial::tls(address, &ClientTls::trusting(&authority));
    let mut to_a = dial.connect("a.example").await.unwrap();
    let mut to_b = dial.connect("b.example").await.unwrap();
    assert_eq!(to_a.get("https://a.example/").await.unwrap().status, 200);
    assert_eq!(to_b.get("https://b.example/").await.unwrap().status, 200);
    site.write_until("gateway.yaml", &gateway(&b), |report| report.snapshot.listeners.len() == 1).await;
    assert_eq!(to_b.get("https://b.example/").await.unwrap().status, 200);
    assert_eq!(to_a.get("https://a.example/").await.unwrap().status, 404);
    assert_eq!(to_a.get("https://b.example/").await.unwrap().status, 421);
    assert!(dial.connect("a.example").await.unwrap_err().is_tls());
    assert_eq!(site.stop().await, 0);
}

//! What is spoken: h1, h2c and h2 to clients, h1 and h2c to backends.

use super::bed::{pod, serve, serve_alone};
use crate::support::{Site, echo, gateway, http_route, service, service_speaking};
use http::Version;
use lychgate_echo::EchoReport;
use lychgate_testkit::{Authority, ClientTls, Dial, free_addr};

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";

#[tokio::test]
async fn an_app_protocol_of_h2c_is_spoken_to_the_backend_on_one_connection() {
    let (it, address) = echo("it").await;
    let services = service_speaking("it", Some("kubernetes.io/h2c"), &[address]);
    let (site, at) = serve_alone(&(services + &http_route("it", "[]", RULE))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let report: EchoReport = Dial::http1(at).get("http://a.example/").await.unwrap().json();
    assert_eq!(report.proto, "HTTP/2.0");
    // Requests at the same time share the connection.
    let requests = (0..20).map(|_| {
        let dial = Dial::http1(at);
        tokio::spawn(async move { dial.get("http://a.example/?hold=gate").await })
    });
    let requests: Vec<_> = requests.collect();
    it.wait_held("gate", 20).await;
    it.release("gate");
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status, 200);
    }
    assert_eq!(it.counts().connections, 1);
}

#[tokio::test]
async fn an_unknown_app_protocol_of_kubernetes_is_500_and_others_are_http1() {
    let (_it, address) = echo("it").await;
    for (protocol, status) in [("kubernetes.io/new", 500), ("http", 200), ("example.com/own", 200)] {
        let services = service_speaking("it", Some(protocol), &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        assert_eq!(Dial::http1(at).get("http://a.example/").await.unwrap().status, status, "{protocol}");
    }
}

#[tokio::test]
async fn clients_speak_http1_and_http2_on_one_port_in_the_clear() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    for (dial, version) in [(Dial::http1(at), Version::HTTP_11), (Dial::h2c(at), Version::HTTP_2)] {
        let reply = dial.get("http://a.example/").await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.version), (200, version));
    }
}

#[tokio::test]
async fn clients_speak_http2_over_tls_if_they_like() {
    let (it, address) = echo("it").await;
    let authority = Authority::new("test");
    let at = free_addr();
    let listener = format!(
        "    - {{name: https, protocol: HTTPS, port: {}, tls: {{certificateRefs: [{{name: cert}}]}}}}\n",
        at.port()
    );
    let secret = authority.server(&["a.example"]).secret("default", "cert");
    let files = gateway(&listener) + &secret + "---\n" + &service("it", &[address]) + &http_route("it", "[]", RULE);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let mut connection = Dial::tls(at, &ClientTls::trusting(&authority)).connect("a.example").await.unwrap();
    assert!(connection.is_http2());
    let mut others: Vec<_> = (0..20).map(|_| connection.multiplexed().unwrap()).collect();
    let held: Vec<_> = others
        .drain(..)
        .map(|mut stream| tokio::spawn(async move { stream.get("https://a.example/?hold=gate").await }))
        .collect();
    it.wait_held("gate", 20).await;
    // One that waits does not hold up the others.
    let reply = connection.get("https://a.example/").await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.version), (200, Version::HTTP_2));
    let report: EchoReport = reply.json();
    assert_eq!((report.host.as_str(), report.proto.as_str()), ("a.example", "HTTP/1.1"));
    assert_eq!(report.header("x-forwarded-proto"), ["https"]);
    it.release("gate");
    for stream in held {
        assert_eq!(stream.await.unwrap().unwrap().status, 200);
    }
}

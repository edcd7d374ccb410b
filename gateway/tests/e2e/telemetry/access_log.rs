//! Access logs: a line for each request and each connection, with what decided and where the time went.

use super::{Logged, lines};
use crate::support::{echo, gateway, http_gateway, http_route, service};
use crate::tls::{https, secret};
use lychgate_testkit::{Authority, ClientTls, Dial, RawConnection, free_addr};
use serde_json::Value;

const RULE: &str = "    - {name: all, backendRefs: [{name: blue, port: 80}]}\n";

#[tokio::test]
async fn every_request_is_logged_with_what_decided() {
    let (_server, backend) = echo("blue").await;
    let address = free_addr();
    let files = http_gateway(address.port()) + &service("blue", &[backend]) + &http_route("r", "[a.example]", RULE);
    let gate = Logged::serve(&files).await;
    // Of one connection: lines are written after their answers, and those of two may change places.
    let mut client = Dial::http1(address).connect("a.example").await.unwrap();
    client.get("http://a.example/x?y=1").await.unwrap();
    client.get("http://b.example/").await.unwrap();
    let logged = gate.lines(2);
    assert_eq!((&logged[0]["status"], &logged[0]["path"]), (&200.into(), &"/x?y=1".into()), "{:#}", logged[0]);
    assert_eq!(logged[0]["rule"], "HTTPRoute/default/r#0(all)@1");
    assert_eq!(logged[0]["backend"], "Service/default/blue:80");
    assert_eq!(logged[0]["endpoint"], backend.to_string());
    assert!(logged[0]["first_byte_ms"].is_number() && logged[0]["connect_ms"].is_number(), "{:#}", logged[0]);
    assert_eq!((&logged[1]["status"], &logged[1]["reason"]), (&404.into(), &"no_route".into()), "{:#}", logged[1]);
    std::fs::rename(gate.file(), gate.logs.path().join("access.log.1")).unwrap();
    gate.site.reopen_access_log();
    client.get("http://a.example/after").await.unwrap();
    assert_eq!(lines(&gate.file(), 1)[0]["path"], "/after");
    gate.site.stop().await;
}

/// The value of a field that says how long something took.
fn millis(line: &Value, name: &str) -> f64 {
    line[name].as_f64().unwrap_or_else(|| panic!("{name} is no number in {line:#}"))
}

#[tokio::test]
async fn the_time_is_split() {
    let authority = Authority::new("ca");
    let (_server, backend) = echo("blue").await;
    let address = free_addr();
    let again = "    - {name: again, matches: [{path: {value: /again}}], retry: {codes: [503], attempts: 1, backoff: 100ms}, \
                 backendRefs: [{name: blue, port: 80}]}\n";
    let files = gateway(&https("https", address.port(), "", &["cert"]))
        + &secret("cert", &authority.server(&["a.example"]))
        + &service("blue", &[backend])
        + &http_route("r", "[]", &(RULE.to_owned() + again));
    let gate = Logged::serve(&files).await;
    for alpn in ["http/1.1", "h2"] {
        let dial = Dial::tls(address, &ClientTls::trusting(&authority).alpn(&[alpn]));
        let mut client = dial.connect("a.example").await.unwrap();
        client.get("https://a.example/first").await.unwrap();
        client.get("https://a.example/second").await.unwrap();
    }
    let logged = gate.lines(4);
    for line in &logged {
        let parts = ["queue_ms", "connect_ms", "first_byte_ms", "total_ms"].map(|name| millis(line, name));
        assert!(parts.is_sorted(), "each is counted from the end of the request's head: {line:#}");
        match line["path"].as_str().unwrap() {
            // Who connects has waited for the handshake, and nobody else.
            "/first" => assert!(millis(line, "tls_ms") > 0.0, "{line:#}"),
            _ => assert_eq!(line["tls_ms"], Value::Null, "{line:#}"),
        }
    }
    let mut client = Dial::tls(address, &ClientTls::trusting(&authority)).connect("a.example").await.unwrap();
    assert_eq!(client.get("https://a.example/again?fail=1&key=x&status=503").await.unwrap().status, 200);
    let line = &gate.lines(5)[4];
    // The pause before the second try is at least half of the backoff.
    assert!(millis(line, "queue_ms") >= 50.0 && line["attempts"] == 2, "{line:#}");
    gate.site.stop().await;
}

#[tokio::test]
async fn refusals_before_any_route_have_a_line_with_their_reason() {
    let authority = Authority::new("ca");
    let (_server, backend) = echo("blue").await;
    let (address, sealed) = (free_addr(), free_addr());
    let listeners = format!("    - {{name: http, protocol: HTTP, port: {}, hostname: a.example}}\n", address.port())
        + &https("one", sealed.port(), "one.example", &["cert"])
        + &https("two", sealed.port(), "two.example", &["cert"]);
    let files = gateway(&listeners)
        + &secret("cert", &authority.server(&["one.example", "two.example"]))
        + &service("blue", &[backend])
        + &http_route(
            "r",
            "[a.example, one.example, two.example]",
            "    - {matches: [{path: {value: /in}}], backendRefs: [{name: blue, port: 80}]}\n",
        );
    let gate = Logged::serve(&files).await;
    let mut raw = RawConnection::open(&Dial::http1(address), "").await.unwrap();
    raw.send("GET /in%00 HTTP/1.1\r\nhost: a.example\r\n\r\n").await.unwrap();
    assert_eq!(raw.response().await.unwrap().status, 400);
    gate.lines(1);
    assert_eq!(Dial::http1(address).get("http://b.example/in").await.unwrap().status, 404);
    gate.lines(2);
    assert_eq!(Dial::http1(address).get("http://a.example/out").await.unwrap().status, 404);
    gate.lines(3);
    let trusting = ClientTls::trusting(&authority);
    let mut client = Dial::tls(sealed, &trusting).connect("one.example").await.unwrap();
    assert_eq!(client.get("https://two.example/in").await.unwrap().status, 421);
    gate.lines(4);
    let refused = Dial::tls(sealed, &ClientTls::trusting_anybody()).connect("three.example").await.map(|_| ());
    assert!(refused.unwrap_err().is_tls());
    let logged = gate.lines(5);
    let told: Vec<[String; 4]> =
        logged.iter().map(|line| ["reason", "status", "listener", "host"].map(|name| line[name].to_string())).collect();
    let line = |parts: [&str; 4]| parts.map(str::to_owned);
    assert_eq!(
        told,
        [
            line(["\"bad_request\"", "400", "null", "\"a.example\""]),
            line(["\"no_listener\"", "404", "null", "\"b.example\""]),
            line(["\"no_route\"", "404", "\"Gateway/default/gw/http\"", "\"a.example\""]),
            line(["\"misdirected\"", "421", "null", "\"two.example\""]),
            line(["\"server_name\"", "null", "null", "\"three.example\""]),
        ]
    );
    for line in &logged {
        assert_eq!(line["rule"], Value::Null, "{line:#}");
        assert!(!line["request_id"].as_str().unwrap().is_empty() && line["detail"].is_string(), "{line:#}");
        assert!(line["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{line:#}");
    }
    gate.site.stop().await;
}

//! What listeners speak, and which of those on one port serves a request in clear text.

use super::blue;
use crate::support::{Site, echo, gateway, http_gateway, service};
use crate::tls::{https, secret};
use http::Version;
use lychgate_testkit::{Authority, ClientTls, Dial, RawConnection, free_addr, free_addrs};

#[tokio::test]
async fn an_http_listener_speaks_http1_and_h2c() {
    let (_blue, files) = blue().await;
    let address = free_addr();
    let site = Site::serve(&[("all.yaml", &(http_gateway(address.port()) + &files))]).await;
    for (dial, version) in [(Dial::http1(address), Version::HTTP_11), (Dial::h2c(address), Version::HTTP_2)] {
        let mut connection = dial.connect("a.example").await.unwrap();
        for _ in 0..2 {
            let reply = connection.get("http://a.example/").await.unwrap();
            assert_eq!((reply.status.as_u16(), reply.version), (200, version));
        }
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn an_https_listener_speaks_what_alpn_agrees_on() {
    let (_blue, files) = blue().await;
    let (authority, address) = (Authority::new("ca"), free_addr());
    let files = gateway(&https("https", address.port(), "", &["cert"]))
        + &secret("cert", &authority.server(&["a.example"]))
        + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let tls = ClientTls::trusting(&authority);
    for (offered, agreed, version) in [
        (&["h2", "http/1.1"][..], Some("h2"), Version::HTTP_2),
        (&["http/1.1"], Some("http/1.1"), Version::HTTP_11),
        (&["h2"], Some("h2"), Version::HTTP_2),
        (&[], None, Version::HTTP_11),
    ] {
        let reply = Dial::tls(address, &tls.clone().alpn(offered)).get("https://a.example/").await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.version), (200, version), "{offered:?}");
        assert_eq!(reply.tls.unwrap().alpn.as_deref(), agreed, "{offered:?}");
    }
    assert!(Dial::tls(address, &tls.alpn(&["h3"])).get("https://a.example/").await.unwrap_err().is_tls());
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn what_is_not_spoken_on_a_port_is_not_answered() {
    let (_blue, files) = blue().await;
    let authority = Authority::new("ca");
    let [plain, tls] = free_addrs();
    let listeners = format!("    - {{name: http, protocol: HTTP, port: {}}}\n", plain.port())
        + &https("https", tls.port(), "", &["cert"]);
    let files = gateway(&listeners) + &secret("cert", &authority.server(&["a.example"])) + &files;
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(Dial::http1(tls).get("http://a.example/").await.is_err());
    assert!(Dial::h2c(tls).get("http://a.example/").await.is_err());
    assert!(Dial::tls(plain, &ClientTls::trusting(&authority)).get("https://a.example/").await.is_err());
    assert_eq!(Dial::http1(plain).get("http://a.example/").await.unwrap().status, 200);
    assert_eq!(site.stop().await, 0);
}

/// The listeners and requests of the conformance suite's `GatewayHTTPListenerIsolation`.
#[tokio::test]
async fn listeners_of_a_port_are_isolated() {
    const LISTENERS: [(&str, &str); 4] = [
        ("empty-hostname", ""),
        ("wildcard-example-com", "*.example.com"),
        ("wildcard-foo-example-com", "*.foo.example.com"),
        ("abc-foo-example-com", "abc.foo.example.com"),
    ];
    let (_blue, backend) = echo("blue").await;
    let address = free_addr();
    let mut listeners = String::new();
    let mut files = service("blue", &[backend]);
    for (name, hostname) in LISTENERS {
        let hostname = if hostname.is_empty() { String::new() } else { format!(", hostname: \"{hostname}\"") };
        listeners += &format!("    - {{name: {name}, protocol: HTTP, port: {}{hostname}}}\n", address.port());
        files += &format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: \
             default}}\nspec:\n  parentRefs: [{{name: gw, sectionName: {name}}}]\n  rules:\n    - matches: [{{path: \
             {{value: /{name}}}}}]\n      backendRefs: [{{name: blue, port: 80}}]\n---\n"
        );
    }
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &files))]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for (host, serving) in [
        ("bar.com", "empty-hostname"),
        ("example.com", "empty-hostname"),
        ("bar.example.com", "wildcard-example-com"),
        ("foo.example.com", "wildcard-example-com"),
        ("bar.foo.example.com", "wildcard-foo-example-com"),
        ("abc.foo.example.com", "abc-foo-example-com"),
        ("ABC.foo.example.com:80", "abc-foo-example-com"),
    ] {
        for (listener, _) in LISTENERS {
            let expected = if listener == serving { 200 } else { 404 };
            for dial in [Dial::http1(address), Dial::h2c(address)] {
                let reply = dial.get(&format!("http://{host}/{listener}")).await.unwrap();
                assert_eq!(reply.status, expected, "http://{host}/{listener}");
            }
        }
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_host_that_no_listener_has_is_not_found() {
    let (_blue, files) = blue().await;
    let address = free_addr();
    let listener = format!("    - {{name: http, protocol: HTTP, port: {}, hostname: a.example}}\n", address.port());
    let site = Site::serve(&[("all.yaml", &(gateway(&listener) + &files))]).await;
    assert_eq!(Dial::http1(address).get("http://a.example/").await.unwrap().status, 200);
    assert_eq!(Dial::http1(address).get("http://b.example/").await.unwrap().status, 404);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn user_information_in_an_authority_is_refused() {
    let (blue, files) = blue().await;
    let address = free_addr();
    let site = Site::serve(&[("all.yaml", &(http_gateway(address.port()) + &files))]).await;
    for request in [
        "GET / HTTP/1.1\r\nHost: user@a.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example:80@b.example\r\n\r\n",
        "GET http://user@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ] {
        let mut connection = RawConnection::open(&Dial::http1(address), "a.example").await.unwrap();
        connection.send(request).await.unwrap();
        assert_eq!(connection.response().await.unwrap().status, 400, "{request:?}");
    }
    assert_eq!(Dial::h2c(address).get("http://user@a.example/").await.unwrap().status, 400);
    assert_eq!(blue.counts().requests, 0);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn requests_that_share_an_h2c_connection_finish_when_the_gateway_stops() {
    let (blue, files) = blue().await;
    let address = free_addr();
    let site = Site::serve(&[("all.yaml", &(http_gateway(address.port()) + &files))]).await;
    let first = Dial::h2c(address).connect("a.example").await.unwrap();
    let (mut slow, mut quick, mut slower) =
        (first.multiplexed().unwrap(), first.multiplexed().unwrap(), first.multiplexed().unwrap());
    let (slow, slower, ()) =
        tokio::join!(slow.get("http://a.example/?hold=slow"), slower.get("http://a.example/?hold=slower"), async {
            blue.wait_held("slow", 1).await;
            blue.wait_held("slower", 1).await;
            // One that has ended says nothing of those that have not.
            assert_eq!(quick.get("http://a.example/").await.unwrap().status, 200);
            let (cut, ()) = tokio::join!(site.stop(), async {
                while Dial::http1(address).get("http://a.example/").await.is_ok() {
                    tokio::task::yield_now().await;
                }
                blue.release("slow");
                blue.release("slower");
            });
            assert_eq!(cut, 0);
        });
    assert_eq!((slow.unwrap().status.as_u16(), slower.unwrap().status.as_u16()), (200, 200));
}

//! TLSRoute: passed through, ended here, both on one port.

use super::{ask, loopback, route, teller};
use crate::support::{Site, gateway, http_route, service};
use crate::tls::{to_xbackend, xbackend};
use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer, Port};
use lychgate_testkit::{Authority, ClientTls, Dial, free_addr, server_tls, server_tls_asking_clients};
use std::collections::BTreeMap;

fn listener(name: &str, port: u16, hostname: &str, tls: &str) -> String {
    let hostname = if hostname.is_empty() { String::new() } else { format!(", hostname: \"{hostname}\"") };
    format!("    - {{name: {name}, protocol: TLS, port: {port}{hostname}, tls: {tls}}}\n")
}

const PASSED: &str = "{mode: Passthrough}";
const ENDED: &str = "{mode: Terminate, certificateRefs: [{name: cert}]}";

fn policy(service: &str, hostname: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {{name: {service}, namespace: \
         default}}\nspec:\n  targetRefs: [{{group: \"\", kind: Service, name: {service}}}]\n  validation: {{hostname: \
         {hostname}, caCertificateRefs: [{{group: \"\", kind: ConfigMap, name: ca}}]}}\n---\n"
    )
}

#[tokio::test]
async fn what_is_passed_through_carries_the_clients_certificate_to_the_backend() {
    let authority = Authority::new("root");
    let tls = server_tls_asking_clients(&authority.server(&["db.example.com"]), &authority, true);
    let db = teller("db", |config| config.with_tls(loopback(), tls)).await;
    let address = free_addr();
    let files = gateway(&listener("tls", address.port(), "*.example.com", PASSED))
        + &service("db", &[db.local_addr(Port::Tls).unwrap()])
        // It is sealed already: TLS within TLS would be of no use to anybody.
        + &policy("db", "db.example.com")
        + &authority.config_map("default", "ca")
        + "---\n"
        + &route("TLSRoute", "db", "tls", "db.example.com", "{name: db, port: 80}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let client = ClientTls::with_identity(&authority, &authority.client("somebody"));
    let told = ask(&Dial::tls(address, &client), "db.example.com").await.unwrap().unwrap();
    assert_eq!(told["pod"], "db");
    assert_eq!(told["tls"]["serverName"], "db.example.com");
    assert_eq!(told["tls"]["peerCertificates"].as_array().unwrap().len(), 1);
    // The listener has the name, but no route has.
    let anybody = ClientTls::trusting_anybody();
    assert!(ask(&Dial::tls(address, &anybody), "other.example.com").await.is_err());
    // No listener has these, and who only passes TLS through has no alert for them.
    for name in ["db.example.net", "example.com"] {
        let error = ask(&Dial::tls(address, &anybody), name).await.unwrap_err();
        assert!(!error.is_tls(), "{name}: {error}");
    }
    assert!(ask(&Dial::tls(address, &anybody.without_sni()), "db.example.com").await.is_err());
    assert_eq!(db.counts().connections, 1);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn the_most_specific_name_wins_among_routes() {
    let authority = Authority::new("root");
    let tls = || server_tls(&authority.server(&["a.example.com", "b.example.com"]));
    let exact = teller("exact", |config| config.with_tls(loopback(), tls())).await;
    let broad = teller("broad", |config| config.with_tls(loopback(), tls())).await;
    let address = free_addr();
    let files = gateway(&listener("tls", address.port(), "", PASSED))
        + &service("exact", &[exact.local_addr(Port::Tls).unwrap()])
        + &service("broad", &[broad.local_addr(Port::Tls).unwrap()])
        + &route("TLSRoute", "a-broad", "tls", "\"*.example.com\"", "{name: broad, port: 80}")
        + &route("TLSRoute", "b-exact", "tls", "a.example.com", "{name: exact, port: 80}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let client = ClientTls::trusting(&authority);
    for (name, pod) in [("a.example.com", "exact"), ("b.example.com", "broad"), ("A.Example.COM", "exact")] {
        let told = ask(&Dial::tls(address, &client), name).await.unwrap().unwrap();
        assert_eq!(told["pod"], pod, "{name}");
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn tls_that_is_ended_here_goes_on_in_clear_text_or_anew() {
    let authority = Authority::new("root");
    let plain = teller("plain", |config| config.with_tcp(loopback())).await;
    let tls = server_tls(&authority.server(&["db.internal"]));
    let sealed = teller("sealed", |config| config.with_tls(loopback(), tls)).await;
    let address = free_addr();
    let files = gateway(&listener("tls", address.port(), "*.example.com", ENDED))
        + &authority.server(&["*.example.com"]).secret("default", "cert")
        + "---\n"
        + &authority.config_map("default", "ca")
        + "---\n"
        + &service("plain", &[plain.local_addr(Port::Tcp).unwrap()])
        + &service("sealed", &[sealed.local_addr(Port::Tls).unwrap()])
        + &policy("sealed", "db.internal")
        + &route("TLSRoute", "plain", "tls", "plain.example.com", "{name: plain, port: 80}")
        + &route("TLSRoute", "sealed", "tls", "sealed.example.com", "{name: sealed, port: 80}")
        // What no TLSRoute has is left to it.
        + &route("TCPRoute", "rest", "tls", "", "{name: plain, port: 80}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    // A protocol that is not ours to name is not refused.
    let client = ClientTls::trusting(&authority).alpn(&["postgresql"]);
    let told = ask(&Dial::tls(address, &client), "plain.example.com").await.unwrap().unwrap();
    assert_eq!((told["pod"].as_str(), told["isTLS"].as_bool()), (Some("plain"), Some(false)));
    let told = ask(&Dial::tls(address, &client), "sealed.example.com").await.unwrap().unwrap();
    assert_eq!((told["pod"].as_str(), told["tls"]["serverName"].as_str()), (Some("sealed"), Some("db.internal")));
    let told = ask(&Dial::tls(address, &client), "rest.example.com").await.unwrap().unwrap();
    assert_eq!(told["pod"], "plain");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_backend_that_cannot_be_verified_gets_nothing() {
    let authority = Authority::new("root");
    let tls = server_tls(&Authority::new("other").server(&["db.internal"]));
    let liar = teller("liar", |config| config.with_tls(loopback(), tls)).await;
    let address = free_addr();
    let files = gateway(&format!("    - {{name: tcp, protocol: TCP, port: {}}}\n", address.port()))
        + &authority.config_map("default", "ca")
        + "---\n"
        + &service("liar", &[liar.local_addr(Port::Tls).unwrap()])
        + &policy("liar", "db.internal")
        + &route("TCPRoute", "db", "tcp", "", "{name: liar, port: 80}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert_eq!(super::pod(address).await, None);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn https_and_both_modes_of_tls_share_a_port() {
    let authority = Authority::new("root");
    let passed =
        teller("passed", |config| config.with_tls(loopback(), server_tls(&authority.server(&["passed.example.com"]))))
            .await;
    let ended = teller("ended", |config| config.with_tcp(loopback())).await;
    let web = EchoServer::bind(EchoConfig::loopback().with_identity(EchoIdentity::pod("web"))).await.unwrap();
    let address = free_addr();
    let port = address.port();
    let https = format!(
        "    - {{name: https, protocol: HTTPS, port: {port}, hostname: \"*.example.com\", tls: {{certificateRefs: \
         [{{name: cert}}]}}}}\n"
    );
    let files = gateway(
        &(https
            + &listener("passed", port, "passed.example.com", PASSED)
            + &listener("ended", port, "ended.example.com", ENDED)),
    ) + &authority.server(&["*.example.com"]).secret("default", "cert")
        + "---\n"
        + &service("passed", &[passed.local_addr(Port::Tls).unwrap()])
        + &service("ended", &[ended.local_addr(Port::Tcp).unwrap()])
        + &service("web", &[web.local_addr(Port::Http).unwrap()])
        + &route("TLSRoute", "passed", "passed", "passed.example.com", "{name: passed, port: 80}")
        + &route("TLSRoute", "ended", "ended", "ended.example.com", "{name: ended, port: 80}")
        + &http_route("web", "[]", "    - backendRefs: [{name: web, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let client = ClientTls::trusting(&authority);
    for name in ["passed", "ended"] {
        let told = ask(&Dial::tls(address, &client), &format!("{name}.example.com")).await.unwrap().unwrap();
        assert_eq!(told["pod"], name);
        assert_eq!(told["isTLS"], name == "passed");
    }
    let mut browser = Dial::tls(address, &client).connect("web.example.com").await.unwrap();
    let reply = browser.get("https://web.example.com/").await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(web.counts().requests, 1);
    // A host that streams have is not for requests of another connection.
    assert_eq!(browser.get("https://ended.example.com/").await.unwrap().status, 421);
    drop(browser);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn connections_are_shared_by_weight_in_both_modes() {
    let authority = Authority::new("root");
    let tls = || server_tls(&authority.server(&["passed.example.com"]));
    let heavy = teller("heavy", |config| config.with_tcp(loopback()).with_tls(loopback(), tls())).await;
    let light = teller("light", |config| config.with_tcp(loopback()).with_tls(loopback(), tls())).await;
    let address = free_addr();
    let port = address.port();
    let shared = |kind: &str| {
        format!(
            "{{name: heavy-{kind}, port: 80, weight: 6}}, {{name: light-{kind}, port: 80, weight: 2}}, {{name: nowhere, \
             port: 80, weight: 2}}, {{name: light-{kind}, port: 81, weight: 0}}"
        )
    };
    let files = gateway(
        &(listener("passed", port, "passed.example.com", PASSED)
            + &listener("ended", port, "ended.example.com", ENDED)),
    ) + &authority.server(&["ended.example.com"]).secret("default", "cert")
        + "---\n"
        + &service("heavy-tls", &[heavy.local_addr(Port::Tls).unwrap()])
        + &service("light-tls", &[light.local_addr(Port::Tls).unwrap()])
        + &service("heavy-tcp", &[heavy.local_addr(Port::Tcp).unwrap()])
        + &service("light-tcp", &[light.local_addr(Port::Tcp).unwrap()])
        + &route("TLSRoute", "passed", "passed", "passed.example.com", &shared("tls"))
        + &route("TLSRoute", "ended", "ended", "ended.example.com", &shared("tcp"));
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let dial = Dial::tls(address, &ClientTls::trusting(&authority));
    for name in ["passed.example.com", "ended.example.com"] {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..200 {
            let told = ask(&dial, name).await.ok().flatten();
            let pod = told.map_or("-".to_owned(), |told| told["pod"].as_str().unwrap().to_owned());
            *counts.entry(pod).or_default() += 1;
        }
        let of = |pod: &str| counts.get(pod).copied().unwrap_or_default();
        // Some five standard deviations.
        assert!((85..=155).contains(&of("heavy")), "{name}: {counts:?}");
        assert!((10..=70).contains(&of("light")), "{name}: {counts:?}");
        assert!((10..=70).contains(&of("-")), "{name}: {counts:?}");
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn names_outside_are_reached_through_xbackends() {
    let authority = Authority::new("root");
    let tls = || server_tls(&authority.server(&["localhost", "db.example.com"]));
    let sealed = teller("sealed", |config| config.with_tls(loopback(), tls())).await;
    let port = sealed.local_addr(Port::Tls).unwrap().port();
    let address = free_addr();
    let validation = "  tls: {mode: ServerOnly, validation: {hostname: localhost, caCertificateRefs: [{group: \"\", kind: \
                      ConfigMap, name: ca}]}}\n";
    let files = gateway(
        &(listener("passed", address.port(), "db.example.com", PASSED)
            + &listener("ended", address.port(), "ended.example.com", ENDED)),
    ) + &authority.server(&["*.example.com"]).secret("default", "cert")
        + "---\n"
        + &authority.config_map("default", "ca")
        + "---\n"
        + &xbackend("db", port, validation)
        + &route("TLSRoute", "passed", "passed", "db.example.com", &to_xbackend("db"))
        + &route("TLSRoute", "ended", "ended", "ended.example.com", &to_xbackend("db"));
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let client = ClientTls::trusting(&authority);
    let told = ask(&Dial::tls(address, &client), "db.example.com").await.unwrap().unwrap();
    assert_eq!(told["tls"]["serverName"], "db.example.com");
    let told = ask(&Dial::tls(address, &client), "ended.example.com").await.unwrap().unwrap();
    assert_eq!(told["tls"]["serverName"], "localhost");
    assert_eq!(site.stop().await, 0);
}

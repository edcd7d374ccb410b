//! Filters of listeners (GEP-5224): for every request, in the order written, before a rule is chosen.

use super::service::AuthService;
use super::{HTTP, answer, get, send};
use crate::support::{Site, echo, gateway, http_route, service};
use bytes::Bytes;
use lychgate_testkit::{Dial, free_addr, free_addrs};

/// A listener that asks these Services, in this order.
fn listener(name: &str, port: u16, services: &[&str]) -> String {
    let filters: Vec<String> = services
        .iter()
        .map(|name| format!("{{type: ExternalAuth, externalAuth: {{{HTTP}, backendRef: {{name: {name}, port: 80}}}}}}"))
        .collect();
    format!("    - {{name: {name}, protocol: HTTP, port: {port}, filters: {{requests: [{}]}}}}\n", filters.join(", "))
}

/// Rules by tenant, and one for all others.
fn by_tenant() -> String {
    let rule = |tenant: &str| {
        format!(
            "    - matches: [{{headers: [{{name: x-tenant, value: {tenant}}}]}}]\n      backendRefs: [{{name: {tenant}, port: \
             80}}]\n"
        )
    };
    http_route("r", "[]", &(rule("one") + &rule("two") + "    - backendRefs: [{name: other, port: 80}]\n"))
}

#[tokio::test]
async fn what_the_service_says_of_a_request_chooses_its_rule() {
    let auth = AuthService::start(|asked| match asked.headers.get("authorization").map(|value| value.as_bytes()) {
        Some(b"one") => answer(200, &[("x-tenant", "one")], ""),
        Some(b"two") => answer(200, &[("x-tenant", "two")], ""),
        Some(_) => answer(200, &[], ""),
        None => answer(401, &[("www-authenticate", "Basic")], "who?"),
    })
    .await;
    let (mut files, mut servers) = (String::new(), Vec::new());
    for name in ["one", "two", "other"] {
        let (server, address) = echo(name).await;
        files += &service(name, &[address]);
        servers.push(server);
    }
    let [guarded, open] = free_addrs();
    let plain = format!("    - {{name: open, protocol: HTTP, port: {}}}\n", open.port());
    files += &gateway(&(listener("guarded", guarded.port(), &["auth"]) + &plain));
    files += &(auth.service() + &by_tenant());
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for dial in [Dial::http1(guarded), Dial::h2c(guarded)] {
        for (word, tenant) in [("one", "one"), ("two", "two"), ("three", "other")] {
            let reply = send(&dial, "GET", "/", &[("authorization", word)], Bytes::new()).await;
            assert_eq!(reply.header("x-echo-pod"), Some(tenant), "{word}");
        }
    }
    let asked = auth.asked().len();
    // Before any rule, so also for what none matches, and never for the host of another.
    let reply = get(guarded, "/", &[]).await;
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (401, "who?"));
    assert_eq!(auth.asked().len(), asked + 1);
    // The other listener asks nobody.
    assert_eq!(get(open, "/", &[("x-tenant", "two")]).await.header("x-echo-pod"), Some("two"));
    assert_eq!(auth.asked().len(), asked + 1);
}

#[tokio::test]
async fn filters_run_in_the_order_written_and_a_no_ends_it() {
    let one = AuthService::start(|asked| match asked.target.as_str() {
        "/no" => answer(403, &[], ""),
        _ => answer(200, &[("x-trace", "one")], ""),
    })
    .await;
    let two = AuthService::start(|_| answer(200, &[("x-trace", "two")], "")).await;
    let (it, backend) = echo("it").await;
    let [forth, back] = free_addrs();
    let files =
        gateway(&(listener("forth", forth.port(), &["one", "two"]) + &listener("back", back.port(), &["two", "one"])))
            + &service("one", &[one.address])
            + &service("two", &[two.address])
            + &service("it", &[backend])
            + &http_route("r", "[]", "    - backendRefs: [{name: it, port: 80}]\n");
    let _site = Site::serve(&[("all.yaml", &files)]).await;
    // The last one wins.
    for (at, last, n) in [(forth, "two", 1), (back, "one", 2)] {
        assert_eq!(get(at, "/", &[]).await.status, 200);
        assert_eq!(it.nth_request(n).await.unwrap().report.header("x-trace"), [last]);
    }
    assert_eq!((one.asked().len(), two.asked().len()), (2, 2));
    assert_eq!(get(forth, "/no", &[]).await.status, 403);
    assert_eq!((one.asked().len(), two.asked().len()), (3, 2), "nobody is asked after a no");
    assert_eq!(it.counts().requests, 2);
}

#[tokio::test]
async fn the_host_stays_whatever_the_service_says() {
    let auth =
        AuthService::start(|_| answer(200, &[("host", "b.example"), ("x-forwarded-host", "b.example")], "")).await;
    let (it, backend) = echo("it").await;
    let at = free_addr();
    let files = gateway(&listener("l", at.port(), &["auth"]))
        + &auth.service()
        + &service("it", &[backend])
        + &http_route("a", "[a.example]", "    - backendRefs: [{name: it, port: 80}]\n");
    let _site = Site::serve(&[("all.yaml", &files)]).await;
    assert_eq!(get(at, "/", &[]).await.status, 200);
    let seen = it.nth_request(1).await.unwrap();
    assert_eq!((seen.report.host.as_str(), seen.report.header("x-forwarded-host")), ("a.example", vec!["a.example"]));
}

#[tokio::test]
async fn a_listener_whose_service_is_not_there_lets_nothing_pass() {
    let (it, backend) = echo("it").await;
    let at = free_addr();
    let files = gateway(&listener("l", at.port(), &["gone"]))
        + &service("it", &[backend])
        + &http_route("a", "[]", "    - backendRefs: [{name: it, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().to_value().to_string().contains("InvalidListenerFilterRef"));
    for path in ["/", "/nowhere"] {
        let reply = get(at, path, &[]).await;
        assert_eq!(reply.status, 500);
        assert!(reply.text().contains("refused_by_config"), "{}", reply.text());
    }
    assert_eq!(it.counts().requests, 0);
}

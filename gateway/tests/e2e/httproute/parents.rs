//! What a route attaches to: sectionName and port of its parentRefs. And what its rules are called.

use super::bed::{pods, serve, who};
use crate::support::{Site, gateway, http_route};
use http::{HeaderMap, Method};
use lychgate_engine::{Explainer, Question};
use lychgate_testkit::{Dial, free_addrs};

fn to(name: &str, parent: &str, backend: &str) -> String {
    http_route(name, "[]", &format!("    - backendRefs: [{{name: {backend}, port: 80}}]\n"))
        .replace("[{name: gw}]", &format!("[{{name: gw{parent}}}]"))
}

#[tokio::test]
async fn a_route_is_served_where_its_port_section_or_both_say() {
    let (_pods, services) = pods(["port", "section", "both"]).await;
    let [a, b, c, d] = free_addrs();
    let listeners: String = [("a", a), ("b", b), ("c", c), ("d", d)]
        .map(|(name, at)| format!("    - {{name: {name}, protocol: HTTP, port: {}}}\n", at.port()))
        .concat();
    let routes = to("port", &format!(", port: {}", a.port()), "port")
        + &to("section", ", sectionName: b", "section")
        + &to("both", &format!(", sectionName: c, port: {}", c.port()), "both");
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &services + &routes))]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for (at, answers) in [(a, "port"), (b, "section"), (c, "both"), (d, "404")] {
        assert_eq!(who(at, "http://a.example/").await, answers);
    }
}

#[tokio::test]
async fn rules_for_the_destination_port_win_on_it_alone() {
    // GEP-957: the same request is routed by the port it came to, whatever port its Host names.
    let (_pods, services) = pods(["one", "two"]).await;
    let [one, two] = free_addrs();
    let listeners = format!(
        "    - {{name: one, protocol: HTTP, port: {}}}\n    - {{name: two, protocol: HTTP, port: {}}}\n",
        one.port(),
        two.port()
    );
    let routes =
        to("one", &format!(", port: {}", one.port()), "one") + &to("two", &format!(", port: {}", two.port()), "two");
    let site = Site::serve(&[("all.yaml", &(gateway(&listeners) + &services + &routes))]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for host in ["a.example".to_owned(), format!("a.example:{}", one.port()), format!("a.example:{}", two.port())] {
        assert_eq!(who(one, &format!("http://{host}/")).await, "one");
        assert_eq!(who(two, &format!("http://{host}/")).await, "two");
    }
}

#[tokio::test]
async fn a_parent_that_is_not_there_serves_nothing_and_the_status_says_so() {
    let (_pods, services) = pods(["it"]).await;
    for (parent, reason) in [
        (", sectionName: elsewhere", "NoMatchingParent"),
        (", port: 1", "NoMatchingParent"),
        (", sectionName: http, port: 1", "NoMatchingParent"),
    ] {
        let (site, at) = serve(&(services.clone() + &to("it", parent, "it"))).await;
        assert_eq!(who(at, "http://a.example/").await, "404", "{parent}");
        assert!(site.report().to_value().to_string().contains(reason), "{:#}", site.report().to_value());
    }
}

#[tokio::test]
async fn one_route_serves_several_parents_and_leaves_those_it_drops() {
    let (_pods, services) = pods(["it"]).await;
    let [a, b] = free_addrs();
    let listeners = format!(
        "    - {{name: a, protocol: HTTP, port: {}}}\n    - {{name: b, protocol: HTTP, port: {}}}\n",
        a.port(),
        b.port()
    );
    let gateway = gateway(&listeners);
    let both = to("it", "", "it").replace("[{name: gw}]", "[{name: gw, sectionName: a}, {name: gw, sectionName: b}]");
    let site = Site::serve(&[("base.yaml", &(gateway + &services)), ("route.yaml", &both)]).await;
    assert_eq!(
        (who(a, "http://a.example/").await, who(b, "http://a.example/").await),
        ("it".to_owned(), "it".to_owned())
    );
    site.write_until("route.yaml", &to("it", ", sectionName: b", "it"), |report| report.is_clean()).await;
    assert_eq!(
        (who(a, "http://a.example/").await, who(b, "http://a.example/").await),
        ("404".to_owned(), "it".to_owned())
    );
}

#[tokio::test]
async fn a_rule_s_name_is_shown_wherever_the_rule_is() {
    let (_pods, services) = pods(["it"]).await;
    let rules = "    - name: cart\n      matches: [{path: {value: /cart}}]\n      backendRefs: [{name: it, port: 80}]\n    - name: \
                 broken\n      matches: [{path: {value: /broken}}]\n      backendRefs: [{name: missing, port: 80}]\n";
    let (site, at) = serve(&(services + &http_route("shop", "[]", rules))).await;
    assert_eq!(who(at, "http://a.example/cart").await, "it");
    let config = Dial::http1(site.admin()).get("http://admin/config").await.unwrap().text();
    assert!(config.contains("HTTPRoute/default/shop#0(cart)"), "{config}");
    let question = Question {
        tls: false,
        server_name: None,
        authority: "a.example".to_owned(),
        port: at.port(),
        method: Method::GET,
        path: "/cart/1".to_owned(),
        query: None,
        headers: HeaderMap::new(),
    };
    let answer = Explainer::new(&site.report().snapshot).unwrap().ask(&question).to_string();
    assert!(answer.contains("HTTPRoute/default/shop#0(cart)"), "{answer}");
}

//! Random Gateways and HTTPRoutes. Names and values come from small sets, so that they meet.

use crate::random::Random;
use std::fmt::Write;
use std::net::SocketAddr;

const LISTENER_HOSTS: [Option<&str>; 6] =
    [None, Some("*.example.com"), Some("a.example.com"), Some("*.a.example.com"), Some("other.test"), Some("*.test")];

const ROUTE_HOSTS: [&str; 8] = [
    "a.example.com",
    "b.example.com",
    "*.example.com",
    "x.a.example.com",
    "*.a.example.com",
    "other.test",
    "*.test",
    "example.com",
];

/// Kind and value.
const PATHS: [(&str, &str); 14] = [
    ("PathPrefix", "/"),
    ("PathPrefix", "/a"),
    ("PathPrefix", "/a/"),
    ("PathPrefix", "/a/b"),
    ("PathPrefix", "/b"),
    ("Exact", "/"),
    ("Exact", "/a"),
    ("Exact", "/a/"),
    ("Exact", "/a/b"),
    ("Exact", "/%61"),
    ("RegularExpression", "/a.*"),
    ("RegularExpression", "/[ab]/b"),
    ("RegularExpression", "/a/b/?"),
    ("RegularExpression", "/.{3}"),
];

const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

const HEADERS: [&str; 5] = [
    "{name: x-a, value: one}",
    "{name: X-A, value: two}",
    "{name: x-a, type: RegularExpression, value: \"o.*\"}",
    "{name: x-b, value: one}",
    "{name: x-b, type: RegularExpression, value: \"one|two\"}",
];

const QUERIES: [&str; 5] = [
    "{name: k, value: one}",
    "{name: k, type: RegularExpression, value: \"t.o\"}",
    "{name: j, value: one}",
    "{name: K, value: one}",
    "{name: j, value: a b}",
];

pub(crate) struct Config {
    pub(crate) ports: [SocketAddr; 2],
    listeners: Vec<Listener>,
    routes: Vec<Route>,
}

struct Listener {
    port: u16,
    hostname: Option<&'static str>,
}

struct Route {
    parent: String,
    hostnames: Vec<&'static str>,
    /// Each with its matches, as YAML.
    rules: Vec<Vec<String>>,
}

impl Config {
    pub(crate) fn random(random: &mut Random, ports: [SocketAddr; 2]) -> Self {
        let mut listeners = Vec::new();
        for address in ports {
            let count = 1 + random.below(3);
            for hostname in random.pick_some(&LISTENER_HOSTS, count) {
                listeners.push(Listener { port: address.port(), hostname });
            }
        }
        let count = 2 + random.below(6);
        let routes = (0..count).map(|_| route(random, &listeners)).collect();
        Self { ports, listeners, routes }
    }

    pub(crate) fn to_yaml(&self) -> String {
        let mut listeners = String::new();
        for (place, Listener { port, hostname }) in self.listeners.iter().enumerate() {
            let hostname = hostname.map(|hostname| format!(", hostname: \"{hostname}\"")).unwrap_or_default();
            writeln!(listeners, "    - {{name: l{place}, protocol: HTTP, port: {port}{hostname}}}").unwrap();
        }
        let mut yaml = crate::support::gateway(&listeners);
        for (place, Route { parent, hostnames, rules }) in self.routes.iter().enumerate() {
            write!(
                yaml,
                "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r{place}, namespace: \
                 default}}\nspec:\n  parentRefs: [{parent}]\n  hostnames: {hostnames:?}\n  rules:\n"
            )
            .unwrap();
            for (index, matches) in rules.iter().enumerate() {
                let redirect = format!("{{path: {{type: ReplaceFullPath, replaceFullPath: /r{place}/{index}}}}}");
                writeln!(
                    yaml,
                    "    - matches: [{}]\n      filters: [{{type: RequestRedirect, requestRedirect: {redirect}}}]",
                    matches.join(", ")
                )
                .unwrap();
            }
            yaml += "---\n";
        }
        yaml
    }
}

fn route(random: &mut Random, listeners: &[Listener]) -> Route {
    let section = random.below(listeners.len());
    let parent = match random.below(4) {
        0 => format!("{{name: gw, sectionName: l{section}}}"),
        1 => format!("{{name: gw, port: {}}}", listeners[section].port),
        _ => "{name: gw}".to_owned(),
    };
    let count = random.below(3);
    let hostnames = random.pick_some(&ROUTE_HOSTS, count);
    let count = 1 + random.below(4);
    let rules = (0..count).map(|_| (0..random.below(3)).map(|_| one_match(random)).collect()).collect();
    Route { parent, hostnames, rules }
}

fn one_match(random: &mut Random) -> String {
    let (kind, value) = random.pick(&PATHS);
    let mut text = format!("{{path: {{type: {kind}, value: \"{value}\"}}");
    if random.one_in(4) {
        write!(text, ", method: {}", random.pick(&METHODS)).unwrap();
    }
    // A name may be there once: matches are a map by name.
    if random.one_in(3) {
        let second = if random.one_in(2) { format!(", {}", random.pick(&HEADERS[3..])) } else { String::new() };
        write!(text, ", headers: [{}{second}]", random.pick(&HEADERS[..3])).unwrap();
    }
    if random.one_in(4) {
        let second = if random.one_in(2) { format!(", {}", random.pick(&QUERIES[2..])) } else { String::new() };
        write!(text, ", queryParams: [{}{second}]", random.pick(&QUERIES[..2])).unwrap();
    }
    text + "}"
}

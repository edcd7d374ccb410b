//! Any text in a resource: it is understood, or it fails closed and is said; nothing panics.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::{Decoded, Value, decode};
use crate::resource::{Kind, Name, Need};
use crate::wire;
use prost::Message;
use serde_json::Value as Json;

const KINDS: [(Kind, &str, &str); 10] = [
    (Kind::Listener, "Gateway/a/b/c", LISTENER),
    (Kind::Route, "HTTPRoute/a/b", ROUTE),
    (Kind::StreamRoute, "TCPRoute/a/b", STREAM_ROUTE),
    (Kind::Backend, "Service/a/b:80", BACKEND),
    (Kind::Certificate, "Secret/a/b", CERTIFICATE),
    (Kind::Secret, "Secret/a/b/token", SECRET),
    (Kind::Egress, "Gateway/a/b", EGRESS),
    (Kind::EgressPolicy, "EgressPolicy/a/b", EGRESS_POLICY),
    (Kind::Workload, "10.0.0.1", WORKLOAD),
    (Kind::Endpoints, "Service/a/b:80", ENDPOINTS),
];
const LISTENER: &str = r#"{"id":"Gateway/a/b/c","addresses":[],"port":443,"protocol":"Https","hostname":"*",
    "tls":{"certificates":["Secret/a/b"],"min_version":"V1_2","client_validation":null},"upstream_identity":null,"trusted_hops":0}"#;
const ROUTE: &str = r#"{"id":"HTTPRoute/a/b","created":1,"attachments":[{"listener":"Gateway/a/b/c","hostnames":["*.x"]}],
    "rules":[{"id":"HTTPRoute/a/b#0@1","matches":[{"path":{"Prefix":""},"method":null,"headers":[],"query":[]}],
    "filters":[{"RequestHeaders":{"set":[["a","b"]],"add":[],"remove":["c"]}}],"forward":{"Ok":{"backends":[{"weight":1,
    "target":{"Backend":"Service/a/b:80"},"filters":[]}],"timeouts":{"request":1,"backend_request":null},"retry":null,"persistence":null}}}]}"#;
const STREAM_ROUTE: &str = r#"{"id":"TCPRoute/a/b","created":null,"attachments":[{"listener":"Gateway/a/b/c","hostnames":["*"]}],
    "rule":"TCPRoute/a/b#0@1","forward":{"Ok":[{"weight":1,"target":{"Backend":"Service/a/b:80"}}]}}"#;
const BACKEND: &str = r#"{"id":"Service/a/b:80","protocol":"Auto","tls":"Plain","resolution":"Endpoints","balance":"RoundRobin",
    "persistence":null}"#;
const CERTIFICATE: &str = r#"{"id":"Secret/a/b","chain_pem":"x","key_pem":"y"}"#;
const SECRET: &str = r#"{"id":"Secret/a/b/token","text":"x"}"#;
const EGRESS: &str = r#"{"default":"Enforce","cluster":["10.0.0.0/8"],"policies":["EgressPolicy/a/b"],
    "logins":{"u":{"password":"Secret/a/b/u","namespace":"a","service_account":"s"}},"trust_domains":["td"],
    "dns":{"upstreams":[{"protocol":"Udp","address":"10.0.0.10","port":53,"name":null}],"min_ttl":0,"max_ttl":0},
    "inspection":{"authority":{"Ok":"Secret/a/ca"},"exclude":["*.b.example"]}}"#;
const EGRESS_POLICY: &str = r#"{"generation":1,"mode":{"Shadow":100},"subjects":[{"Namespace":"a"}],"rules":[{"name":null,
    "action":"Allow","destination":{"Hosts":{"hosts":["a.example"],"within":[]}},"ports":[[443,443]],"protocols":["Tls"],"windows":[],
    "exceptions":{"missing_sni":false,"encrypted_client_hello":false,"other_sni":false,"other_host":false,"unverified_name":false},
    "reason":null,"handling":{"tls":"Pass","credential":{"header":"authorization","prefix":"Bearer ","secret":{"Ok":"Secret/a/b/token"}},
    "via":null,"leave_from":[],"limits":null}}]}"#;
const WORKLOAD: &str = r#"{"namespace":"a","service_account":"s","labels":{"app":"x"}}"#;
const ENDPOINTS: &str = r#"{"endpoints":[{"address":{"Ip":"10.0.0.1:80"},"terminating":false}]}"#;

#[test]
fn these_are_understood() {
    for (kind, name, text) in KINDS {
        let decoded = decode(&Name::new(kind, name), text.as_bytes(), &[]);
        assert!(decoded.rejected.is_empty(), "{decoded:?}");
        assert!(!matches!(decoded.value, Value::Nothing), "{name}");
    }
}

#[test]
fn fuzz_resource() {
    bolero::check!(name = "resource").for_each(|bytes: &[u8]| {
        for (kind, name, _) in KINDS {
            said(&decode(&Name::new(kind, name), bytes, &[]));
        }
    });
}

/// Good texts with something else in one place.
#[test]
fn fuzz_resource_of_the_future() {
    bolero::check!().with_max_len(8).for_each(|choices: &[u8]| {
        let mut choices = choices.iter().copied().chain(std::iter::repeat(0));
        let mut next = || usize::from(choices.next().unwrap_or_default());
        let (kind, name, text) = KINDS[next() % KINDS.len()].clone();
        let mut json: Json = serde_json::from_str(text).unwrap();
        let others =
            [Json::Null, Json::Bool(true), 7.into(), "x".into(), serde_json::json!([]), serde_json::json!({"New": 1})];
        let mut place = &mut json;
        loop {
            let stay = next() % 4 == 0;
            let step = next();
            let inside = match place {
                Json::Array(items) => items.len(),
                Json::Object(map) => map.len(),
                _ => 0,
            };
            if stay || inside == 0 {
                break;
            }
            place = match place {
                Json::Array(items) => &mut items[step % inside],
                Json::Object(map) => map.values_mut().nth(step % inside).unwrap(),
                _ => return,
            };
        }
        *place = others[next() % others.len()].clone();
        let need = Need { feature: "new".into(), rule: (next() % 3).checked_sub(1).map(|rule| rule as u32) };
        let needs = if next() % 2 == 0 { vec![] } else { vec![need] };
        said(&decode(&Name::new(kind, name), json.to_string().as_bytes(), &needs));
    });
}

/// What is not there is said.
fn said(decoded: &Decoded) {
    let Decoded { value, rejected } = decoded;
    if matches!(value, Value::Nothing | Value::Shut(..)) {
        assert!(!rejected.is_empty(), "{decoded:?}");
    }
}

/// What cannot be understood of a policy is denied to whom it is about, and to everyone if that cannot be understood.
#[test]
fn a_policy_of_the_future_denies() {
    let of = |text: &str| {
        let name = Name::new(Kind::EgressPolicy, "EgressPolicy/a/b");
        let Value::EgressPolicy(_, policy) = decode(&name, text.as_bytes(), &[]).value else { panic!("{text}") };
        (policy.subjects.clone(), policy.rules.iter().map(|rule| rule.action).collect::<Vec<_>>())
    };
    let deny = vec![lychgate_ir::egress::EgressAction::Deny];
    let future = EGRESS_POLICY.replace("\"Tls\"", "\"Telepathy\"");
    assert_eq!(of(&future), (vec![lychgate_ir::egress::EgressSubject::Namespace("a".into())], deny.clone()));
    let future = EGRESS_POLICY.replace("\"Namespace\"", "\"Planet\"");
    assert_eq!(of(&future), (vec![lychgate_ir::egress::EgressSubject::Everyone], deny));
}

/// Any bytes as messages.
#[test]
fn fuzz_message() {
    bolero::check!(name = "message").for_each(|bytes: &[u8]| {
        let _ = wire::Down::decode(bytes);
        if let Ok(wire::Up { said: Some(wire::Said::Ack(ack)) }) = wire::Up::decode(bytes) {
            let _ = crate::Acknowledgement::from_wire(ack);
        }
    });
}

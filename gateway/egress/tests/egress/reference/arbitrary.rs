//! Random policies and requests, from few words, so that they meet.

use crate::support::{address, config, hosts_within, name};
use http::Method;
use lychgate_egress::{Ask, Called, Hello, HttpAsk, ServerName, Source, Spoken};
use lychgate_ir::ObjectName;
use lychgate_ir::egress::{
    Destination, DnsName, EgressAction, EgressConfig, EgressExceptions, EgressMode, EgressPath, EgressPolicy,
    EgressProtocol, EgressRule, EgressSubject, HttpRule, Percent, PortRange, Workload,
};
use proptest::prelude::*;
use std::net::IpAddr;
use std::sync::Arc;

const HOSTS: &[&str] = &["a.com", "*.a.com", "**.a.com", "b.a.com", "*.b.a.com", "**.com", "**", "c.org"];
const NAMES: &[&str] = &["a.com", "b.a.com", "x.b.a.com", "c.org"];
const NETS: &[&str] = &[
    "0.0.0.0/0",
    "8.8.0.0/16",
    "8.8.8.8/32",
    "10.0.0.0/8",
    "10.96.0.0/12",
    "169.254.0.0/16",
    "169.254.169.254/32",
    "::/0",
    "64:ff9b::/96",
];
/// With what they lead to, and the block that they belong to if they are not public.
pub(super) const ADDRESSES: &[(&str, Option<&str>, Option<&str>)] = &[
    ("8.8.8.8", None, None),
    ("::ffff:8.8.8.8", None, None),
    ("9.9.9.9", None, None),
    ("2606:4700::1", None, None),
    ("64:ff9b::8.8.8.8", Some("8.8.8.8"), None),
    ("64:ff9b::10.1.1.1", Some("10.1.1.1"), Some("64:ff9b::10.1.1.1/128")),
    ("10.1.1.1", None, Some("10.0.0.0/8")),
    ("10.100.1.1", None, Some("10.96.0.0/12")),
    ("169.254.169.254", None, Some("169.254.169.254/32")),
];

/// What is asked, owned.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) called: Option<DnsName>,
    pub(super) address: usize,
    pub(super) answered: bool,
    pub(super) port: u16,
    pub(super) spoken: u8,
    pub(super) sni: Option<DnsName>,
    pub(super) encrypted: bool,
    pub(super) host: Option<DnsName>,
    pub(super) post: bool,
    pub(super) path: &'static str,
    pub(super) draw: u8,
}

impl Case {
    pub(super) fn address(&self) -> IpAddr {
        address(ADDRESSES[self.address].0)
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        let server_name = self.sni.as_ref().map_or(ServerName::Missing, ServerName::Name);
        let hello = Hello { server_name, encrypted: self.encrypted };
        let method = if self.post { &Method::POST } else { &Method::GET };
        let http = |tls| HttpAsk { host: self.host.as_ref().map(Called::Name), method, path: self.path, tls };
        Ask {
            called: self.called.as_ref().map_or(Called::Address(self.address()), Called::Name),
            port: self.port,
            spoken: match self.spoken {
                0 => Spoken::Tcp,
                1 => Spoken::Tls(hello),
                2 => Spoken::Http(http(None)),
                3 => Spoken::Http(http(Some(hello))),
                _ => Spoken::Dns,
            },
            unix_seconds: 0,
            draw: self.draw,
        }
    }
}

fn some<T: Clone + std::fmt::Debug + 'static>(from: &'static [T], most: usize) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(prop::sample::select(from), 0..=most)
}

fn a_rule() -> impl Strategy<Value = EgressRule> {
    let destination = prop_oneof![
        1 => Just(Destination::Any),
        4 => (prop::collection::vec(prop::sample::select(HOSTS), 1..3), some(NETS, 2))
            .prop_map(|(hosts, within)| hosts_within(&hosts, &within)),
        2 => prop::collection::vec(prop::sample::select(NETS), 1..3)
            .prop_map(|nets| Destination::Addresses(nets.iter().map(|net| net.parse().unwrap()).collect())),
    ];
    let protocol = prop_oneof![
        Just(EgressProtocol::Tcp),
        Just(EgressProtocol::Tls),
        Just(EgressProtocol::Dns),
        Just(EgressProtocol::Http(HttpRule::default())),
        Just(EgressProtocol::Http(HttpRule {
            methods: vec![Method::GET],
            paths: vec![EgressPath::Prefix("/a".into())]
        })),
    ];
    let exceptions = prop::array::uniform5(prop::bool::weighted(0.2));
    (any::<bool>(), destination, prop::bool::weighted(0.3), prop::collection::vec(protocol, 0..3), exceptions).prop_map(
        |(
            allow,
            destination,
            port,
            protocols,
            [missing_sni, encrypted_client_hello, other_sni, other_host, unverified_name],
        )| {
            EgressRule {
                name: None,
                action: if allow { EgressAction::Allow } else { EgressAction::Deny },
                destination,
                ports: if port { vec![PortRange::new(400, 443).unwrap()] } else { vec![] },
                protocols,
                windows: vec![],
                exceptions: EgressExceptions {
                    missing_sni,
                    encrypted_client_hello,
                    other_sni,
                    other_host,
                    unverified_name,
                },
                reason: None,
                handling: Arc::default(),
            }
        },
    )
}

fn a_mode() -> impl Strategy<Value = EgressMode> {
    prop_oneof![
        2 => Just(EgressMode::Enforce),
        1 => (0..=100_u8).prop_map(|percent| EgressMode::Shadow(Percent::new(percent).unwrap())),
    ]
}

fn a_subject() -> impl Strategy<Value = EgressSubject> {
    prop_oneof![
        3 => Just(EgressSubject::Everyone),
        1 => Just(EgressSubject::Unknown),
        2 => Just(EgressSubject::Namespace("shop".into())),
        1 => Just(EgressSubject::Labels { namespace: "shop".into(), labels: [("app".into(), "cart".into())].into() }),
        1 => Just(EgressSubject::ServiceAccount(ObjectName::new("shop", "cart"))),
        1 => Just(EgressSubject::Identity("spiffe://cluster.local/ns/shop/sa/cart".into())),
    ]
}

pub(super) fn a_config() -> impl Strategy<Value = EgressConfig> {
    let policy = (a_mode(), prop::collection::vec(a_subject(), 1..3), prop::collection::vec(a_rule(), 0..4))
        .prop_map(|(mode, subjects, rules)| EgressPolicy { generation: 1, mode, subjects, rules });
    (a_mode(), prop::collection::vec(policy, 0..5)).prop_map(|(default, policies)| config(default, policies))
}

pub(super) fn a_source() -> impl Strategy<Value = Source> {
    let cart = Workload {
        identity: Some("spiffe://cluster.local/ns/shop/sa/cart".into()),
        namespace: Some("shop".into()),
        service_account: Some("cart".into()),
        labels: [("app".into(), "cart".into()), ("tier".into(), "web".into())].into(),
    };
    let other = Workload { namespace: Some("other".into()), ..Workload::default() };
    prop_oneof![3 => Just(Source::Workload(Arc::new(cart))), 1 => Just(Source::Workload(Arc::new(other))), 1 => Just(Source::Unknown)]
}

pub(super) fn a_case() -> impl Strategy<Value = Case> {
    let a_name = || prop::option::of(prop::sample::select(NAMES).prop_map(name));
    // Most of what is asked is consistent, or nothing would ever be allowed.
    let names = prop_oneof![
        2 => a_name().prop_map(|name| (name.clone(), name.clone(), name)),
        1 => (a_name(), a_name(), a_name()),
    ];
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.1), any::<bool>());
    (
        names,
        0..ADDRESSES.len(),
        flags,
        prop::sample::select(&[80, 443][..]),
        0..5_u8,
        prop::sample::select(&["/", "/a/b"][..]),
        0..100_u8,
    )
        .prop_map(|((called, sni, host), address, (answered, encrypted, post), port, spoken, path, draw)| Case {
            called,
            address,
            answered,
            port,
            spoken,
            sni,
            encrypted,
            host,
            post,
            path,
            draw,
        })
}

//! What a decision takes, among few rules and among many.
#![allow(missing_docs, reason = "what the macros make")]
#![allow(clippy::unwrap_used, reason = "what is written here can be read")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lychgate_egress::{Ask, Called, Hello, Policies, Reached, ServerName, Source, Spoken, Verdict};
use lychgate_ir::ObjectName;
use lychgate_ir::egress::{
    Destination, DnsName, EgressAction, EgressConfig, EgressExceptions, EgressHost, EgressMode, EgressPolicy,
    EgressPolicyId, EgressRule, EgressSubject, Workload,
};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const COUNTS: [usize; 4] = [1, 100, 10_000, 100_000];
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));

/// What is asked for among rules for `h0.example`, `**.s0.example` and so on, and what is said to it.
const ASKED: [(&str, &str, Verdict); 3] = [
    ("exact", "h0.example", Verdict::Allow),
    ("suffix", "a.b.s0.example", Verdict::Allow),
    ("no rule", "a.b.elsewhere.example", Verdict::Deny),
];

fn rule(host: &str) -> EgressRule {
    EgressRule {
        name: None,
        action: EgressAction::Allow,
        destination: Destination::Hosts { hosts: vec![EgressHost::parse(host).unwrap()], within: vec![] },
        ports: vec![],
        protocols: vec![],
        windows: vec![],
        exceptions: EgressExceptions::default(),
        reason: None,
        handling: Arc::default(),
    }
}

/// Half of the rules by exact name, half by suffix.
fn config(count: usize) -> EgressConfig {
    let rules = (0..count).flat_map(|at| [rule(&format!("h{at}.example")), rule(&format!("**.s{at}.example"))]);
    let rules = rules.take(count.max(2)).collect();
    let policy =
        EgressPolicy { generation: 1, mode: EgressMode::Enforce, subjects: vec![EgressSubject::Everyone], rules };
    let id = EgressPolicyId(ObjectName::new("ns", "policy"));
    EgressConfig { default: EgressMode::Enforce, cluster: vec![], policies: [(id, Arc::new(policy))].into() }
}

fn decide(criterion: &mut Criterion) {
    let source = Source::Workload(Arc::new(Workload { namespace: Some("shop".into()), ..Workload::default() }));
    let mut group = criterion.benchmark_group("decide");
    for count in COUNTS {
        let policies = Policies::compile(&config(count));
        let egress = policies.of(&source);
        for (kind, host, said) in ASKED {
            let name = DnsName::parse(host).unwrap();
            let hello = Hello { server_name: ServerName::Name(&name), encrypted: false };
            let ask =
                Ask { called: Called::Name(&name), port: 443, spoken: Spoken::Tls(hello), unix_seconds: 0, draw: 0 };
            let reached = Reached { address: PUBLIC, answer: &[PUBLIC] };
            assert_eq!(egress.decide(&ask, &reached).verdict, said, "{host}");
            group.bench_function(BenchmarkId::new(kind, count), |bencher| {
                bencher.iter(|| egress.decide(black_box(&ask), black_box(&reached)));
            });
        }
    }
    group.finish();
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for count in [100, 10_000] {
        let config = config(count);
        group.bench_function(BenchmarkId::new("policies", count), |bencher| {
            bencher.iter(|| Policies::compile(black_box(&config)));
        });
    }
    group.finish();
}

criterion_group!(benches, decide, compile);
criterion_main!(benches);

//! A gate for questions in few words.

use lychgate_dns::{Answered, Front, Heard, Question, Transport, Upstream};
use lychgate_egress::{Policies, Source};
use lychgate_ir::ObjectName;
use lychgate_ir::egress::{
    Destination, DnsProtocol, DnsUpstream, EgressAction, EgressConfig, EgressDns, EgressExceptions, EgressHost,
    EgressMode, EgressPolicy, EgressPolicyId, EgressRule, EgressSubject, Workload,
};
use lychgate_testkit::dns::hickory_proto::op::Message;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn upstream(protocol: DnsProtocol, at: SocketAddr, name: Option<&str>) -> DnsUpstream {
    DnsUpstream { protocol, address: at.ip(), port: at.port(), name: name.map(Into::into) }
}

pub(crate) fn dns(upstreams: Vec<DnsUpstream>) -> EgressDns {
    EgressDns { upstreams, min_ttl: Duration::ZERO, max_ttl: Duration::from_secs(3600) }
}

pub(crate) fn allows(hosts: &[&str], within: &[&str]) -> EgressRule {
    EgressRule {
        name: None,
        action: EgressAction::Allow,
        destination: Destination::Hosts {
            hosts: hosts.iter().map(|host| EgressHost::parse(host).unwrap()).collect(),
            within: within.iter().map(|net| net.parse().unwrap()).collect(),
        },
        ports: Vec::new(),
        protocols: Vec::new(),
        windows: Vec::new(),
        exceptions: EgressExceptions::default(),
        reason: None,
        handling: Arc::default(),
    }
}

pub(crate) fn denies(hosts: &[&str], reason: &str) -> EgressRule {
    EgressRule { action: EgressAction::Deny, reason: Some(reason.into()), ..allows(hosts, &[]) }
}

/// Policies for the service account `shop/cart`.
pub(crate) fn policies(rules: Vec<EgressRule>) -> Policies {
    let policy = EgressPolicy {
        generation: 1,
        mode: EgressMode::Enforce,
        subjects: vec![EgressSubject::ServiceAccount(ObjectName::new("shop", "cart"))],
        rules,
    };
    let id = EgressPolicyId(ObjectName::new("shop", "cart"));
    Policies::compile(&EgressConfig { policies: [(id, Arc::new(policy))].into(), ..EgressConfig::default() })
}

pub(crate) fn cart() -> Source {
    Source::Workload(Arc::new(Workload {
        namespace: Some("shop".into()),
        service_account: Some("cart".into()),
        ..Workload::default()
    }))
}

pub(crate) fn front(at: SocketAddr) -> Front {
    Front::new(Arc::new(Upstream::new(&dns(vec![upstream(DnsProtocol::Udp, at, None)])).unwrap()))
}

/// A question of the workload's.
pub(crate) fn asked(message: &[u8], transport: Transport) -> Question<'_> {
    Question {
        message,
        transport,
        source: [10, 0, 0, 1].into(),
        unix_seconds: 1_795_687_200,
        now: Instant::now(),
        draw: 0,
    }
}

pub(crate) async fn ask(
    front: &Front,
    policies: &Policies,
    question: &Message,
    transport: Transport,
) -> (Answered, Message) {
    let bytes = question.to_vec().unwrap();
    let source = cart();
    let asked = asked(&bytes, transport);
    let egress = policies.of(&source);
    let answered = match front.read(&asked, &egress) {
        Heard::Answered(answered) => *answered,
        Heard::Wanted(wanted) => front.ask(*wanted, &egress).await,
    };
    let message = Message::from_vec(answered.message.as_deref().unwrap()).unwrap();
    assert_eq!(message.metadata.id, question.metadata.id);
    (answered, message)
}

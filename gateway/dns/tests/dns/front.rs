//! What becomes of questions.

use crate::support::{allows, ask, asked, cart, denies, dns, front, policies, upstream};
use lychgate_dns::{Front, Heard, Outcome, Transport, Upstream};
use lychgate_ir::egress::{DnsProtocol, EgressDns, EgressExceptions};
use lychgate_testkit::dns::hickory_proto::op::{Message, OpCode, ResponseCode};
use lychgate_testkit::dns::hickory_proto::rr::rdata::svcb::{EchConfigList, IpHint, SvcParamKey, SvcParamValue};
use lychgate_testkit::dns::hickory_proto::rr::rdata::{A, HTTPS, SVCB, TXT};
use lychgate_testkit::dns::hickory_proto::rr::{Name, RData, RecordType};
use lychgate_testkit::dns::{NameServer, addresses_in, extended_error, question};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(93, 184, 215, 14));
const PRIVATE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 2, 3));
const METADATA: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 169, 254));

#[tokio::test]
async fn what_may_be_reached_may_be_asked_for_and_nothing_else_is_asked_of_anybody() {
    let server = NameServer::start().await;
    server.addresses("api.pay.example", &[PUBLIC]);
    server.addresses("evil.example", &[PUBLIC]);
    let (front, policies) = (front(server.addr()), policies(vec![allows(&["api.pay.example"], &[])]));

    let (answered, reply) =
        ask(&front, &policies, &question("API.pay.example", RecordType::A), Transport::Datagram).await;
    assert_eq!((answered.outcome, addresses_in(&reply)), (Outcome::Answered, vec![PUBLIC]));
    assert_eq!(answered.decision.unwrap().because.rule().unwrap().to_string(), "EgressPolicy/shop/cart#0@1");
    // As it was asked, with its upper case.
    assert_eq!(reply.queries[0].name().to_ascii(), "API.pay.example.");

    let asked = server.asked();
    let (answered, reply) = ask(&front, &policies, &question("evil.example", RecordType::A), Transport::Datagram).await;
    assert_eq!((answered.outcome, reply.metadata.response_code), (Outcome::Denied, ResponseCode::Refused));
    assert_eq!(extended_error(&reply), Some((18, "no egress policy allows this destination".to_owned())));
    assert_eq!(server.asked(), asked);
}

#[tokio::test]
async fn a_rule_that_denies_says_why() {
    let server = NameServer::start().await;
    let policies = policies(vec![allows(&["**"], &[]), denies(&["**.evil.example"], "ask the security team")]);
    let (front, name) = (front(server.addr()), "a.evil.example");
    let (_, reply) = ask(&front, &policies, &question(name, RecordType::TXT), Transport::Datagram).await;
    assert_eq!(extended_error(&reply), Some((15, "ask the security team".to_owned())));
    // RFC 8914 section 2: to those alone who said that they know of such things.
    let mut plain = question(name, RecordType::TXT);
    plain.edns = None;
    let (_, reply) = ask(&front, &policies, &plain, Transport::Datagram).await;
    assert_eq!((reply.metadata.response_code, reply.edns.is_none()), (ResponseCode::Refused, true));
}

#[tokio::test]
async fn addresses_that_are_not_public_are_left_out_unless_a_rule_names_them() {
    let server = NameServer::start().await;
    server.addresses("both.example", &[PRIVATE, PUBLIC]);
    server.addresses("rebound.example", &[METADATA]);
    server.addresses("inside.example", &[PRIVATE]);
    let rules = vec![allows(&["*.example"], &[]), allows(&["inside.example"], &["10.0.0.0/8"])];
    let (front, policies) = (front(server.addr()), policies(rules));
    let asked = async |name| ask(&front, &policies, &question(name, RecordType::A), Transport::Datagram).await;

    assert_eq!(addresses_in(&asked("both.example").await.1), [PUBLIC]);
    assert_eq!(addresses_in(&asked("inside.example").await.1), [PRIVATE]);
    let (answered, reply) = asked("rebound.example").await;
    assert_eq!((answered.outcome, reply.metadata.response_code), (Outcome::Denied, ResponseCode::Refused));
    assert!(addresses_in(&reply).is_empty());
    assert!(extended_error(&reply).unwrap().1.contains("not public"));
}

#[tokio::test]
async fn keys_for_hiding_the_server_name_are_given_only_to_those_who_may_hide_it() {
    let server = NameServer::start().await;
    let service = SVCB::new(
        1,
        Name::root(),
        vec![
            (
                SvcParamKey::Ipv4Hint,
                SvcParamValue::Ipv4Hint(IpHint(vec![A([10, 1, 2, 3].into()), A([93, 184, 215, 14].into())])),
            ),
            (SvcParamKey::EchConfigList, SvcParamValue::EchConfigList(EchConfigList(vec![1, 2, 3]))),
        ],
    );
    for name in ["hides.example", "shows.example"] {
        server.set(name, vec![RData::HTTPS(HTTPS(service.clone()))]);
    }
    let hides = EgressExceptions { encrypted_client_hello: true, ..EgressExceptions::default() };
    let mut rule = allows(&["hides.example"], &[]);
    rule.exceptions = hides;
    let (front, policies) = (front(server.addr()), policies(vec![rule, allows(&["shows.example"], &[])]));
    let keys = async |name| {
        let (_, reply) = ask(&front, &policies, &question(name, RecordType::HTTPS), Transport::Datagram).await;
        let RData::HTTPS(HTTPS(service)) = &reply.answers[0].data else { panic!("{reply}") };
        service.svc_params.iter().map(|(key, value)| (*key, value.to_string())).collect::<Vec<_>>()
    };
    let shown = keys("shows.example").await;
    assert_eq!(shown.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [SvcParamKey::Ipv4Hint]);
    assert!(!shown[0].1.contains("10.1.2.3"), "{shown:?}");
    assert!(keys("hides.example").await.iter().any(|(key, _)| *key == SvcParamKey::EchConfigList));
}

#[tokio::test]
async fn aliases_come_with_the_answer_and_names_that_are_not_there_say_so() {
    let server = NameServer::start().await;
    server.alias("www.example", "cdn.other");
    server.addresses("cdn.other", &[PUBLIC]);
    server.addresses("v4.example", &[PUBLIC]);
    let (front, policies) = (front(server.addr()), policies(vec![allows(&["*.example"], &[])]));
    let asked = async |name, kind| ask(&front, &policies, &question(name, kind), Transport::Datagram).await;
    let (_, reply) = asked("www.example", RecordType::A).await;
    assert_eq!((reply.answers.len(), addresses_in(&reply)), (2, vec![PUBLIC]));
    assert_eq!(asked("no.example", RecordType::A).await.1.metadata.response_code, ResponseCode::NXDomain);
    let (answered, reply) = asked("v4.example", RecordType::AAAA).await;
    assert_eq!((answered.outcome, reply.metadata.response_code), (Outcome::Nothing, ResponseCode::NoError));
}

/// RFC 2308: who asks again within that time asks his own cache.
#[tokio::test]
async fn that_there_is_nothing_holds_for_as_long_as_the_zone_says_and_no_longer_than_a_minute() {
    for (says, ttl, holds) in [(20, 300, 20), (300, 10, 10), (86_400, 86_400, 60)] {
        let server = NameServer::start().await;
        server.addresses("v4.example", &[PUBLIC]);
        server.authority("example", says);
        server.ttl(ttl);
        let (front, policies) = (front(server.addr()), policies(vec![allows(&["*.example"], &[])]));
        for (name, kind) in [("no.example", RecordType::A), ("v4.example", RecordType::AAAA)] {
            // The second one comes from the cache.
            for _ in 0..2 {
                let (answered, reply) = ask(&front, &policies, &question(name, kind), Transport::Datagram).await;
                assert_eq!(answered.outcome, Outcome::Nothing);
                let [zone] = reply.authorities.as_slice() else { panic!("{reply}") };
                assert_eq!((zone.name.to_ascii().as_str(), zone.record_type()), ("example.", RecordType::SOA));
                // A second may have gone by.
                assert!((holds - 2..=holds).contains(&zone.ttl), "{says} {ttl}: {}", zone.ttl);
            }
            let asked = server.asked().iter().filter(|asked| asked.ends_with(name)).count();
            assert_eq!(asked, 1, "{:?}", server.asked());
        }
    }
}

#[tokio::test]
async fn answers_say_the_time_that_the_gateway_bounds() {
    for (says, holds) in [(1, 30), (50, 50), (86_400, 90)] {
        let server = NameServer::start().await;
        server.addresses("api.example", &[PUBLIC]);
        server.ttl(says);
        let bounds = EgressDns {
            min_ttl: Duration::from_secs(30),
            max_ttl: Duration::from_secs(90),
            ..dns(vec![upstream(DnsProtocol::Udp, server.addr(), None)])
        };
        let front = Front::new(Arc::new(Upstream::new(&bounds).unwrap()));
        let policies = policies(vec![allows(&["*.example"], &[])]);
        let (_, reply) = ask(&front, &policies, &question("api.example", RecordType::A), Transport::Datagram).await;
        let ttl = reply.answers[0].ttl;
        assert!((holds - 2..=holds).contains(&ttl), "{says}: {ttl}");
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_asked_of_nobody_and_the_client_hears_why() {
    let server = NameServer::start().await;
    let (front, policies) = (front(server.addr()), policies(vec![allows(&["*.example"], &[])]));
    let (bytes, source) = (question("api.example", RecordType::A).to_vec().unwrap(), cart());
    let asked = asked(&bytes, Transport::Datagram);
    let Heard::Wanted(wanted) = front.read(&asked, &policies.of(&source)) else { panic!("it may be asked") };
    assert_eq!((wanted.name().as_str(), wanted.kind().as_str()), ("api.example", "A"));
    let answered = wanted.unrecorded("no space left".to_owned());
    assert_eq!(answered.outcome, Outcome::Unrecorded("no space left".to_owned()));
    let reply = Message::from_vec(&answered.message.unwrap()).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(extended_error(&reply), Some((0, "nothing may leave that cannot be recorded".to_owned())));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn names_are_no_way_to_say_much() {
    let server = NameServer::start().await;
    let (front, policies) = (front(server.addr()), policies(vec![allows(&["**.evil.example"], &[])]));
    let asked =
        async |name: String| ask(&front, &policies, &question(&name, RecordType::TXT), Transport::Datagram).await;
    let data = "mzxw6ytboi4dsmjsgqztmnzyhe3dkobvgyzwi3lf";
    let before = server.asked().len();
    for name in [format!("{data}.evil.example"), format!("{}evil.example", "abc.".repeat(40))] {
        let (answered, reply) = asked(name).await;
        assert!(matches!(answered.outcome, Outcome::Refused(_)), "{:?}", answered.outcome);
        assert_eq!(reply.metadata.response_code, ResponseCode::Refused);
    }
    assert_eq!(server.asked().len(), before);
    let mut said = 0;
    for number in 0..2000 {
        let (answered, _) = asked(format!("some-more-of-it-{number:05}.evil.example")).await;
        match answered.outcome {
            Outcome::Refused(_) => break,
            _ => said += 1,
        }
    }
    assert!((300..1000).contains(&said), "{said}");
}

#[tokio::test]
async fn what_does_not_fit_is_cut_off_in_a_datagram_and_whole_on_a_connection() {
    let server = NameServer::start().await;
    let text = "x".repeat(200);
    server.set("big.example", (0..10).map(|_| RData::TXT(TXT::new(vec![text.clone()]))).collect());
    let (front, policies) = (front(server.addr()), policies(vec![allows(&["big.example"], &[])]));
    let big = question("big.example", RecordType::TXT);
    let (_, reply) = ask(&front, &policies, &big, Transport::Datagram).await;
    assert_eq!((reply.metadata.truncation, reply.answers.len()), (true, 0));
    let (_, reply) = ask(&front, &policies, &big, Transport::Stream).await;
    assert_eq!((reply.metadata.truncation, reply.answers.len()), (false, 10));
}

#[tokio::test]
async fn what_is_no_question_for_us_is_said_to_be_none() {
    let server = NameServer::start().await;
    let (front, policies) = (front(server.addr()), policies(vec![allows(&["**"], &[])]));
    for kind in [RecordType::ANY, RecordType::AXFR, RecordType::NULL, RecordType::DNSKEY] {
        let (answered, reply) = ask(&front, &policies, &question("a.example", kind), Transport::Datagram).await;
        assert_eq!(reply.metadata.response_code, ResponseCode::Refused, "{kind}");
        assert!(matches!(answered.outcome, Outcome::Refused(_)));
    }
    let mut update = question("a.example", RecordType::A);
    update.metadata.op_code = OpCode::Notify;
    let (_, reply) = ask(&front, &policies, &update, Transport::Datagram).await;
    assert_eq!(reply.metadata.response_code, ResponseCode::NotImp);

    let source = cart();
    for (bytes, is_answered) in [(&[0_u8; 12][..], true), (&[0xff; 40], false), (&[1, 2, 3], false), (&[], false)] {
        let question = asked(bytes, Transport::Datagram);
        let Heard::Answered(answered) = front.read(&question, &policies.of(&source)) else {
            panic!("it cannot be asked")
        };
        assert_eq!(answered.message.is_some(), is_answered, "{bytes:?}");
    }
    assert!(server.asked().is_empty());
}

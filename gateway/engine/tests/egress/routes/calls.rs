//! Calls of gRPC that a GRPCRoute leads out.

use super::{decisions, to_host};
use crate::support::*;
use http_body_util::BodyExt;
use lychgate_echo::grpc::SERVICE;
use lychgate_ir::egress::{EgressPath, EgressProtocol, HttpRule};
use lychgate_ir::{Protocol, RouteKind, Snapshot};
use lychgate_testkit::grpc::{call, framed, request, unframed};
use lychgate_testkit::{Dial, Payload};
use std::net::Ipv4Addr;

async fn world(origin: &Origin) -> World {
    let paths = vec![EgressPath::Prefix(format!("/{SERVICE}").into())];
    let http = HttpRule { methods: vec![http::Method::POST], paths };
    let rule = speaking(vec![EgressProtocol::Http(http)], allow(&["api.test"]));
    let edit = |snapshot: &mut Snapshot| {
        lead(snapshot, RouteKind::Grpc, "calls.svc", &outside("api.test", origin.http()), with(to_host("api.test")));
        let sealed = over_tls(origin, outside("api.test", origin.https()));
        lead(snapshot, RouteKind::Grpc, "sealed.svc", &sealed, with(to_host("api.test")));
    };
    let world = World::routed(Protocol::Http, vec![for_everyone(vec![rule])], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world
}

#[tokio::test]
async fn unary_calls_are_decided_one_by_one_and_refused_in_their_own_words() {
    let origin = Origin::start(&["api.test"]).await;
    let world = world(&origin).await;
    for host in ["calls.svc", "sealed.svc"] {
        let mut connection = Dial::h2c(world.proxy).connect(host).await.unwrap();
        let unary = format!("http://{host}/{SERVICE}/Unary");
        let answer = call(&mut connection, &unary, &[], b"hello").await.unwrap();
        assert_eq!((answer.status, answer.messages.as_slice()), (Some(0), &[b"hello".as_slice().into()][..]), "{host}");
        let other = call(&mut connection, &format!("http://{host}/other.Service/Call"), &[], b"hello").await.unwrap();
        // PERMISSION_DENIED.
        assert_eq!((other.http_status.as_u16(), other.status), (200, Some(7)), "{host}: {other:?}");
        assert!(
            other.message.starts_with("egress_denied: no egress policy allows this destination, request "),
            "{other:?}"
        );
    }
    assert_eq!(origin.server.requests().len(), 2);
    world.counted(&decisions("rule", "allow"), 2).await;
    world.counted(&decisions("no_rule", "deny"), 2).await;
}

#[tokio::test]
async fn messages_go_both_ways_while_a_call_runs() {
    let origin = Origin::start(&["api.test"]).await;
    let world = world(&origin).await;
    for host in ["calls.svc", "sealed.svc"] {
        let mut connection = Dial::h2c(world.proxy).connect(host).await.unwrap();
        let (feed, payload) = Payload::fed();
        let begun = connection.begin(request(&format!("http://{host}/{SERVICE}/Stream"), payload).unwrap());
        let mut answer = soon(begun).await.unwrap().into_body();
        for message in [&b"one"[..], b"two", b"three"] {
            assert!(feed.data(framed(message)).await);
            let mut received = Vec::new();
            while received.len() < 5 + message.len() {
                let frame = soon(answer.frame()).await.unwrap().unwrap();
                received.extend_from_slice(frame.data_ref().unwrap());
            }
            assert_eq!(unframed(received.into()), [message]);
        }
        drop(feed);
        let rest = soon(answer.collect()).await.unwrap();
        assert_eq!(rest.trailers().unwrap()["grpc-status"], "0");
    }
}

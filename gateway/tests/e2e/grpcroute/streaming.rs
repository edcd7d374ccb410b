//! Messages both ways, one by one, and trailers after them.

use super::{Bed, UNARY, grpc_route};
use crate::support::PATIENCE;
use http_body_util::BodyExt;
use lychgate_testkit::grpc::{framed, request, unframed};
use lychgate_testkit::{Dial, Payload};

const STREAM: &str = "http://a.example/lychgate.echo.v1.Echo/Stream";

fn routes() -> String {
    grpc_route("grpc", "[]", "    - backendRefs: [{name: blue, port: 80}]\n")
}

#[tokio::test]
async fn every_message_is_answered_before_the_next_is_sent() {
    let bed = Bed::serve(&routes()).await;
    let mut connection = Dial::h2c(bed.address).connect("a.example").await.unwrap();
    let (feed, payload) = Payload::fed();
    let begun = connection.begin(request(STREAM, payload).unwrap());
    let mut answer = tokio::time::timeout(PATIENCE, begun).await.unwrap().unwrap().into_body();
    for number in 0..20 {
        let message = format!("message {number}");
        assert!(feed.data(framed(message.as_bytes())).await);
        let mut received = Vec::new();
        while received.len() < 5 + message.len() {
            let frame = tokio::time::timeout(PATIENCE, answer.frame()).await.unwrap().unwrap().unwrap();
            received.extend_from_slice(frame.data_ref().unwrap());
        }
        assert_eq!(unframed(received.into()), [message.as_bytes()]);
    }
    drop(feed);
    let mut trailers = None;
    while let Some(frame) = tokio::time::timeout(PATIENCE, answer.frame()).await.unwrap() {
        trailers = frame.unwrap().into_trailers().ok().or(trailers);
    }
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn many_calls_share_a_connection_and_large_messages_arrive_whole() {
    let bed = Bed::serve(&routes()).await;
    let connection = Dial::h2c(bed.address).connect("a.example").await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..50_u8 {
        let mut connection = connection.multiplexed().unwrap();
        calls.spawn(async move {
            let message = vec![number; 100_000];
            let url = format!("http://a.example/{UNARY}");
            let reply = lychgate_testkit::grpc::call(&mut connection, &url, &[], &message).await.unwrap();
            assert_eq!(reply.status, Some(0));
            assert!(reply.messages.len() == 1 && reply.messages[0] == message);
            assert_eq!(reply.trailers["grpc-status"], "0");
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    assert_eq!(bed.seen(), (50, 0));
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn a_client_that_gives_up_takes_its_call_with_it() {
    let bed = Bed::serve(&routes()).await;
    let mut connection = Dial::h2c(bed.address).connect("a.example").await.unwrap();
    let (feed, payload) = Payload::fed();
    let answer = connection.begin(request(STREAM, payload).unwrap()).await.unwrap();
    assert!(feed.data(framed(b"first")).await);
    drop(answer);
    drop(feed);
    drop(connection);
    let counts = bed.blue.wait_for(|counts| counts.cancelled + counts.answered >= 1).await;
    assert_eq!(counts.requests, 1);
    assert_eq!(bed.site.stop().await, 0);
}

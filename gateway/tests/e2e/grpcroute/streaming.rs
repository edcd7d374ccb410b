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
async fn a_client_that_streams_is_answered_once_after_its_last_message() {
    let bed = Bed::serve(&routes()).await;
    let mut connection = Dial::h2c(bed.address).connect("a.example").await.unwrap();
    let (feed, payload) = Payload::fed();
    let call = request("http://a.example/lychgate.echo.v1.Echo/Collect", payload).unwrap();
    let answer = tokio::spawn(async move { connection.send(call).await.unwrap() });
    for letter in ["a", "b", "c"] {
        assert!(feed.data(framed(letter.as_bytes())).await);
    }
    // The backend has the call, and waits for its end.
    bed.blue.wait_for(|counts| counts.requests == 1).await;
    assert!(!answer.is_finished());
    drop(feed);
    let reply = answer.await.unwrap();
    assert_eq!(unframed(reply.body), ["abc"]);
    assert_eq!(reply.trailers["grpc-status"], "0");
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn a_server_that_streams_is_heard_message_by_message() {
    let bed = Bed::serve(&routes()).await;
    let mut connection = Dial::h2c(bed.address).connect("a.example").await.unwrap();
    let mut call = request("http://a.example/lychgate.echo.v1.Echo/Repeat", framed(b"x")).unwrap();
    call.headers_mut().insert("x-echo-hold-body", "gate".parse().unwrap());
    let mut answer = connection.begin(call).await.unwrap().into_body();
    let first = tokio::time::timeout(PATIENCE, answer.frame()).await.unwrap().unwrap().unwrap();
    assert_eq!(unframed(first.into_data().unwrap()), ["x"]);
    // The first has arrived while the others are not even sent.
    bed.blue.wait_held("gate", 1).await;
    bed.blue.release("gate");
    let rest = tokio::time::timeout(PATIENCE, answer.collect()).await.unwrap().unwrap();
    assert_eq!(rest.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(unframed(rest.to_bytes()), ["x", "x"]);
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

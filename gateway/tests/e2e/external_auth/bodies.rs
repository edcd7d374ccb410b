//! Bodies that the service is shown: all of them, or the request goes no further; and the backend gets them all the same.

use super::service::{CheckResponse, Granted, Verdict};
use super::{Bed, Says, answer, send, values};
use bytes::Bytes;
use http::Request;
use lychgate_echo::pattern;
use lychgate_testkit::{Dial, Payload, RawConnection};
use std::time::Duration;

const SHOWN: &str = "protocol: HTTP, http: {allowedHeaders: [content-type]}, forwardBody: {maxSize: 300000}";

/// A body that is sent in pieces, without a length.
fn in_pieces(body: &Bytes) -> Payload {
    let (feed, payload) = Payload::fed();
    let body = body.clone();
    tokio::spawn(async move {
        for piece in body.chunks(7_000) {
            // Refused in the middle.
            if !feed.data(Bytes::copy_from_slice(piece)).await {
                return;
            }
        }
    });
    payload
}

#[tokio::test]
async fn the_service_and_the_backend_get_the_whole_body() {
    let bed = Bed::new(SHOWN, |_| answer(200, &[], "")).await;
    // Less and more than is kept for another try anyway.
    for size in [0, 1, 60_000, 300_000] {
        let body = Bytes::from(pattern(size));
        for dial in [Dial::http1(bed.at), Dial::h2c(bed.at)] {
            for declared in [true, false] {
                let payload = if declared { Payload::Whole(body.clone()) } else { in_pieces(&body) };
                let request = Request::post("http://a.example/?echo=body").header("content-type", "a/b").body(payload);
                let reply = dial.send(request.unwrap()).await.unwrap();
                assert!(reply.status == 200 && reply.body == body, "{size} {declared}: {} came back", reply.body.len());
                let asked = bed.auth.last();
                assert!(asked.body == body, "{size} {declared}: {} were shown", asked.body.len());
                assert_eq!(values(&asked.headers, "content-length"), [size.to_string()]);
                assert_eq!(values(&asked.headers, "content-type"), ["a/b"]);
            }
        }
    }
}

#[tokio::test]
async fn a_longer_body_is_refused_and_nobody_is_asked() {
    let bed = Bed::new("protocol: HTTP, http: {}, forwardBody: {maxSize: 1000}", |_| answer(200, &[], "")).await;
    let body = Bytes::from(pattern(1001));
    for dial in [Dial::http1(bed.at), Dial::h2c(bed.at)] {
        for payload in [Payload::Whole(body.clone()), in_pieces(&body)] {
            let reply = dial.send(Request::post("http://a.example/").body(payload).unwrap()).await.unwrap();
            assert_eq!(reply.status, 413);
            assert!(reply.text().contains("body_too_large"), "{}", reply.text());
        }
    }
    assert!(bed.auth.asked().is_empty());
    assert_eq!(bed.it.counts().requests, 0);
}

#[tokio::test]
async fn without_a_size_the_body_is_shown_to_nobody_and_streams() {
    let bed = Bed::new("protocol: HTTP, http: {}, forwardBody: {maxSize: 0}", |_| answer(200, &[], "")).await;
    let body = Bytes::from(pattern(1 << 20));
    let reply = send(&Dial::http1(bed.at), "POST", "/?echo=body", &[], body.clone()).await;
    assert!(reply.body == body, "{} came back", reply.body.len());
    let asked = bed.auth.last();
    assert_eq!((asked.body.len(), values(&asked.headers, "content-length")), (0, vec!["0".to_owned()]));
}

#[tokio::test]
async fn a_denied_body_goes_nowhere() {
    let bed =
        Bed::new(
            SHOWN,
            |asked| if asked.body.starts_with(b"good") { answer(200, &[], "") } else { answer(403, &[], "") },
        )
        .await;
    let mut connection = Dial::http1(bed.at).connect("a.example").await.unwrap();
    for (body, status) in [("bad", 403), ("good", 200), ("bad", 403)] {
        let request = Request::post("http://a.example/").body(Payload::from(body)).unwrap();
        assert_eq!(connection.send(request).await.unwrap().status, status);
    }
    assert_eq!(bed.it.counts().requests, 1);
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_its_body_gets_it() {
    let bed = Bed::new(SHOWN, |_| answer(200, &[], "")).await;
    let mut client = RawConnection::open(&Dial::http1(bed.at), "a.example").await.unwrap();
    let head = "POST /?echo=body HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    client.send(head).await.unwrap();
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(client.read_exact(interim.len()).await.unwrap(), interim.as_bytes());
    client.send("body").await.unwrap();
    let reply = client.response().await.unwrap();
    assert_eq!((reply.status, &*reply.body), (200, &b"body"[..]));
    assert_eq!(bed.auth.last().body, "body");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_without_end() {
    let bed = Bed::with(
        SHOWN,
        "",
        |_| answer(200, &[], ""),
        |options| options.limits.client_idle = Duration::from_millis(300),
    )
    .await;
    for dial in [Dial::http1(bed.at), Dial::h2c(bed.at)] {
        let (feed, payload) = Payload::fed();
        assert!(feed.data(Bytes::from_static(b"begun")).await);
        let reply = dial.send(Request::post("http://a.example/").body(payload).unwrap()).await.unwrap();
        assert_eq!(reply.status, 408);
        assert!(reply.text().contains("slow_request"), "{}", reply.text());
        drop(feed);
    }
    assert!(bed.auth.asked().is_empty());
}

#[tokio::test]
async fn there_is_room_for_so_many_bodies_and_it_is_given_back() {
    let bed = Bed::with(SHOWN, "", |_| answer(200, &[], ""), |options| options.limits.auth_bodies = 1000).await;
    let status =
        async |size| send(&Dial::http1(bed.at), "POST", "/", &[], Bytes::from(pattern(size))).await.status.as_u16();
    assert_eq!(status(900).await, 200);
    assert_eq!(status(1001).await, 503);
    // It is given back when the request is over, which is a moment after its response.
    for _ in 0..3 {
        crate::support::eventually("there is room again", async || status(1000).await == 200).await;
    }
}

#[tokio::test]
async fn a_body_that_was_shown_is_kept_for_another_try() {
    let retry = "      retry: {attempts: 2, codes: [503], backoff: 1ms}\n";
    let bed =
        Bed::with(SHOWN, retry, |_| answer(200, &[("x-echo-status", "503"), ("x-echo-fail", "1")], ""), |_| {}).await;
    let body = Bytes::from(pattern(200_000));
    let reply = send(&Dial::http1(bed.at), "POST", "/?echo=body", &[], body.clone()).await;
    assert_eq!(reply.status, 200);
    assert!(reply.body == body, "{} came back", reply.body.len());
    assert_eq!((bed.auth.asked().len(), bed.it.counts().requests), (1, 2));
}

#[tokio::test]
async fn over_grpc_a_body_is_text_or_bytes() {
    let yes = |_: &super::Asked| {
        Says::Grpc(CheckResponse { status: None, verdict: Some(Verdict::Granted(Granted::default())) })
    };
    let bed = Bed::new("protocol: GRPC, grpc: {}, forwardBody: {maxSize: 200000}", yes).await;
    for body in [&b"text"[..], b"\xff\x00\xfe", &pattern(150_000)] {
        let reply = send(&Dial::http1(bed.at), "POST", "/?echo=body", &[], Bytes::copy_from_slice(body)).await;
        assert_eq!(reply.body, body);
        let told = bed.auth.last().http();
        let shown = if told.body.is_empty() { told.raw_body.to_vec() } else { told.body.into_bytes() };
        assert_eq!((shown.as_slice(), told.size), (body, body.len() as i64));
    }
}

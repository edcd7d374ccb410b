//! Clients that take their time.

use super::bed;
use super::http2::Frames;
use crate::support::eventually;
use http::Request;
use lychgate_testkit::{Dial, Ending, Payload, RawConnection};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_head_has_to_come_in_time() {
    let bed = bed(|options| options.limits.head_time = SOON).await;
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\nX: ").await.unwrap();
    let reply = connection.response().await.unwrap();
    assert_eq!((reply.status, bed.refused("slow_head").await), (408, 1));
    assert!(reply.text().contains("slow_head"), "{}", reply.text());
    // The time runs from the beginning of a head, whatever came before it …
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
    connection.send("GET /").await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 408);
    // … and while a request is being served, the next one has time.
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    connection.send("GET /?delay=500ms HTTP/1.1\r\nHost: a\r\n\r\nGET /").await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
    connection.send(" HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
    assert_eq!(bed.refused("slow_head").await, 2);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let bed = bed(|options| options.limits.head_time = SOON).await;
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    assert_eq!(connection.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
    assert_eq!(bed.refused("no_request").await, 1);
}

#[tokio::test]
async fn a_body_has_to_go_on() {
    let bed = bed(|options| options.limits.client_idle = SOON).await;
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
    let reply = connection.response().await.unwrap();
    assert_eq!((reply.status, bed.refused("slow_request").await), (408, 1));
    // A stream of HTTP/2 is reset.
    let (feed, body) = Payload::fed();
    assert!(feed.data("half").await);
    let sent = Dial::h2c(bed.at).send(Request::post("http://a.example/").body(body).unwrap()).await;
    assert!(sent.is_err(), "{sent:?}");
    drop(feed);
    assert_eq!(bed.refused("slow_request").await, 2);
    assert!(bed.serves().await);
}

#[tokio::test]
async fn a_request_may_take_so_long_and_no_longer() {
    let bed = bed(|options| options.limits.request = Some(SOON)).await;
    let reply = Dial::http1(bed.at).get("http://a.example/?hold=never").await.unwrap();
    assert_eq!(reply.status, 504, "{}", reply.text());
    bed.it.release("never");
}

#[tokio::test]
async fn a_connection_may_get_so_old_and_no_older() {
    let bed = bed(|options| options.limits.connection = Some(SOON)).await;
    // A request that is running is answered.
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    connection.send("GET /?delay=500ms HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
    assert_eq!(connection.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
    let mut connection = Dial::h2c(bed.at).connect("a.example").await.unwrap();
    assert_eq!(connection.get("http://a.example/?delay=500ms").await.unwrap().status, 200);
    eventually("the connection takes no more requests", async || connection.get("http://a.example/").await.is_err())
        .await;
}

#[tokio::test]
async fn an_idle_connection_of_http2_is_closed_with_a_farewell() {
    let bed = bed(|options| options.limits.http2_idle = SOON).await;
    let mut connection = Dial::h2c(bed.at).connect("a.example").await.unwrap();
    // One that is used is not idle.
    assert_eq!(connection.get("http://a.example/?delay=500ms").await.unwrap().status, 200);
    let mut raw = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    raw.send(Frames::hello()).await.unwrap();
    raw.send(Frames::get(1)).await.unwrap();
    let (bytes, ending) = raw.to_end().await.unwrap();
    assert_eq!(Frames::goaway(&bytes), Some(0), "{bytes:?}");
    assert_eq!(ending, Ending::Closed);
}

//! Bodies of requests that are tried again, and those that cannot be.

use super::bed::{pod, serve_alone};
use crate::support::http_route;
use bytes::Bytes;
use http::Request;
use lychgate_echo::{EchoReport, EchoServer, pattern};
use lychgate_testkit::{Dial, Payload};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

const RULE: &str =
    "    - retry: {codes: [503], attempts: 2, backoff: 1ms}\n      backendRefs: [{name: it, port: 80}]\n";

async fn bed() -> (EchoServer, crate::support::Site, SocketAddr) {
    let (it, services) = pod("it").await;
    let (site, at) = serve_alone(&(services + &http_route("it", "[]", RULE))).await;
    (it, site, at)
}

fn chunked(body: &Bytes) -> Payload {
    let (feed, payload) = Payload::fed();
    let body = body.clone();
    tokio::spawn(async move {
        for piece in body.chunks(10_000) {
            if !feed.data(Bytes::copy_from_slice(piece)).await {
                return;
            }
        }
    });
    payload
}

#[tokio::test]
async fn a_body_is_sent_again_with_every_try() {
    let (it, _site, at) = bed().await;
    let body = Bytes::from(pattern(60_000));
    let mut n = 0;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        for trouble in ["status=503", "abort=reset", "abort=close"] {
            for payload in [Payload::Whole(body.clone()), chunked(&body)] {
                n += 1;
                let url = format!("http://a.example/?{trouble}&fail=2&key={n}");
                let reply = dial.send(Request::post(url).body(payload).unwrap()).await.unwrap();
                assert_eq!(reply.status, 200, "{trouble}");
                assert_eq!(reply.json::<EchoReport>().body_bytes, Some(60_000));
                for request in it.requests().iter().rev().take(3) {
                    let seen = request.body().unwrap();
                    assert_eq!(seen.size, 60_000);
                    assert!(body.starts_with(&seen.start));
                }
                assert_eq!(it.counts().requests, 3 * n);
            }
        }
    }
}

/// What was logged, for as long as it is the default of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_to_keep_is_sent_once_and_the_log_says_so() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let (it, _site, at) = bed().await;
    let body = Bytes::from(pattern(200_000));
    for (n, (trouble, status)) in (1..).zip([("status=503", 503), ("abort=reset", 502)]) {
        log.0.lock().unwrap().clear();
        let url = format!("http://a.example/?{trouble}&fail=1&key={n}");
        let reply = Dial::http1(at).send(Request::post(url).body(body.clone()).unwrap()).await.unwrap();
        assert_eq!(reply.status, status, "{trouble}");
        assert_eq!(it.counts().requests, n);
        let told = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(told.contains("not tried again") && told.contains("HTTPRoute/default/it#0"), "{trouble}: {told}");
    }
}

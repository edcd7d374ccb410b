//! Backends that do with HTTP/2 what well-behaved ones seldom do: calls end as their clients expect, and end nothing else.

use super::{UNARY, grpc_route};
use crate::support::{PATIENCE, Site, http_gateway, http_route, service, service_speaking};
use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use lychgate_testkit::grpc::{call, framed, request, unframed};
use lychgate_testkit::{Connected, Dial, Payload, free_addr};
use std::future::poll_fn;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

type Backend = Connection<TcpStream, Bytes>;

/// A gateway in front of connections that are accepted by hand.
struct Bed {
    site: Site,
    address: SocketAddr,
    backends: TcpListener,
}

impl Bed {
    async fn serve() -> Self {
        Self::serve_with(|backend| {
            service("raw", &[backend]) + &grpc_route("grpc", "[]", "    - backendRefs: [{name: raw, port: 80}]\n")
        })
        .await
    }

    async fn serve_with(files: impl FnOnce(SocketAddr) -> String) -> Self {
        let backends = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free_addr();
        let files = http_gateway(address.port()) + &files(backends.local_addr().unwrap());
        let site = Site::serve_alone(&[("all.yaml", &files)]).await;
        Self { site, address, backends }
    }

    async fn client(&self) -> Connected {
        Dial::h2c(self.address).connect("a.example").await.unwrap()
    }

    /// The next connection that the gateway makes.
    async fn connection(&self) -> Backend {
        let (tcp, _) = soon(self.backends.accept()).await.unwrap();
        soon(h2::server::handshake(tcp)).await.unwrap()
    }
}

async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wanted).await.unwrap()
}

fn method() -> String {
    format!("http://a.example/{UNARY}")
}

/// Calls once, beside whatever the backend does.
fn calling(mut client: Connected) -> tokio::task::JoinHandle<Result<lychgate_testkit::grpc::GrpcReply, String>> {
    tokio::spawn(async move {
        let called = call(&mut client, &method(), &[], b"message").await;
        called.map_err(|error| error.to_string())
    })
}

async fn accept(connection: &mut Backend) -> (Request<RecvStream>, SendResponse<Bytes>) {
    soon(connection.accept()).await.unwrap().unwrap()
}

/// Drives a connection while something happens on its streams.
async fn driven<T>(connection: &mut Backend, happens: impl Future<Output = T>) -> T {
    tokio::select! {
        happened = soon(happens) => happened,
        more = connection.accept() => panic!("{:?}", more.map(|more| more.map(|(request, _)| request))),
    }
}

fn head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

fn status(code: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static(code))])
}

async fn answer(mut respond: SendResponse<Bytes>) {
    let mut stream = respond.send_response(head(), false).unwrap();
    stream.send_data(framed(b"answer"), false).unwrap();
    stream.send_trailers(status("0")).unwrap();
    // Until all of it is sent, or nobody wants it.
    let _ = poll_fn(|cx| stream.poll_reset(cx)).await;
}

#[tokio::test]
async fn a_stream_that_is_reset_is_unavailable_and_its_connection_goes_on() {
    let bed = Bed::serve().await;
    let client = bed.client().await;
    let first = calling(client.multiplexed().unwrap());
    let mut connection = bed.connection().await;
    let (_, mut respond) = accept(&mut connection).await;
    respond.send_reset(Reason::INTERNAL_ERROR);
    let broken = driven(&mut connection, first).await.unwrap().unwrap();
    assert_eq!(broken.status, Some(14), "{broken:?}");
    let second = calling(client);
    let (_, respond) = accept(&mut connection).await;
    let answered = driven(&mut connection, async {
        tokio::select! {
            second = second => second,
            () = answer(respond) => panic!("nobody wanted it"),
        }
    });
    assert_eq!(answered.await.unwrap().unwrap().messages, ["answer"]);
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn a_stream_that_is_reset_in_the_middle_is_reset_after_what_came() {
    let bed = Bed::serve().await;
    let mut client = bed.client().await;
    let begun = tokio::spawn(async move { client.begin(request(&method(), framed(b"x")).unwrap()).await.unwrap() });
    let mut connection = bed.connection().await;
    let (_, mut respond) = accept(&mut connection).await;
    let mut stream = respond.send_response(head(), false).unwrap();
    stream.send_data(framed(b"first"), false).unwrap();
    let mut body = driven(&mut connection, begun).await.unwrap().into_body();
    let first = driven(&mut connection, body.frame()).await.unwrap().unwrap();
    assert_eq!(unframed(first.into_data().unwrap()), ["first"]);
    stream.send_reset(Reason::INTERNAL_ERROR);
    assert!(driven(&mut connection, body.collect()).await.is_err());
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn a_connection_that_says_goodbye_ends_what_runs_and_gets_nothing_new() {
    let bed = Bed::serve().await;
    let client = bed.client().await;
    let first = calling(client.multiplexed().unwrap());
    let mut old = bed.connection().await;
    let (_, respond) = accept(&mut old).await;
    old.graceful_shutdown();
    let answering = tokio::spawn(answer(respond));
    let ending = tokio::spawn(async move {
        while let Some(more) = old.accept().await {
            assert!(more.is_err(), "another call");
        }
    });
    assert_eq!(soon(first).await.unwrap().unwrap().messages, ["answer"]);
    soon(ending).await.unwrap();
    answering.abort();
    let second = calling(client);
    let mut new = bed.connection().await;
    let (_, respond) = accept(&mut new).await;
    let answering = tokio::spawn(answer(respond));
    assert_eq!(driven(&mut new, second).await.unwrap().unwrap().status, Some(0));
    answering.abort();
    drop(new);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn large_metadata_and_trailers_alone_arrive_as_they_are() {
    let bed = Bed::serve().await;
    let client = bed.client().await;
    let large = HeaderValue::try_from("x".repeat(6000)).unwrap();
    let first = calling(client.multiplexed().unwrap());
    let mut connection = bed.connection().await;
    let (_, mut respond) = accept(&mut connection).await;
    let mut response = head();
    response.headers_mut().insert("x-large", large.clone());
    let mut stream = respond.send_response(response, false).unwrap();
    let mut trailers = status("0");
    trailers.insert("x-large-bin", large.clone());
    stream.send_trailers(trailers).unwrap();
    let reply = driven(&mut connection, first).await.unwrap().unwrap();
    assert_eq!((&reply.headers["x-large"], &reply.trailers["x-large-bin"]), (&large, &large));
    assert!(reply.messages.is_empty());
    let mut client = client;
    let begun = tokio::spawn(async move { client.begin(request(&method(), framed(b"x")).unwrap()).await.unwrap() });
    let (_, mut respond) = accept(&mut connection).await;
    let mut response = head();
    response.headers_mut().insert("grpc-status", HeaderValue::from_static("5"));
    respond.send_response(response, true).unwrap();
    let response = driven(&mut connection, begun).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "5");
    assert!(hyper::body::Body::is_end_stream(response.body()));
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

/// Sends pieces as the other side makes room for them.
async fn fill(stream: &mut SendStream<Bytes>, piece: &Bytes, pieces: usize) {
    for _ in 0..pieces {
        let mut left = piece.clone();
        while !left.is_empty() {
            stream.reserve_capacity(left.len());
            let room = poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
            stream.send_data(left.split_to(room.min(left.len())), false).unwrap();
        }
    }
}

/// The one who does not take its answer, whose request goes on all the same, and who has it all in the end.
#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody_else() {
    const PIECES: usize = 100;
    let bed = Bed::serve().await;
    let piece = framed(&[b'x'; 60_000]);
    // Its windows are small, so that what is not read is felt.
    let tcp = TcpStream::connect(bed.address).await.unwrap();
    let (mut slow, driver) = h2::client::Builder::new().initial_window_size(1000).handshake(tcp).await.unwrap();
    let driver = tokio::spawn(driver);
    let call = Request::post(method()).header("content-type", "application/grpc").header("te", "trailers").body(());
    let (response, mut upload) = slow.send_request(call.unwrap(), false).unwrap();
    let mut connection = bed.connection().await;
    let (request_of_slow, mut respond) = accept(&mut connection).await;
    let mut stream = respond.send_response(head(), false).unwrap();
    let sent = piece.clone();
    let filling = tokio::spawn(async move {
        fill(&mut stream, &sent, PIECES).await;
        stream.send_trailers(status("0")).unwrap();
        let _ = poll_fn(|cx| stream.poll_reset(cx)).await;
    });
    let mut body = driven(&mut connection, response).await.unwrap().into_body();
    // Another call, over the same connections.
    let mut other = bed.client().await;
    let other = tokio::spawn(async move { call_once(&mut other).await });
    let (_, respond) = accept(&mut connection).await;
    let answering = tokio::spawn(answer(respond));
    assert_eq!(driven(&mut connection, other).await.unwrap(), Some(0));
    assert!(!filling.is_finished());
    // Now it reads.
    let mut received = 0;
    let reading = async {
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            received += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        upload.send_data(framed(b"late"), true).unwrap();
        body.trailers().await.unwrap().unwrap()
    };
    let trailers = driven(&mut connection, reading).await;
    assert_eq!((received, &trailers["grpc-status"]), (PIECES * piece.len(), &HeaderValue::from_static("0")));
    let mut late = request_of_slow.into_body();
    let late = driven(&mut connection, late.data()).await.unwrap().unwrap();
    assert_eq!(unframed(late), ["late"]);
    answering.abort();
    filling.abort();
    driver.abort();
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

async fn call_once(client: &mut Connected) -> Option<u16> {
    call(client, &method(), &[], b"message").await.unwrap().status
}

#[tokio::test]
async fn an_upload_that_nobody_wants_ends_with_the_answer() {
    let bed = Bed::serve().await;
    let mut client = bed.client().await;
    let (feed, payload) = Payload::fed();
    let begun = tokio::spawn(async move { client.begin(request(&method(), payload).unwrap()).await.unwrap() });
    assert!(feed.data(framed(b"first")).await);
    let mut connection = bed.connection().await;
    let (unread, mut respond) = accept(&mut connection).await;
    let mut response = head();
    response.headers_mut().insert("grpc-status", HeaderValue::from_static("7"));
    respond.send_response(response, true).unwrap();
    // What is not read is reset, without an error, behind the answer.
    drop((unread, respond));
    let response = driven(&mut connection, begun).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "7");
    drop(feed);
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn an_answer_that_goes_on_is_cut_at_the_deadline_and_so_is_its_stream() {
    let bed = Bed::serve_with(|backend| {
        let rules = "    - timeouts: {request: 300ms}\n      backendRefs: [{name: raw, port: 80}]\n";
        service_speaking("raw", Some("kubernetes.io/h2c"), &[backend]) + &http_route("web", "[a.example]", rules)
    })
    .await;
    let mut client = bed.client().await;
    let begun = tokio::spawn(async move { client.begin(request(&method(), framed(b"x")).unwrap()).await.unwrap() });
    let mut connection = bed.connection().await;
    let (_, mut respond) = accept(&mut connection).await;
    let mut stream = respond.send_response(head(), false).unwrap();
    let body = driven(&mut connection, begun).await.unwrap().into_body();
    assert!(driven(&mut connection, body.collect()).await.is_err());
    let reason = driven(&mut connection, poll_fn(|cx| stream.poll_reset(cx))).await.unwrap();
    assert_eq!(reason, Reason::CANCEL);
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

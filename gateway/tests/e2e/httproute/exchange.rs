//! What a backend answers, piece by piece: when its client has which of it, and which connections are used again.

use super::bed::serve;
use crate::support::{http_route, service, soon};
use lychgate_testkit::{Dial, RawConnection};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A backend that does what the test does.
struct Backend(TcpListener);

/// A connection of it.
struct Accepted(TcpStream);

impl Backend {
    async fn new() -> (Self, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (Self(listener), address)
    }

    async fn accept(&self) -> Accepted {
        Accepted(soon(self.0.accept()).await.unwrap().0)
    }

    /// A connection on which one request was answered with this.
    async fn answered(&self, client: &mut RawConnection, answer: &str) -> Accepted {
        ask(client, "/first").await;
        let mut connection = self.accept().await;
        assert_eq!(connection.asked().await, "/first");
        connection.say(answer).await;
        connection
    }
}

impl Accepted {
    /// The path of the next request.
    async fn asked(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(self.0.read_u8()).await.unwrap());
        }
        String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    async fn say(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Whether the gateway ends the connection, in whatever way.
    async fn is_ended(&mut self) -> bool {
        !matches!(soon(self.0.read(&mut [0; 1])).await, Ok(1..))
    }
}

async fn ask(client: &mut RawConnection, path: &str) {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")).await.unwrap();
}

/// The head of the next response, an interim one or not.
async fn head(client: &mut RawConnection) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.read_exact(1).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A backend behind a gateway, and a client of it.
macro_rules! bed {
    ($backend:ident, $client:ident, $dial:ident) => {
        let ($backend, address) = Backend::new().await;
        let (_site, at) = serve(&(service("it", &[address]) + &http_route("it", "[]", RULE))).await;
        let $dial = Dial::http1(at);
        #[allow(unused_mut)]
        let mut $client = RawConnection::open(&$dial, "a.example").await.unwrap();
    };
}

#[tokio::test]
async fn what_comes_at_once_and_what_comes_in_pieces_is_the_same() {
    bed!(backend, client, dial);
    let mut connection = backend.answered(&mut client, OK).await;
    assert_eq!(client.response().await.unwrap().text(), "ok");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for answer in [OK, chunked] {
        for end in [answer.len(), 20, answer.len() - 1, answer.len() - 5] {
            ask(&mut client, "/again").await;
            assert_eq!(connection.asked().await, "/again", "the connection is used again");
            let (now, later) = answer.split_at(end);
            connection.say(now).await;
            if now.contains("\r\n\r\n") && !later.is_empty() {
                // The client does not wait for what is not there yet: it has the head before the rest is sent.
                assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
                connection.say(later).await;
                let mut rest = Vec::new();
                while !rest.ends_with(b"ok") {
                    rest.extend(client.read_exact(1).await.unwrap());
                }
                if answer == chunked {
                    assert_eq!(client.read_exact(7).await.unwrap(), b"\r\n0\r\n\r\n");
                }
            } else {
                connection.say(later).await;
                assert_eq!(client.response().await.unwrap().text(), "ok");
            }
        }
    }
}

#[tokio::test]
async fn interim_responses_come_before_the_last_one() {
    bed!(backend, client, dial);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    let mut connection = backend.answered(&mut client, &format!("{hints}{OK}")).await;
    assert!(head(&mut client).await.starts_with("HTTP/1.1 103"));
    assert_eq!(client.response().await.unwrap().text(), "ok");
    ask(&mut client, "/slowly").await;
    assert_eq!(connection.asked().await, "/slowly");
    connection.say(hints).await;
    assert!(head(&mut client).await.starts_with("HTTP/1.1 103"));
    connection.say(OK).await;
    assert_eq!(client.response().await.unwrap().text(), "ok");
    ask(&mut client, "/again").await;
    assert_eq!(connection.asked().await, "/again");
}

#[tokio::test]
async fn a_backend_that_says_more_than_its_answer_is_not_asked_again_there() {
    bed!(backend, client, dial);
    let mut talking = backend.answered(&mut client, &format!("{OK}HTTP/1.1 200 OK\r\nX-Forged: 1\r\n")).await;
    assert_eq!(client.response().await.unwrap().text(), "ok");
    assert!(talking.is_ended().await);
    ask(&mut client, "/again").await;
    let mut other = backend.accept().await;
    assert_eq!(other.asked().await, "/again");
    other.say(OK).await;
    let answer = client.response().await.unwrap();
    assert_eq!((answer.text().as_str(), answer.header("x-forged")), ("ok", None));
}

#[tokio::test]
async fn what_a_backend_says_between_two_requests_answers_none() {
    bed!(backend, client, dial);
    let mut talking = backend.answered(&mut client, OK).await;
    assert_eq!(client.response().await.unwrap().text(), "ok");
    talking.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged").await;
    ask(&mut client, "/again").await;
    let mut other = backend.accept().await;
    assert_eq!(other.asked().await, "/again");
    other.say(OK).await;
    assert_eq!(client.response().await.unwrap().text(), "ok");
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_connection_to_the_backend_with_it() {
    bed!(backend, client, dial);
    ask(&mut client, "/left").await;
    let mut left = backend.accept().await;
    assert_eq!(left.asked().await, "/left");
    drop(client);
    assert!(left.is_ended().await);
    // What it would have been answered is for nobody else.
    let mut client = RawConnection::open(&dial, "a.example").await.unwrap();
    let mut connection = backend.answered(&mut client, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbeginning").await;
    assert_eq!(client.response().await.unwrap().text(), "beginning");
    // The same in the middle of a response.
    ask(&mut client, "/middle").await;
    assert_eq!(connection.asked().await, "/middle");
    connection.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbeg").await;
    client.read_exact(12).await.unwrap();
    drop(client);
    assert!(connection.is_ended().await);
}

#[tokio::test]
async fn a_backend_that_leaves_too_early_is_no_whole_answer() {
    bed!(backend, client, dial);
    // Before any of it; the connection was never used, so nobody knows whether the request was done.
    ask(&mut client, "/none").await;
    let mut connection = backend.accept().await;
    assert_eq!(connection.asked().await, "/none");
    drop(connection);
    assert_eq!(client.response().await.unwrap().status, 502);
    // In the middle of the head, of a body of known length, of chunks.
    for part in [
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbeg",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbeg\r\n",
    ] {
        let mut client = RawConnection::open(&dial, "a.example").await.unwrap();
        drop(backend.answered(&mut client, part).await);
        let (answer, _) = client.to_end().await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        if part.contains("\r\n\r\n") {
            assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.ends_with("0\r\n\r\n"), "{answer}");
        } else {
            assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_request_that_meets_a_closed_connection_gets_another_one() {
    bed!(backend, client, dial);
    let mut connection = backend.answered(&mut client, OK).await;
    assert_eq!(client.response().await.unwrap().text(), "ok");
    ask(&mut client, "/again").await;
    // It was asked, and leaves without a word: what is idempotent may be asked again.
    assert_eq!(connection.asked().await, "/again");
    drop(connection);
    let mut other = backend.accept().await;
    assert_eq!(other.asked().await, "/again");
    other.say(OK).await;
    assert_eq!(client.response().await.unwrap().text(), "ok");
}

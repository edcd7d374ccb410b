//! Random requests, as bytes on a socket and as a question.

use crate::config::Config;
use crate::random::Random;
use http::{HeaderMap, HeaderName, HeaderValue};
use lychgate_engine::Question;
use lychgate_testkit::{Dial, RawConnection};
use std::net::SocketAddr;

const HOSTS: [&str; 10] = [
    "a.example.com",
    "b.example.com",
    "c.example.com",
    "x.a.example.com",
    "y.x.a.example.com",
    "other.test",
    "example.com",
    "A.Example.COM",
    "a.example.com:8080",
    "nobody.invalid",
];

const PATHS: [&str; 18] = [
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/b/",
    "/a/c",
    "/ab",
    "/b",
    "/b/b",
    "/c",
    "/%61",
    "/a%2Fb",
    "/a/./b",
    "/c/../a",
    "//a",
    "/a/%2e%2e/b",
    "/a%00",
    "/a%zz",
];

const QUERIES: [&str; 9] = ["", "k=one", "k=two", "k=one&k=two", "j=one&k=one", "K=one", "j=a+b", "j=a%20b&k=tXo", "k"];

const METHODS: [&str; 4] = ["GET", "POST", "DELETE", "OPTIONS"];

const HEADERS: [(&str, &str); 6] =
    [("x-a", "one"), ("X-A", "two"), ("x-a", "other"), ("x-b", "one"), ("X-B", "two"), ("x-c", "one")];

#[derive(Debug)]
pub(crate) struct Request {
    address: SocketAddr,
    host: &'static str,
    method: &'static str,
    path: &'static str,
    query: &'static str,
    headers: Vec<(&'static str, &'static str)>,
}

impl Request {
    pub(crate) fn random(random: &mut Random, config: &Config) -> Self {
        let count = random.below(4);
        Self {
            address: random.pick(&config.ports),
            host: random.pick(&HOSTS),
            method: random.pick(&METHODS),
            path: random.pick(&PATHS),
            query: if random.one_in(2) { "" } else { random.pick(&QUERIES) },
            headers: random.pick_some(&HEADERS, count),
        }
    }

    pub(crate) fn question(&self) -> Question {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::HOST, HeaderValue::from_static(self.host));
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static(value));
        }
        Question {
            tls: false,
            server_name: None,
            authority: self.host.to_owned(),
            port: self.address.port(),
            method: self.method.parse().unwrap(),
            path: self.path.to_owned(),
            query: (!self.query.is_empty()).then(|| self.query.to_owned()),
            headers,
        }
    }

    /// Sends it. Tells where it is redirected to, or the status.
    pub(crate) async fn send(&self) -> String {
        let Self { address, host, method, path, query, headers } = self;
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let mut text = format!("{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        let mut connection = RawConnection::open(&Dial::http1(*address), host).await.unwrap();
        connection.send(text + "\r\n").await.unwrap();
        let response = connection.response().await.unwrap();
        match response.header("location") {
            Some(location) => location.parse::<http::Uri>().unwrap().path().to_owned(),
            None => response.status.to_string(),
        }
    }
}

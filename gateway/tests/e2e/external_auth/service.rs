//! An authorization service: it keeps what it is asked, and says what the test wants it to.

use super::service_speaking;
use super::service_yaml;
use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lychgate_testkit::grpc::{framed, unframed};
use prost::{Message, Oneof};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) version: Version,
}

impl Asked {
    /// The message of a call.
    pub(super) fn check(&self) -> CheckRequest {
        let messages = unframed(self.body.clone());
        CheckRequest::decode(messages.first().unwrap().clone()).unwrap()
    }

    /// What a call is about.
    pub(super) fn http(&self) -> HttpRequest {
        self.check().attributes.unwrap().request.unwrap().http.unwrap()
    }
}

/// What it says.
#[derive(Clone)]
pub(super) enum Says {
    Http(Response<Bytes>),
    Grpc(CheckResponse),
    /// A call that ends with this status and without a message.
    GrpcStatus(&'static str),
    /// The same as soon as somebody allows it.
    After(Arc<Notify>, Box<Self>),
    /// Ends the connection.
    Nothing,
}

type Judge = dyn Fn(&Asked) -> Says + Send + Sync;
type Body = BoxBody<Bytes, io::Error>;

pub(super) struct AuthService {
    pub(super) address: SocketAddr,
    asked: watch::Receiver<Vec<Asked>>,
    connections: Arc<AtomicU64>,
    _task: JoinSet<()>,
}

impl AuthService {
    pub(super) async fn start(says: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (publish, asked) = watch::channel(Vec::new());
        let (publish, judge): (_, Arc<Judge>) = (Arc::new(publish), Arc::new(says));
        let connections = Arc::<AtomicU64>::default();
        let (mut task, counted) = (JoinSet::new(), connections.clone());
        task.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (publish, judge) = (publish.clone(), judge.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| take(request, publish.clone(), judge.clone()));
                    // The gateway is gone, or was meant to be left alone.
                    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tcp), service).await;
                });
            }
        });
        Self { address, asked, connections, _task: task }
    }

    /// The Service `auth` in front of it.
    pub(super) fn service(&self) -> String {
        service_yaml("auth", &[self.address])
    }

    /// The same, which says that it speaks HTTP/2.
    pub(super) fn service_h2c(&self) -> String {
        service_speaking("auth", Some("kubernetes.io/h2c"), &[self.address])
    }

    /// What it was asked by now.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// The last question.
    pub(super) fn last(&self) -> Asked {
        self.asked().last().unwrap().clone()
    }

    /// Waits until it was asked so often.
    pub(super) async fn wait_for(&self, count: usize) {
        let mut asked = self.asked.clone();
        crate::support::soon(asked.wait_for(|asked| asked.len() >= count)).await.unwrap();
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn take(
    request: Request<Incoming>,
    publish: Arc<watch::Sender<Vec<Asked>>>,
    judge: Arc<Judge>,
) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str()).to_owned();
    let mut headers = head.headers;
    if let Some(authority) = head.uri.authority() {
        headers.insert("host", authority.as_str().parse().unwrap());
    }
    let asked = Asked { method: head.method, target, headers, body, version: head.version };
    let mut says = judge(&asked);
    publish.send_modify(|all| all.push(asked));
    while let Says::After(gate, then) = says {
        gate.notified().await;
        says = *then;
    }
    match says {
        Says::Http(response) => Ok(response.map(|body| Full::new(body).map_err(|never| match never {}).boxed())),
        Says::Grpc(response) => Ok(called(Some(framed(&response.encode_to_vec())), "0")),
        Says::GrpcStatus(status) => Ok(called(None, status)),
        Says::Nothing | Says::After(..) => Err(io::Error::other("nothing to say")),
    }
}

fn called(message: Option<Bytes>, status: &'static str) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    let frames = message.map(Frame::data).into_iter().chain([Frame::trailers(trailers)]);
    let body = BodyExt::boxed(StreamBody::new(stream::iter(frames.map(Ok).collect::<Vec<_>>())));
    Response::builder().header(CONTENT_TYPE, "application/grpc").body(body).unwrap()
}

// The messages, written down from the public protocol, and from nothing of ours.

#[derive(Clone, PartialEq, Message)]
pub(super) struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Attributes {
    #[prost(message, optional, tag = "1")]
    pub(super) source: Option<Peer>,
    #[prost(message, optional, tag = "2")]
    pub(super) destination: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    pub(super) request: Option<RequestAttributes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Peer {
    #[prost(message, optional, tag = "1")]
    pub(super) address: Option<Address>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Address {
    #[prost(message, optional, tag = "1")]
    pub(super) socket: Option<Socket>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Socket {
    #[prost(string, tag = "2")]
    pub(super) address: String,
    #[prost(uint32, tag = "3")]
    pub(super) port: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestAttributes {
    #[prost(message, optional, tag = "2")]
    pub(super) http: Option<HttpRequest>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HttpRequest {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) method: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(super) headers: BTreeMap<String, String>,
    #[prost(string, tag = "4")]
    pub(super) path: String,
    #[prost(string, tag = "5")]
    pub(super) host: String,
    #[prost(string, tag = "6")]
    pub(super) scheme: String,
    #[prost(int64, tag = "9")]
    pub(super) size: i64,
    #[prost(string, tag = "10")]
    pub(super) protocol: String,
    #[prost(string, tag = "11")]
    pub(super) body: String,
    #[prost(bytes = "bytes", tag = "12")]
    pub(super) raw_body: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Status>,
    #[prost(oneof = "Verdict", tags = "2, 3")]
    pub(super) verdict: Option<Verdict>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Verdict {
    #[prost(message, tag = "2")]
    Denied(Denied),
    #[prost(message, tag = "3")]
    Granted(Granted),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Denied {
    #[prost(message, optional, tag = "1")]
    pub(super) status: Option<Code>,
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderOption>,
    #[prost(string, tag = "3")]
    pub(super) body: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Code {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Granted {
    #[prost(message, repeated, tag = "2")]
    pub(super) headers: Vec<HeaderOption>,
    #[prost(string, repeated, tag = "5")]
    pub(super) remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    pub(super) response: Vec<HeaderOption>,
    #[prost(message, repeated, tag = "7")]
    pub(super) set_query: Vec<Pair>,
    #[prost(string, repeated, tag = "8")]
    pub(super) remove_query: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HeaderOption {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<Pair>,
    #[prost(int32, tag = "3")]
    pub(super) action: i32,
}

/// A header, or a query parameter: the same numbers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Pair {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

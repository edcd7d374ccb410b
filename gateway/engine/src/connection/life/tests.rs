use super::*;
use crate::limits::Limits;
use crate::observe::Observe;
use crate::proxy_protocol::Ends;
use crate::runtime::Bind;
use lychgate_ir::Transport;
use lychgate_telemetry::{Metrics, MetricsLimits};
use pingora_core::apps::HttpServerApp;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use std::mem::size_of_val;
use std::num::NonZeroUsize;
use tokio::net::{TcpListener, TcpStream};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// There are thousands, and each holds what is counted here for as long as it waits for its next request. What is large
/// belongs into a box that is there only while it is needed.
#[tokio::test]
async fn an_idle_connection_takes_little_room() {
    const MOST: usize = 9_500;
    let engine = Engine::new(
        NonZeroUsize::MIN,
        Limits::default(),
        Observe::metrics(Metrics::new(MetricsLimits::default()).unwrap()),
    )
    .unwrap();
    let bind = Bind { address: None, port: 1, transport: Transport::Tcp };
    let end = ([127, 0, 0, 1], 1).into();
    let (_drain, draining) = watch::channel(false);
    let (one, other) = pair().await;
    let task = size_of_val(&engine.clone().serve(bind, one, end, draining.clone()));
    let app = Arc::new(ConnectionApp {
        proxy: engine.proxies.here().clone(),
        connection: Arc::new(Connection::new(bind, Ends::new(end, end), None)),
        linger: Duration::ZERO,
        client_idle: Duration::ZERO,
        guard: engine.limits.guard(),
    });
    let whole = size_of_val(&*app.process_new(Box::new(L4Stream::from(other)), &draining));
    let request = |stream| ServerSession::new_http1(Box::new(L4Stream::from(stream)));
    let (one, other) = pair().await;
    let ours = size_of_val(&*app.process_new_http(request(one), &draining));
    let pingoras = size_of_val(&*engine.proxies.here().process_new_http(request(other), &draining));
    let all = [task, whole, ours, pingoras];
    assert!(all.iter().sum::<usize>() <= MOST, "{all:?}: more than {MOST} bytes");
}

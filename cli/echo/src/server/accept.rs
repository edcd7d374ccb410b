//! From a listening socket to a connection that is served.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Shared;
use crate::connection::{Connection, Fuse, Socket};
use crate::limits::{HANDSHAKE_TIMEOUT, HEADER_TIMEOUT, MAX_HEADER_BYTES, MAX_HEADERS, MAX_STREAMS};
use crate::report::TlsReport;
use crate::{http as answers, introduction, tcp};

/// What is spoken on a port.
#[derive(Clone)]
pub(super) enum Serve {
    Http,
    Https(TlsAcceptor),
    Tcp,
    Tls(TlsAcceptor),
}

/// How long to let the process give back file descriptors when it has none for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the server closes.
pub(super) async fn run(shared: Arc<Shared>, listener: TcpListener, serve: Serve) {
    let closing = shared.closing.clone();
    let accepting = async {
        loop {
            let Ok(room) = Arc::clone(&shared.room).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((tcp, peer)) => {
                    let shared = Arc::clone(&shared);
                    let serve = serve.clone();
                    shared.tasks.clone().spawn(async move {
                        shared.journal.count(|counts| counts.connections += 1);
                        let cut = shared.cut.clone();
                        cut.run_until_cancelled(connection(&shared, tcp, peer, serve)).await;
                        shared.journal.count(|counts| counts.closed += 1);
                        drop(room);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    closing.run_until_cancelled(accepting).await;
}

async fn connection(shared: &Arc<Shared>, tcp: TcpStream, peer: SocketAddr, serve: Serve) {
    let Ok(local) = tcp.local_addr() else {
        // The client is gone already.
        return;
    };
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, %peer, "small answers may wait for one another");
    }
    let fuse = Fuse::default();
    let socket = Socket::new(tcp, fuse.clone());
    let number = shared.connection_numbers.fetch_add(1, Ordering::Relaxed) + 1;
    let plain = Connection { number, peer, local, introduction: None, tls: None, fuse };
    if !shared.introduced {
        return speak(shared, plain, socket, serve).await;
    }
    let reading = async { introduction::read(socket.peek().await?, socket).await };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, reading).await {
        Ok(Ok((stream, introduction))) => {
            speak(shared, Connection { introduction: Some(introduction), ..plain }, stream, serve).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a connection was not introduced"),
        Err(_) => tracing::debug!(%peer, "an introduction took too long"),
    }
}

async fn speak<IO>(shared: &Arc<Shared>, plain: Connection, io: IO, serve: Serve)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match serve {
        Serve::Http => http(shared, plain, io).await,
        Serve::Tcp => tcp::serve(shared, &plain, io).await,
        Serve::Https(acceptor) => {
            if let Some((stream, connection)) = handshake(&acceptor, plain, io).await {
                http(shared, connection, stream).await;
            }
        }
        Serve::Tls(acceptor) => {
            if let Some((stream, connection)) = handshake(&acceptor, plain, io).await {
                tcp::serve(shared, &connection, stream).await;
            }
        }
    }
}

async fn handshake<IO>(acceptor: &TlsAcceptor, plain: Connection, socket: IO) -> Option<(TlsStream<IO>, Connection)>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => {
            let tls = Some(TlsReport::of(stream.get_ref().1));
            Some((stream, Connection { tls, ..plain }))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, client = %plain.peer, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(client = %plain.peer, "a TLS handshake took too long");
            None
        }
    }
}

async fn http(shared: &Arc<Shared>, connection: Connection, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let fuse = connection.fuse.clone();
    let connection = Arc::new(connection);
    let peer = connection.peer;
    let service =
        service_fn(|request: Request<Incoming>| answers::answer(Arc::clone(shared), Arc::clone(&connection), request));
    let builder = builder();
    let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(io), service));
    let mut told = false;
    loop {
        tokio::select! {
            served = serving.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(%error, client = %peer, "a connection broke");
                }
                return;
            }
            () = fuse.blown() => return,
            () = shared.closing.cancelled(), if !told => {
                told = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX));
    builder
}

//! Binds the proxy to one connection, so that every request on it, over HTTP/1 or HTTP/2, knows where it came from.

use super::reclaim::say;
use super::{Connection, Current, Ended, GuardLimits, websocket};
use crate::proxy::Gateway;
use async_trait::async_trait;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::H2Options;
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct ConnectionApp {
    pub(crate) proxy: Arc<HttpProxy<Gateway>>,
    pub(crate) connection: Arc<Connection>,
    /// How long a client is listened to after the last word.
    pub(crate) linger: Duration,
    /// How long a client may take over the next piece of a response.
    pub(crate) client_idle: Duration,
    pub(crate) guard: GuardLimits,
}

#[async_trait]
impl HttpServerApp for ConnectionApp {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let is_stream = matches!(session, ServerSession::H2(_));
        if is_stream {
            self.connection.http2.store(true, Ordering::Relaxed);
        }
        let _open = is_stream.then(|| self.connection.streams.open());
        // It stays where it is: each name that it had would be room in every connection.
        if let ServerSession::H2(stream) = &session
            && websocket::is_asked_for(stream)
        {
            let ServerSession::H2(stream) = session else { return None };
            Box::pin(websocket::serve(self, stream, shutdown)).await;
            return None;
        }
        // RFC 9112 section 9.3.2: clients may send the next request before they have the response.
        session.set_pipelining_enabled(true);
        let ended = Current::run(self.connection.clone(), self.proxy.process_new_http(session, shutdown)).await;
        let reused = match ended {
            Ended::Done(reused) => reused,
            Ended::Late(last_word) => {
                if let (Some(last_word), Some(stream)) = (last_word, self.connection.left.take()) {
                    Box::pin(say(stream, &last_word(), self.linger)).await;
                }
                None
            }
        };
        self.connection.parting.idle();
        reused
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.proxy.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.proxy.server_options()
    }
}

//! Binds the proxy to one connection, so that every request on it, over HTTP/1 or HTTP/2, knows where it came from.

use super::{Connection, Current};
use crate::proxy::Gateway;
use async_trait::async_trait;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::H2Options;
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) struct ConnectionApp {
    pub(crate) proxy: Arc<HttpProxy<Gateway>>,
    pub(crate) connection: Arc<Connection>,
}

#[async_trait]
impl HttpServerApp for ConnectionApp {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if matches!(session, ServerSession::H2(_)) {
            self.connection.http2.store(true, Ordering::Relaxed);
        }
        let reused = Current::run(self.connection.clone(), self.proxy.process_new_http(session, shutdown)).await;
        self.connection.busy.store(false, Ordering::Relaxed);
        reused
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.proxy.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.proxy.server_options()
    }
}

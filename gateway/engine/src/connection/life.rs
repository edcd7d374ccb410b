//! The life of one HTTP connection: served until the client ends it, until it has to end, or until it is not let in any
//! further.

use super::{Connection, ConnectionApp, Reclaimable, Refused, say, say_and_leave};
use crate::engine::Engine;
use crate::proxy::last_page;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::{ALPN, Stream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// How long a client that floods us may take to hear why it is over.
const LAST_WORD: Duration = Duration::from_millis(50);

/// How long an idle client may take to agree that the connection is over.
const FAREWELL: Duration = Duration::from_secs(5);

impl Engine {
    /// Serves the requests of a connection. When `drain` turns true, running requests finish, and it ends.
    pub(crate) async fn serve_http(&self, connection: Connection, stream: Stream, drain: watch::Receiver<bool>) {
        let app = Arc::new(ConnectionApp {
            proxy: self.proxies.here().clone(),
            connection: Arc::new(connection),
            linger: self.limits.linger,
            client_idle: self.limits.client_idle,
            guard: self.limits.guard(),
        });
        let connection = &app.connection;
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            connection.http2.store(true, Ordering::Relaxed);
        }
        let stream = Box::new(Reclaimable::new(stream, app.guard, connection.clone()));
        let (end, ending) = watch::channel(false);
        let has_to_end = async {
            tokio::select! {
                () = drained(drain) => {}
                () = self.worn_out(connection) => {}
            }
            end.send_replace(true);
            std::future::pending().await
        };
        let quiet = async {
            connection.parting.quiet(ending.clone()).await;
            if connection.http2.load(Ordering::Relaxed) {
                nobody_there(connection).await;
            }
        };
        tokio::select! {
            _ = app.process_new(stream, &ending) => {}
            () = quiet => {}
            () = has_to_end => {}
        }
        if let Some(refused) = connection.take_refused() {
            Box::pin(self.refuse(connection, refused)).await;
        }
    }

    /// Ends when a connection is as old as it may get, or nobody has used it for long. HTTP/1 has a clock of its own
    /// between requests.
    async fn worn_out(&self, connection: &Connection) {
        let of_age = async {
            match self.limits.connection {
                Some(age) => tokio::time::sleep(age).await,
                None => std::future::pending().await,
            }
        };
        let idle = async {
            loop {
                let silent = connection.streams.silent().min(self.limits.http2_idle);
                if silent == self.limits.http2_idle && connection.http2.load(Ordering::Relaxed) {
                    return;
                }
                // One that is busy or of HTTP/1 is looked at again.
                let wait = self.limits.http2_idle - silent;
                tokio::time::sleep(if wait.is_zero() { self.limits.http2_idle } else { wait }).await;
            }
        };
        tokio::select! {
            () = of_age => {}
            () = idle => {}
        }
    }

    /// Tells the client why its connection goes no further, as far as there is a way to, and everybody else.
    async fn refuse(&self, connection: &Connection, refused: Refused) {
        let (flaw, client) = (refused.flaw, connection.ends.source.ip());
        self.observe.notices.acted(flaw.reason(), client, flaw.detail());
        let page = last_page(&self.observe, connection, &refused);
        let Some(stream) = connection.left.take() else { return };
        match page {
            Some(page) => say(stream, &page, self.limits.linger).await,
            None if connection.http2.load(Ordering::Relaxed) => {
                say_and_leave(stream, &super::CALM_DOWN, LAST_WORD).await;
            }
            None => {}
        }
    }
}

/// Ends when a client of HTTP/2 had its farewell, has nothing to wait for, and does not end the connection: it is gone.
async fn nobody_there(connection: &Connection) {
    while connection.streams.silent() < FAREWELL {
        tokio::time::sleep(FAREWELL).await;
    }
}

async fn drained(mut drain: watch::Receiver<bool>) {
    // An error means that whoever could say so is gone.
    let _ = drain.wait_for(|drain| *drain).await;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

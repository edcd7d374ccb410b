//! A proxy for each worker: a thread that serves connections, and that nobody else does work for.
//!
//! Each has its own connections to backends, so that a request, its client's connection and that to its backend are of one
//! thread, which never waits for another.

use crate::proxy::Gateway;
use pingora_core::apps::HttpServerOptions;
use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::v2::server::H2Options;
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

/// Idle connections to backends that each worker may keep, however many workers there are, unless less is allowed to all.
const LEAST_IDLE: usize = 128;

/// More tries than any rule may ask for; the rules themselves say how many.
const MAX_TRIES: usize = 1000;

/// Whom connections of Pingora's own would believe: nobody. TLS to backends is ours, with the anchors of each backend; Pingora
/// would read those of the host for every connector, and keep them.
const NO_ANCHORS: &str = "/dev/null";

/// Connections to backends beside those of a proxy.
pub(crate) fn connector() -> Arc<Connector> {
    let options = ConnectorOptions { ca_file: Some(NO_ANCHORS.to_owned()), ..ConnectorOptions::new(LEAST_IDLE) };
    Arc::new(Connector::new(Some(options)))
}

thread_local! {
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// From now on, this thread is that worker, counted from 0: what it serves goes by a proxy that no other worker has.
pub fn be_worker(number: usize) {
    WORKER.set(number);
}

/// All proxies. There is at least one.
pub(crate) struct Proxies {
    first: Own,
    others: Box<[Own]>,
}

/// What one worker has alone.
struct Own {
    proxy: Arc<HttpProxy<Gateway>>,
    /// Where connections to authorization services wait.
    questions: Arc<Connector>,
}

impl Proxies {
    /// `idle` connections to backends may wait in all of them together, where that is not less than a few for each.
    pub(crate) fn new(workers: NonZeroUsize, gateway: &Gateway, http2: &H2Options, idle: usize) -> Self {
        let most = idle.max(1);
        // Where fewer may wait than there are workers, some share a proxy.
        let proxies = workers.get().min(most);
        // Pingora keeps so many for each thread, and the limit is that of all. One proxy alone may be that of many threads.
        let threads = if proxies == 1 { available_parallelism().map_or(1, usize::from).min(most) } else { 1 };
        let conf = Arc::new(ServerConf {
            max_retries: MAX_TRIES,
            upstream_keepalive_pool_size: (idle / proxies).max(LEAST_IDLE.min(idle / 2)) / threads,
            threads,
            ca_file: Some(NO_ANCHORS.to_owned()),
            ..ServerConf::default()
        });
        let own = || Own::new(gateway.of_worker(), conf.clone(), http2);
        Self { first: own(), others: (1..proxies).map(|_| own()).collect() }
    }

    /// That of this thread.
    pub(crate) fn here(&self) -> &Arc<HttpProxy<Gateway>> {
        let number = WORKER.get() % (1 + self.others.len());
        &number.checked_sub(1).and_then(|number| self.others.get(number)).unwrap_or(&self.first).proxy
    }

    /// Closes idle connections to backends under this key.
    pub(crate) fn close_idle(&self, key: u64) {
        for Own { proxy, questions } in std::iter::once(&self.first).chain(&self.others) {
            proxy.close_idle_upstream(key);
            questions.close_idle(key);
        }
    }
}

impl Own {
    fn new(gateway: Gateway, conf: Arc<ServerConf>, http2: &H2Options) -> Self {
        let questions = gateway.questions();
        let mut proxy = HttpProxy::new(gateway, conf);
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        // Pingora would refuse it without a log line; we refuse what is not WebSocket.
        options.allow_connect_method_proxying = true;
        // It would refuse them with nothing but a status.
        options.h2_hand_over_invalid_authority = true;
        proxy.server_options = Some(options);
        proxy.h2_options = Some(http2.clone());
        proxy.handle_init_modules();
        Self { proxy: Arc::new(proxy), questions }
    }
}

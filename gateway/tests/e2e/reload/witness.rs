//! Routes that say who they are, and a client that watches one of them all the time.

use crate::support::{PATIENCE, http_route};
use lychgate_testkit::{Connected, Dial, Reply};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A route that needs no backend: it answers every request to `host` with a redirect to `/tag`.
pub(super) fn tagged(name: &str, host: &str, tag: &str) -> String {
    http_route(name, &format!("[{host}]"), &tagged_rule("/", tag))
}

/// A rule of such a route, for paths below `prefix`.
pub(super) fn tagged_rule(prefix: &str, tag: &str) -> String {
    format!(
        "    - matches: [{{path: {{value: {prefix}}}}}]\n      filters:\n        - type: RequestRedirect\n          \
         requestRedirect: {{path: {{type: ReplaceFullPath, replaceFullPath: /{tag}}}}}\n"
    )
}

/// The tag in an answer, or its status.
pub(super) fn tag(reply: &Reply) -> String {
    match reply.header("location") {
        Some(location) => location.rsplit('/').next().unwrap().to_owned(),
        None => reply.status.as_u16().to_string(),
    }
}

/// What a new connection is told.
pub(super) async fn tag_at(address: SocketAddr, host: &str) -> String {
    tag(&Dial::http1(address).get(&format!("http://{host}/")).await.unwrap())
}

/// Asks until the answer is `wanted`.
pub(super) async fn until_tag(address: SocketAddr, host: &str, wanted: &str) {
    let mut connection = Dial::http1(address).connect(host).await.unwrap();
    until_tag_on(&mut connection, host, wanted).await;
}

/// Asks on one connection until the answer is `wanted`.
pub(super) async fn until_tag_on(connection: &mut Connected, host: &str, wanted: &str) {
    let begun = Instant::now();
    let url = format!("http://{host}/");
    loop {
        let last = tag(&connection.get(&url).await.unwrap());
        if last == wanted {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{host} never answered {wanted}; the last answer was {last}");
        tokio::task::yield_now().await;
    }
}

/// Asks one host on one connection without a pause. Every answer must be one of those that are allowed, in their order:
/// what was once left behind does not come back.
pub(super) struct Witness {
    stop: oneshot::Sender<()>,
    task: JoinHandle<BTreeSet<usize>>,
}

impl Witness {
    pub(super) fn of(address: SocketAddr, host: &str, allowed: &[&str]) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        let host = host.to_owned();
        let task = tokio::spawn(async move {
            let mut connection = Dial::http1(address).connect(&host).await.unwrap();
            let url = format!("http://{host}/");
            let mut seen = BTreeSet::new();
            let mut at = 0;
            while stopped.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty) {
                let told = tag(&connection.get(&url).await.unwrap());
                let now = allowed.iter().skip(at).position(|tag| *tag == told);
                let Some(now) = now else { panic!("{host} answered {told}, after {seen:?} of {allowed:?}") };
                at += now;
                seen.insert(at);
            }
            seen
        });
        Self { stop, task }
    }

    /// Ends it. Panics if it saw what is not allowed.
    pub(super) async fn end(self) {
        let _ = self.stop.send(());
        assert!(!self.task.await.unwrap().is_empty(), "the witness saw nothing");
    }
}

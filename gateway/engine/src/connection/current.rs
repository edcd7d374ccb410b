//! What travels beside a request where Pingora offers no place for it, and the last resort against requests that
//! outlive their deadline.

use super::Connection;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tokio::time::sleep_until;

tokio::task_local! {
    static CURRENT: Current;
}

/// The request that the running task serves.
pub(crate) struct Current {
    pub(crate) connection: Arc<Connection>,
    deadline: Cell<Option<Instant>>,
}

impl Current {
    /// Runs a request of a connection, and drops it when its deadline passes: what a client sees is an aborted
    /// response. The phases of the proxy answer 504 before that wherever an answer can still be given.
    pub(crate) async fn run<T>(connection: Arc<Connection>, request: impl Future<Output = Option<T>>) -> Option<T> {
        CURRENT.scope(Self { connection, deadline: Cell::new(None) }, until_deadline(request)).await
    }

    /// The connection of the running request.
    pub(crate) fn connection() -> Option<Arc<Connection>> {
        CURRENT.try_with(|current| current.connection.clone()).ok()
    }
}

/// The running request is dropped at this moment.
pub(crate) fn set_deadline(deadline: Option<Instant>) {
    // Outside of a request there is nothing to drop.
    let _ = CURRENT.try_with(|current| current.deadline.set(deadline));
}

async fn until_deadline<T>(request: impl Future<Output = Option<T>>) -> Option<T> {
    let mut request = pin!(request);
    let mut armed: Option<Instant> = None;
    let mut timer = pin!(None);
    poll_fn(|cx| {
        if let Poll::Ready(done) = request.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        let deadline = CURRENT.with(|current| current.deadline.get());
        if deadline != armed {
            armed = deadline;
            timer.set(deadline.map(|deadline| sleep_until(deadline.into())));
        }
        match timer.as_mut().as_pin_mut().map(|timer| timer.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(None),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn connection() -> Arc<Connection> {
        let bind = crate::runtime::Bind { address: None, port: 1, transport: lychgate_ir::Transport::Tcp };
        Arc::new(Connection::new(bind, ([127, 0, 0, 1], 1).into(), None))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_at_the_deadline_it_sets_for_itself() {
        let begun = tokio::time::Instant::now();
        let request = async {
            set_deadline(Some(Instant::now() + Duration::from_secs(5)));
            std::future::pending::<Option<()>>().await
        };
        assert_eq!(Current::run(connection(), request).await, None);
        assert!(begun.elapsed() >= Duration::from_secs(4));
    }

    #[tokio::test]
    async fn a_request_without_deadline_is_left_alone() {
        assert_eq!(Current::run(connection(), async { Some(1) }).await, Some(1));
        assert!(Current::connection().is_none());
    }
}

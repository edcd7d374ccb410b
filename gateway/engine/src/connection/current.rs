//! What travels beside a request where Pingora offers no place for it, and the last resort against requests that
//! outlive their deadline.

use super::Connection;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;
use tokio::time::sleep_until;

tokio::task_local! {
    static CURRENT: Current;
}

/// The request that the running task serves.
pub(crate) struct Current {
    pub(crate) connection: Arc<Connection>,
    deadline: Cell<Option<Instant>>,
    /// When the client has to have sent more; it moves with every piece.
    awaited: Cell<Option<Instant>>,
    last_word: RefCell<Option<LastWord>>,
    /// What cuts it, apart from time.
    cut: RefCell<Option<Cut>>,
}

/// Ends when the running request has to.
pub(crate) type Cut = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes the response that the client of a dropped request gets, as bytes of HTTP/1.1.
pub(crate) type LastWord = Box<dyn FnOnce() -> Vec<u8> + Send>;

/// How a request ended.
pub(crate) enum Ended<T> {
    /// By itself.
    Done(T),
    /// It was dropped at its deadline. With a last word, no response had begun.
    Late(Option<LastWord>),
}

impl Current {
    /// Runs a request of a connection, and drops it when its deadline passes. The phases of the proxy answer 504 before
    /// that wherever Pingora lets them.
    pub(crate) async fn run<T>(connection: Arc<Connection>, request: impl Future<Output = T>) -> Ended<T> {
        let current = Self {
            connection,
            deadline: Cell::new(None),
            awaited: Cell::new(None),
            last_word: RefCell::new(None),
            cut: RefCell::new(None),
        };
        CURRENT.scope(current, until_deadline(request)).await
    }

    /// The connection of the running request.
    pub(crate) fn connection() -> Option<Arc<Connection>> {
        CURRENT.try_with(|current| current.connection.clone()).ok()
    }
}

/// The running request is dropped at this moment, and its client gets the last word, if there is one.
pub(crate) fn drop_at(deadline: Option<Instant>, last_word: Option<LastWord>) {
    // Outside of a request there is nothing to drop.
    let _ = CURRENT.try_with(|current| {
        current.deadline.set(deadline);
        current.last_word.replace(last_word);
    });
}

/// The running request is dropped when this ends.
pub(crate) fn cut_when(cut: Cut) {
    // Outside of a request there is nothing to drop.
    let _ = CURRENT.try_with(|current| drop(current.cut.replace(Some(cut))));
}

/// The running request is dropped at this moment, unless another one is set before.
pub(crate) fn await_client(until: Option<Instant>) {
    // Outside of a request there is nothing to drop.
    let _ = CURRENT.try_with(|current| current.awaited.set(until));
}

async fn until_deadline<T>(request: impl Future<Output = T>) -> Ended<T> {
    let mut request = pin!(request);
    let mut armed: Option<Instant> = None;
    let mut timer = pin!(None);
    poll_fn(|cx| {
        if let Poll::Ready(done) = request.as_mut().poll(cx) {
            return Poll::Ready(Ended::Done(done));
        }
        if CURRENT.with(|current| current.is_cut(cx)) {
            return Poll::Ready(Ended::Late(None));
        }
        loop {
            let end = CURRENT.with(Current::end);
            // One that moved away is set when it goes off: it moves with every piece of a body.
            if end.is_none() || armed.is_none_or(|armed| end.is_some_and(|end| end < armed)) {
                armed = end;
                timer.set(end.map(|end| sleep_until(end.into())));
            }
            match timer.as_mut().as_pin_mut().map(|timer| timer.poll(cx)) {
                Some(Poll::Ready(())) if end > armed => armed = None,
                Some(Poll::Ready(())) => return Poll::Ready(CURRENT.with(Current::late)),
                Some(Poll::Pending) | None => return Poll::Pending,
            }
        }
    })
    .await
}

impl Current {
    fn end(&self) -> Option<Instant> {
        [self.deadline.get(), self.awaited.get()].into_iter().flatten().min()
    }

    fn is_cut(&self, cx: &mut task::Context<'_>) -> bool {
        self.cut.borrow_mut().as_mut().is_some_and(|cut| cut.as_mut().poll(cx).is_ready())
    }

    fn late<T>(&self) -> Ended<T> {
        let last_word = self.last_word.take();
        if last_word.is_some() {
            // The request is about to be dropped, and the connection with it.
            self.connection.left.want();
        }
        Ended::Late(last_word)
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;
    use crate::proxy_protocol::Ends;
    use std::time::Duration;

    fn connection() -> Arc<Connection> {
        let bind = crate::runtime::Bind { address: None, port: 1, transport: lychgate_ir::Transport::Tcp };
        let end = ([127, 0, 0, 1], 1).into();
        Arc::new(Connection::new(bind, Ends::new(end, end), None))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_at_the_deadline_it_sets_for_itself() {
        let begun = tokio::time::Instant::now();
        let request = async {
            drop_at(Some(Instant::now() + Duration::from_secs(5)), Some(Box::new(|| b"late".to_vec())));
            std::future::pending::<()>().await
        };
        let Ended::Late(Some(last_word)) = Current::run(connection(), request).await else { panic!("not late") };
        assert_eq!(last_word(), b"late");
        assert!(begun.elapsed() >= Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_on_sending_is_waited_for() {
        let begun = tokio::time::Instant::now();
        let request = async {
            for _ in 0..4 {
                await_client(Some(tokio::time::Instant::now().into_std() + Duration::from_secs(5)));
                tokio::time::sleep(Duration::from_secs(4)).await;
            }
            std::future::pending::<()>().await
        };
        assert!(matches!(Current::run(connection(), request).await, Ended::Late(None)));
        assert_eq!(begun.elapsed().as_secs(), 17);
    }

    #[tokio::test]
    async fn a_request_ends_when_something_else_does_that_it_has_named() {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let request = async {
            cut_when(Box::pin(async {
                let _ = told.await;
            }));
            drop(tell);
            std::future::pending::<()>().await
        };
        assert!(matches!(Current::run(connection(), request).await, Ended::Late(None)));
    }

    #[tokio::test]
    async fn a_request_without_deadline_is_left_alone() {
        assert!(matches!(Current::run(connection(), async { 1 }).await, Ended::Done(1)));
        assert!(Current::connection().is_none());
    }
}

//! Threads that serve connections. Each has a runtime of its own, and a connection stays with the one that it was given
//! to: what is waited for and who waits are of one thread, and nobody else has to be woken.

use lychgate_engine::be_worker;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How long threads may take to drop what they serve.
const PATIENCE: Duration = Duration::from_secs(1);

/// Some threads, or none: then connections are served where they are accepted.
#[derive(Clone, Debug)]
pub(crate) struct Workers(Arc<[Worker]>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    /// Each connection that it serves has another one of these.
    serves: Arc<()>,
    /// The thread ends, and what it still serves, when this is told or dropped.
    life: Mutex<Option<Life>>,
}

#[derive(Debug)]
struct Life {
    end: oneshot::Sender<()>,
    /// Nothing is served there any more.
    over: oneshot::Receiver<()>,
}

impl Workers {
    /// Starts so many threads. One thread alone is that which accepts.
    ///
    /// # Errors
    /// If no threads can be started.
    pub(crate) fn start(count: NonZeroUsize) -> io::Result<Self> {
        match count.get() {
            1 => Ok(Self(Arc::default())),
            count => (0..count).map(Worker::start).collect::<io::Result<_>>().map(Self),
        }
    }

    /// Serves a connection, at whoever has the fewest.
    pub(crate) fn serve<S>(&self, tcp: TcpStream, serve: impl FnOnce(TcpStream) -> S + Send + 'static)
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let Some(worker) = self.0.iter().min_by_key(|worker| Arc::strong_count(&worker.serves)) else {
            tokio::spawn(serve(tcp));
            return;
        };
        // What wakes a task of a worker is the worker's, so that the socket has to be known there, and not here.
        let tcp = match tcp.into_std() {
            Ok(tcp) => tcp,
            Err(error) => return lost(&error),
        };
        let counted = worker.serves.clone();
        worker.runtime.spawn(async move {
            match TcpStream::from_std(tcp) {
                Ok(tcp) => serve(tcp).await,
                Err(error) => lost(&error),
            }
            drop(counted);
        });
    }

    /// Ends what is still served, and waits until it has said what there was to say, but not for long.
    pub(crate) async fn end(&self) {
        let lives = self.0.iter().filter_map(|worker| worker.lock().take());
        let ending: Vec<_> = lives
            .map(|Life { end, over }| {
                // An error means that it has ended.
                let _ = end.send(());
                over
            })
            .collect();
        let all = async {
            for over in ending {
                // An error means that it has ended.
                let _ = over.await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("a thread that serves connections does not end; it is left behind");
        }
    }
}

fn lost(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be given to the thread that would serve it");
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let (tell, over) = oneshot::channel();
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            be_worker(number);
            // An error means that nobody gives it anything any more.
            let _ = runtime.block_on(ended);
            // Drops what is still served. What blocks is not waited for.
            runtime.shutdown_background();
            // Whether somebody waits for it is their business.
            let _ = tell.send(());
        })?;
        Ok(Self { runtime: handle, serves: Arc::default(), life: Mutex::new(Some(Life { end, over })) })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Life>> {
        // It is there or not, whoever panics.
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

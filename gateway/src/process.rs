//! What every process that serves does with itself: threads, file descriptors, signals.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Takes as many file descriptors as the system lets this process have. Each connection and each flow of datagrams needs
/// one or two, and the usual soft limit of 1024 is for programs that use `select`.
pub fn raise_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(before = current, now = maximum, "file descriptors"),
        Err(error) => tracing::warn!(%error, limit = current, "no more file descriptors can be had"),
    }
}

/// How many threads serve requests: as many as was said, by default one for each processor.
pub fn workers(threads: Option<u16>) -> NonZeroUsize {
    let said = threads.and_then(|threads| NonZeroUsize::new(threads.into()));
    said.unwrap_or_else(|| available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

/// The runtime of everything that is not a connection, with as many threads; one thread alone serves them as well.
///
/// # Errors
/// If no threads can be started.
pub fn runtime(threads: Option<u16>) -> io::Result<Runtime> {
    let mut runtime = match workers(threads).get() {
        // Nobody to share work with, and nobody to wake.
        1 => Builder::new_current_thread(),
        threads => {
            let mut runtime = Builder::new_multi_thread();
            runtime.worker_threads(threads);
            runtime
        }
    };
    runtime.enable_all().build()
}

/// What the process is told.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    rotate: Signal,
}

impl Signals {
    /// From here on, none of them ends the process by itself.
    ///
    /// # Errors
    /// As the system has it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            rotate: signal(SignalKind::user_defined1())?,
        })
    }

    /// The process shall end (SIGTERM, SIGINT).
    pub async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// The process shall end, or open the access log anew (SIGUSR1): then this is `true`.
    pub async fn end_or_rotate(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => false,
            _ = self.interrupt.recv() => false,
            Some(()) = self.rotate.recv() => true,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::runtime::RuntimeFlavor;

    #[test]
    fn one_thread_shares_with_nobody() {
        let flavor = |threads| runtime(Some(threads)).unwrap().handle().runtime_flavor();
        assert_eq!(flavor(1), RuntimeFlavor::CurrentThread);
        assert_eq!(flavor(2), RuntimeFlavor::MultiThread);
    }
}

//! A client's connection of HTTP, with clocks: one that does nothing, one whose head comes slowly, and one that does not take what
//! is sent to it, have to end.

use crate::egress::wire::Begun;
use crate::limits::Limits;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What happens on a connection, as far as its clocks want to know.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests that run, bodies included.
    running: usize,
    /// When the first byte of a head came that is not whole yet; the first head is expected from the beginning.
    head: Option<Instant>,
    /// When the last request ended.
    quiet: Instant,
}

impl Activity {
    pub(super) fn begin() -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self(Mutex::new(State { running: 0, head: Some(now), quiet: now })))
    }

    /// A request runs until what this returns is dropped.
    pub(super) fn run(self: &Arc<Self>) -> Busy {
        self.with(|state| {
            state.running += 1;
            state.head = None;
        });
        Busy(self.clone())
    }

    /// Whether nothing runs.
    pub(super) fn is_quiet(&self) -> bool {
        self.with(|state| state.running == 0)
    }

    fn with<T>(&self, see: impl FnOnce(&mut State) -> T) -> T {
        see(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes have come. Between requests they are the beginning of a head.
    fn heard(&self) {
        self.with(|state| {
            if state.running == 0 {
                state.head.get_or_insert_with(Instant::now);
            }
        });
    }
}

/// A request that runs, for as long as this is there.
#[derive(Debug)]
pub(in crate::egress) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.running -= 1;
            state.quiet = Instant::now();
        });
    }
}

/// How long each may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// Between requests, and for the next piece that is sent to be taken.
    idle: Duration,
    /// From the first byte of a head to its last.
    head: Duration,
}

/// The connection.
#[derive(Debug)]
pub(in crate::egress) struct Watched {
    io: Begun,
    activity: Arc<Activity>,
    /// Whether reads have clocks: HTTP/2 has those of its streams.
    reads: bool,
    patience: Patience,
    reading: Clock,
    writing: Clock,
    /// Since when nothing was taken that is to be sent.
    stuck: Option<Instant>,
}

impl Watched {
    pub(super) fn new(io: Begun, activity: Arc<Activity>, reads: bool, limits: &Limits) -> Self {
        let patience = Patience { idle: limits.client_idle, head: limits.head_time };
        Self { io, activity, reads, patience, reading: Clock::default(), writing: Clock::default(), stuck: None }
    }

    /// The connection, when HTTP is over.
    pub(in crate::egress) fn into_inner(self) -> Begun {
        self.io
    }

    /// When waiting to read is over, and whether that is late for a head.
    fn read_until(&self) -> Option<(Instant, bool)> {
        let Patience { idle, head } = self.patience;
        let State { running, head: begun, quiet } = self.activity.with(|state| State { ..*state });
        match (self.reads && running == 0, begun) {
            (false, _) => None,
            (true, Some(begun)) => Some((begun + head, true)),
            (true, None) => Some((quiet + idle, false)),
        }
    }

    /// Waits no longer than that for something to be taken.
    fn written<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stuck = None;
            return done;
        }
        let until = *self.stuck.get_or_insert_with(Instant::now) + self.patience.idle;
        match self.writing.poll(until, cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.io).poll_read(cx, buf);
        if done.is_ready() {
            if buf.filled().len() > before {
                self.activity.heard();
            }
            return done;
        }
        let Some((until, is_late)) = self.read_until() else { return Poll::Pending };
        match (self.reading.poll(until, cx), is_late) {
            (Poll::Pending, _) => Poll::Pending,
            (Poll::Ready(()), true) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the head of a request comes too slowly")))
            }
            // As if the client had ended it: nothing is lost.
            (Poll::Ready(()), false) => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.io).poll_write(cx, buf);
        self.written(cx, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.io).poll_flush(cx);
        self.written(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.io).poll_shutdown(cx);
        self.written(cx, done)
    }
}

/// A timer that is made when somebody waits, and set anew only if it is too late: most that is waited for comes.
#[derive(Debug, Default)]
pub(in crate::egress) struct Clock(Option<Pin<Box<Sleep>>>);

impl Clock {
    /// Ready when that time has come.
    pub(in crate::egress) fn poll(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        loop {
            match timer.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if timer.deadline() >= until => {
                    self.0 = None;
                    return Poll::Ready(());
                }
                // It was set for something that came.
                Poll::Ready(()) => timer.as_mut().reset(until),
            }
        }
    }
}

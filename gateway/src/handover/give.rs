//! The side of the process that serves.

use super::line::{Line, LineError};
use super::message::{MAX_SOCKETS, Message, Name, VERSIONS};
use super::place::Place;
use super::{HandoverError, PATIENCE, SHORTLY};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Where other processes ask. It is not found at its path before it is opened.
#[derive(Debug)]
pub(crate) struct Desk {
    place: Place,
    listener: UnixListener,
}

/// Somebody who asks for the sockets.
#[derive(Debug)]
pub(crate) struct Asked {
    line: Line,
    version: u32,
    /// What asks.
    pub(crate) program: String,
    /// Its process id, if the system tells.
    pub(crate) pid: Option<i32>,
    /// One at a time.
    _turn: OwnedSemaphorePermit,
}

impl Desk {
    /// Prepares a place at the path.
    pub(crate) fn prepare(path: &Path) -> Result<Self, HandoverError> {
        let (place, listener) = Place::prepare(path)?;
        Ok(Self { place, listener })
    }

    /// Is found at the path from now on.
    pub(crate) fn open(&mut self) {
        if let Err(error) = self.place.occupy() {
            tracing::error!(%error, "nobody will be able to take over: the socket for it cannot be put in its place");
        }
    }

    /// Passes on who asks, until dropped.
    pub(crate) async fn serve(self, asked: mpsc::Sender<Asked>) {
        let turns = Arc::new(Semaphore::new(1));
        let mut clients = tokio::task::JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = clients.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    clients.spawn(receive(stream, turns.clone(), asked.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "whoever wants to take over cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Hears what somebody wants.
async fn receive(stream: UnixStream, turns: Arc<Semaphore>, asked: mpsc::Sender<Asked>) {
    let mut line = Line::new(stream);
    let pid = line.pid();
    let us = rustix::process::geteuid().as_raw();
    match line.uid() {
        Ok(uid) if uid == us || uid == 0 => {}
        Ok(uid) => {
            tracing::warn!(uid, "somebody of another user wanted to take over");
            return;
        }
        Err(error) => {
            tracing::warn!(%error, "somebody unknown wanted to take over");
            return;
        }
    }
    let (versions, program) = match line.hear(SHORTLY).await {
        Ok(Message::Hello { versions, program }) => (versions, program),
        Ok(other) => {
            tracing::warn!(?other, "somebody wanted to take over and did not say hello");
            return;
        }
        // Somebody only looked whether we are here.
        Err(LineError::Gone) => return,
        Err(error) => {
            tracing::warn!(%error, "somebody who wanted to take over was not understood");
            return;
        }
    };
    let why = match (common(&versions), turns.try_acquire_owned()) {
        (Some(version), Ok(turn)) => {
            // An error means that this process is about to end.
            let _ = asked.send(Asked { line, version, program, pid, _turn: turn }).await;
            return;
        }
        (Some(_), Err(_)) => "another process is just taking over".to_owned(),
        (None, _) => format!(
            "it is lychgate {}, which speaks versions {VERSIONS:?} of the handover, not {versions:?}; end it, then start \
             again",
            env!("CARGO_PKG_VERSION")
        ),
    };
    tracing::warn!(program, why, "somebody wanted to take over and was refused");
    refuse(line, why).await;
}

/// The best version that both speak.
fn common(theirs: &[u32]) -> Option<u32> {
    VERSIONS.into_iter().find(|version| theirs.contains(version))
}

async fn refuse(mut line: Line, why: String) {
    // Whoever is gone needs no answer.
    let _ = line.say(&Message::Refused { why }, SHORTLY).await;
}

impl Asked {
    /// Says no.
    pub(crate) async fn refuse(self, why: String) {
        refuse(self.line, why).await;
    }

    /// Passes the sockets. They stay in use here.
    pub(crate) async fn offer(&mut self, sockets: &[(Name, BorrowedFd<'_>)]) -> Result<(), LineError> {
        if sockets.len() > MAX_SOCKETS {
            let why = format!("its {} sockets are more than can be passed", sockets.len());
            self.line.say(&Message::Refused { why: why.clone() }, SHORTLY).await?;
            return Err(LineError::Nonsense(why));
        }
        let (names, sockets): (Vec<Name>, Vec<BorrowedFd<'_>>) = sockets.iter().copied().unzip();
        self.line.say(&Message::Offer { version: self.version, sockets: names }, SHORTLY).await?;
        self.line.pass(&sockets, SHORTLY).await
    }

    /// Waits until the other side is ready. Tells what it takes.
    pub(crate) async fn ready(&mut self) -> Result<Vec<Name>, LineError> {
        match self.line.hear(PATIENCE).await? {
            Message::Ready { takes } => Ok(takes),
            other => Err(LineError::Nonsense(format!("{other:?} instead of ready"))),
        }
    }

    /// Says that nobody accepts here any more, and waits until the other side does.
    pub(crate) async fn yours(mut self) -> Result<(), LineError> {
        self.line.say(&Message::Yours, SHORTLY).await?;
        match self.line.hear(SHORTLY).await? {
            Message::Serving => Ok(()),
            other => Err(LineError::Nonsense(format!("{other:?} instead of serving"))),
        }
    }
}

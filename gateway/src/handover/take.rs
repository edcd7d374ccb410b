//! The side of the process that takes over.

use super::line::{Line, LineError};
use super::message::{MAX_SOCKETS, Message, Name, VERSIONS};
use super::place::Place;
use super::{HandoverError, SHORTLY};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketType, sockopt};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use socket2::Socket;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Whoever ended while asked may have handed over to somebody else, who is asked then.
const TRIES: usize = 5;

/// How long a process may take to end that has closed its connection to us.
const DEATH: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The sockets of another process, which still serves.
#[derive(Debug)]
pub(crate) struct Taken {
    line: Line,
    /// They are open and bound as their names say.
    pub(crate) sockets: BTreeMap<Name, Socket>,
}

/// Asks whoever serves at the path for its sockets. `None` if nobody does.
pub(crate) async fn take(path: &Path) -> Result<Option<Taken>, HandoverError> {
    for _ in 0..TRIES {
        let Some(stream) = Place::find(path).await? else { return Ok(None) };
        let line = Line::new(stream);
        let uid = line.uid().map_err(|error| HandoverError::Place { path: path.to_owned(), error })?;
        if uid != rustix::process::geteuid().as_raw() && uid != 0 {
            return Err(HandoverError::Stranger { path: path.to_owned(), uid });
        }
        let process = line.pid().and_then(process);
        match ask(line).await {
            Ok(taken) => return Ok(Some(taken)),
            Err(Unheard::Gone) => {
                tracing::info!("the process that served is gone; is there another?");
                // Its sockets close after that to us, one by one; ours would find them in use.
                if let Some(process) = process {
                    dead(process).await;
                }
            }
            Err(Unheard::Error(error)) => return Err(error),
        }
    }
    Err(HandoverError::Silent)
}

/// A process, which is readable once it has ended (pidfd_open(2)).
fn process(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Waits until a process has ended, but not for long.
async fn dead(process: OwnedFd) {
    let wait = move || poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&DEATH));
    // Whatever comes of it, we try.
    let _ = tokio::task::spawn_blocking(wait).await;
}

enum Unheard {
    Gone,
    Error(HandoverError),
}

impl From<LineError> for Unheard {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Gone => Self::Gone,
            LineError::Late => Self::Error(HandoverError::Silent),
            LineError::Nonsense(why) => Self::Error(HandoverError::Nonsense(why)),
        }
    }
}

async fn ask(mut line: Line) -> Result<Taken, Unheard> {
    let program = concat!("lychgate ", env!("CARGO_PKG_VERSION")).to_owned();
    line.say(&Message::Hello { versions: VERSIONS.to_vec(), program }, SHORTLY).await?;
    let nonsense = |why: String| Unheard::Error(HandoverError::Nonsense(why));
    let names = match line.hear(SHORTLY).await? {
        Message::Refused { why } => return Err(Unheard::Error(HandoverError::Refused(why))),
        Message::Offer { version, .. } if !VERSIONS.contains(&version) => {
            return Err(nonsense(format!("it speaks version {version}")));
        }
        Message::Offer { version: _, sockets } if sockets.len() > MAX_SOCKETS => {
            return Err(nonsense(format!("it offers {} sockets", sockets.len())));
        }
        Message::Offer { version: _, sockets } => sockets,
        other @ (Message::Hello { .. } | Message::Ready { .. } | Message::Yours | Message::Serving) => {
            return Err(nonsense(format!("{other:?} instead of an offer")));
        }
    };
    let passed = line.get(names.len(), SHORTLY).await?;
    let mut sockets = BTreeMap::new();
    for (name, socket) in names.into_iter().zip(passed) {
        let socket = checked(name, socket).map_err(nonsense)?;
        if sockets.insert(name, socket).is_some() {
            return Err(nonsense(format!("it offers {name} twice")));
        }
    }
    Ok(Taken { line, sockets })
}

/// A socket that is what its name says.
fn checked(name: Name, socket: OwnedFd) -> Result<Socket, String> {
    let is = |what: &str| format!("what it calls {name} {what}");
    let unclear = |_| is("is no socket");
    let kind = sockopt::socket_type(&socket).map_err(unclear)?;
    let listens = sockopt::socket_acceptconn(&socket).map_err(unclear)?;
    let socket = Socket::from(socket);
    let local = socket.local_addr().ok().and_then(|local| local.as_socket());
    let local = local.ok_or_else(|| is("has no address"))?;
    let fits = match name {
        Name::Admin => kind == SocketType::STREAM && listens,
        Name::Tcp { address, port } => kind == SocketType::STREAM && listens && is_at(local, address, port),
        Name::Udp { address, port } => kind == SocketType::DGRAM && is_at(local, address, port),
    };
    if !fits {
        return Err(is(&format!("is bound to {local}, or of another kind")));
    }
    // It was so; but whoever shares it could have changed it.
    socket.set_nonblocking(true).map_err(|error| is(&format!("cannot be used ({error})")))?;
    Ok(socket)
}

/// Without an address it is every one, over IPv6 or, on a host without, IPv4.
fn is_at(local: SocketAddr, address: Option<IpAddr>, port: u16) -> bool {
    local.port() == port && address.map_or(local.ip().is_unspecified(), |address| local.ip() == address)
}

impl Taken {
    /// Says that everything is prepared, and which of the sockets will be served. Afterwards nobody serves but us, who
    /// have to say so once we do.
    pub(crate) async fn ready(mut self, takes: Vec<Name>) -> Result<Serving, HandoverError> {
        let heard = match self.line.say(&Message::Ready { takes }, SHORTLY).await {
            Ok(()) => self.line.hear(SHORTLY).await,
            Err(error) => Err(error),
        };
        match heard {
            Ok(Message::Yours) => Ok(Serving(Some(self.line))),
            // Its sockets are ours now.
            Err(LineError::Gone) => {
                tracing::warn!("the process that served is gone");
                Ok(Serving(None))
            }
            Ok(other) => Err(HandoverError::Nonsense(format!("{other:?} instead of yours"))),
            Err(LineError::Nonsense(why)) => Err(HandoverError::Nonsense(why)),
            Err(LineError::Late) => Err(HandoverError::Silent),
        }
    }
}

/// The promise to say that we serve.
#[derive(Debug)]
pub(crate) struct Serving(Option<Line>);

impl Serving {
    /// We serve.
    pub(crate) async fn say(self) {
        if let Some(mut line) = self.0
            && let Err(error) = line.say(&Message::Serving, SHORTLY).await
        {
            tracing::warn!(%error, "the process that served could not be told to end");
        }
    }
}

//! Well-behaved clients of every protocol. Each keeps what it opened for a while, asks steadily, and opens it anew.

mod open;

use super::Round;
use open::Open;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Http1,
    Http1Tls,
    Http2,
    Http2Tls,
    Grpc,
    WebSocket,
    Tcp,
    Udp,
    /// A mebibyte.
    Large,
    /// From a backend that comes and goes.
    Flapping,
    /// A change of the configuration, until it is served; [`super::changes`] makes them.
    Reload,
}

impl Kind {
    const CLIENTS: [Self; 10] = [
        Self::Http1,
        Self::Http1Tls,
        Self::Http2,
        Self::Http2Tls,
        Self::Grpc,
        Self::WebSocket,
        Self::Tcp,
        Self::Udp,
        Self::Large,
        Self::Flapping,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http1Tls => "HTTP/1.1 over TLS",
            Self::Http2 => "HTTP/2",
            Self::Http2Tls => "HTTP/2 over TLS",
            Self::Grpc => "gRPC",
            Self::WebSocket => "WebSocket",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Large => "1 MiB",
            Self::Flapping => "a backend that comes and goes",
            Self::Reload => "reload, until it is served",
        }
    }
}

/// So many clients of each kind.
const CLIENTS: usize = 2;

/// Each asks so often.
const PAUSE: Duration = Duration::from_millis(50);

/// And opens anew what it has after so many answers.
const ANSWERS: u32 = 100;

/// An answer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Errors that are kept to be told, of each kind.
const TOLD: usize = 5;

/// What clients of one kind saw.
#[derive(Debug, Default)]
pub(super) struct OfKind {
    /// Milliseconds.
    pub(super) took: Vec<f32>,
    pub(super) failed: usize,
    errors: Vec<String>,
}

/// What clients saw.
#[derive(Debug, Default)]
pub(super) struct Seen(pub(super) BTreeMap<Kind, OfKind>);

impl Seen {
    pub(super) fn answered(&mut self, kind: Kind, took: Duration) {
        self.0.entry(kind).or_default().took.push(took.as_secs_f32() * 1e3);
    }

    pub(super) fn failed(&mut self, kind: Kind, error: String) {
        let of_kind = self.0.entry(kind).or_default();
        of_kind.failed += 1;
        if of_kind.errors.len() < TOLD {
            of_kind.errors.push(error);
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        for (kind, OfKind { took, failed, errors }) in other.0 {
            let of_kind = self.0.entry(kind).or_default();
            of_kind.took.extend(took);
            of_kind.failed += failed;
            let room = TOLD.saturating_sub(of_kind.errors.len());
            of_kind.errors.extend(errors.into_iter().take(room));
        }
    }

    /// What failed, a line each.
    pub(super) fn errors(&self) -> Vec<String> {
        let of_kind = |(kind, seen): (&Kind, &OfKind)| {
            let name = kind.name();
            seen.errors.iter().map(|error| format!("{name}: {error}")).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_kind).collect()
    }
}

/// All of them ask until the round is over.
pub(super) async fn ask(round: &Round) -> Seen {
    let mut clients = JoinSet::new();
    for kind in Kind::CLIENTS {
        for _ in 0..CLIENTS {
            clients.spawn(client(round.clone(), kind));
        }
    }
    let mut all = Seen::default();
    while let Some(seen) = clients.join_next().await {
        all.add(seen.unwrap_or_default());
    }
    all
}

async fn client(Round { gate, end }: Round, kind: Kind) -> Seen {
    let mut seen = Seen::default();
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < end {
        let mut open = match timeout(PATIENCE, Open::new(kind, &gate)).await {
            Ok(Ok(open)) => open,
            Ok(Err(error)) => {
                seen.failed(kind, format!("opening: {error:#}"));
                ticks.tick().await;
                continue;
            }
            Err(_) => {
                seen.failed(kind, format!("opening took more than {PATIENCE:?}"));
                continue;
            }
        };
        for _ in 0..ANSWERS {
            if Instant::now() > end {
                break;
            }
            ticks.tick().await;
            let begun = Instant::now();
            match timeout(PATIENCE, open.ask()).await {
                Ok(Ok(())) => seen.answered(kind, begun.elapsed()),
                Ok(Err(error)) => {
                    seen.failed(kind, format!("{error:#}"));
                    break;
                }
                Err(_) => {
                    seen.failed(kind, format!("no answer in {PATIENCE:?}"));
                    break;
                }
            }
        }
    }
    seen
}

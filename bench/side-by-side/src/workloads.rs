//! What is measured, by family.

mod bodies;
mod changes;
mod connections;
mod endpoints;
mod filters;
mod grpc;
mod idle;
mod messages;
mod passed;
mod requests;
mod routes;

use crate::arguments::Mode;
use crate::load::{Change, Idle, Load, Steady};
use crate::scene::Scene;

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// What it is called by programs: `h1-tls`.
    pub(crate) key: String,
    /// What it is called by people.
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) scene: Scene,
    pub(crate) work: Work,
}

impl Workload {
    /// Whether the proxies that have done this one can do the next. What they took of memory they may not give back, so
    /// that idle connections would then take none.
    pub(crate) fn may_follow(&self, next: &Self) -> bool {
        let idle = |one: &Self| matches!(one.work, Work::Idle(_));
        self.scene == next.scene && !idle(self) && !idle(next)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Processor time for each of what is done, and how long answers take at a fixed rate.
    Load(Load, Option<Steady>),
    /// Memory for each connection.
    Idle(Idle),
    /// How long until a change is served.
    Change(Change),
}

/// What one of what is done is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Request,
    Connection,
    Handshake,
    Call,
    Mebibyte,
    Message,
    Echo,
    Datagram,
    Change,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Connection => "connection",
            Self::Handshake => "handshake",
            Self::Call => "call",
            Self::Mebibyte => "MiB",
            Self::Message => "message",
            Self::Echo => "message and its echo",
            Self::Datagram => "datagram and its echo",
            Self::Change => "changed route",
        }
    }
}

/// All of them, those of one scene together: its proxies are started once.
pub(crate) fn all(mode: Mode) -> Vec<Workload> {
    let families = [
        requests::all(),
        bodies::all(mode),
        connections::all(),
        idle::all(mode),
        requests::logged(),
        requests::traced(),
        grpc::all(),
        messages::websocket(),
        messages::datagrams(),
        passed::all(),
        endpoints::all(mode),
        filters::all(mode),
        routes::all(mode),
        changes::all(mode),
    ];
    families.concat()
}

/// A workload of the scene that most have.
fn plain(key: &str, title: &str, unit: Unit, load: Load, steady: Option<Steady>) -> Workload {
    let work = Work::Load(load, steady);
    Workload { key: key.to_owned(), title: title.to_owned(), unit, scene: Scene::Plain, work }
}

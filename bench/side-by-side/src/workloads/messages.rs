//! What is neither a request nor a stream of bytes: messages on WebSockets, and datagrams.

use super::{Unit, Work, Workload};
use crate::load::{Datagrams, Load, WebSockets};
use crate::scene::Scene;

pub(super) fn websocket() -> Vec<Workload> {
    vec![Workload {
        key: "websocket".to_owned(),
        title: "WebSocket, 128 bytes and their echo".to_owned(),
        unit: Unit::Echo,
        scene: Scene::WebSocket,
        work: Work::Load(Load::WebSockets(WebSockets { connections: 64 }), None),
    }]
}

pub(super) fn datagrams() -> Vec<Workload> {
    vec![Workload {
        key: "datagrams".to_owned(),
        title: "UDP, 128 bytes and their echo".to_owned(),
        unit: Unit::Datagram,
        scene: Scene::Datagrams,
        work: Work::Load(Load::Datagrams(Datagrams { clients: 16, at_once: 4 }), None),
    }]
}

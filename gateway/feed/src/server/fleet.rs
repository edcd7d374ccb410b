//! Who follows the feed, and what each said last.

use crate::{Acknowledgement, GroupId, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::sync::watch;

/// All clients of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// By name.
    pub clients: BTreeMap<ClientId, Client>,
}

/// One pod of a data plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// Proved by its certificate.
    pub group: GroupId,
    /// As it calls itself.
    pub instance: Arc<str>,
}

/// A client that is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The node that it runs on, as it says.
    pub node: Arc<str>,
    /// The version of its program.
    pub product: Arc<str>,
    /// Since when.
    pub since: SystemTime,
    /// When its certificate ends.
    pub not_after: SystemTime,
    /// What it said last.
    pub acknowledged: Option<Acknowledgement>,
    /// Which of its connections this is: a client that renews its certificate comes again before it goes.
    connection: u64,
}

impl Fleet {
    /// The clients of a group.
    pub fn of<'a>(&'a self, group: &'a GroupId) -> impl Iterator<Item = (&'a ClientId, &'a Client)> {
        self.clients.iter().filter(move |(id, _)| id.group == *group)
    }

    /// Whether every client of a group, and at least one, serves this version or a later one.
    pub fn serves(&self, group: &GroupId, version: Version) -> bool {
        let serves = |client: &Client| client.acknowledged.as_ref().is_some_and(|ack| ack.version >= version);
        self.of(group).next().is_some() && self.of(group).all(|(_, client)| serves(client))
    }
}

/// Where it is written.
#[derive(Debug, Default)]
pub(super) struct Board {
    fleet: watch::Sender<Arc<Fleet>>,
    connections: AtomicU64,
}

/// A client, for as long as its connection lasts.
pub(super) struct Present<'a> {
    board: &'a Board,
    id: ClientId,
    connection: u64,
}

impl Board {
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Fleet>> {
        self.fleet.subscribe()
    }

    pub(super) fn enter(&self, id: ClientId, node: &str, product: &str, not_after: SystemTime) -> Present<'_> {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        self.fleet.send_modify(|fleet| {
            let clients = &mut Arc::make_mut(fleet).clients;
            // What it said on the connection before still holds.
            let acknowledged = clients.get(&id).and_then(|client| client.acknowledged.clone());
            let (node, product, since) = (node.into(), product.into(), SystemTime::now());
            clients.insert(id.clone(), Client { node, product, since, not_after, acknowledged, connection });
        });
        Present { board: self, id, connection }
    }
}

impl Present<'_> {
    pub(super) fn acknowledge(&self, ack: Acknowledgement) {
        self.board.fleet.send_if_modified(|fleet| {
            let is_current = |client: &&Client| client.connection == self.connection;
            let Some(client) = fleet.clients.get(&self.id).filter(is_current) else { return false };
            if client.acknowledged.as_ref() == Some(&ack) {
                return false;
            }
            if let Some(client) = Arc::make_mut(fleet).clients.get_mut(&self.id) {
                client.acknowledged = Some(ack);
            }
            true
        });
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.board.fleet.send_if_modified(|fleet| {
            let is_current = fleet.clients.get(&self.id).is_some_and(|client| client.connection == self.connection);
            if is_current {
                Arc::make_mut(fleet).clients.remove(&self.id);
            }
            is_current
        });
    }
}

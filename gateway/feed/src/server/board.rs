//! Where it is written who follows.

use super::fleet::{Client, ClientId, Fleet, Relayed};
use crate::Acknowledgement;
use crate::resource::Hash;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::sync::watch;

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

/// Another replica that reports, for as long as what it reported counts.
pub(super) struct Reporter<'a> {
    board: &'a Board,
    replica: Arc<str>,
    connection: u64,
}

impl Board {
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Fleet>> {
        self.fleet.subscribe()
    }

    pub(super) fn enter(
        &self,
        id: ClientId,
        node: &str,
        product: &str,
        not_after: SystemTime,
        session: u64,
    ) -> Present<'_> {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        self.fleet.send_modify(|fleet| {
            let clients = &mut Arc::make_mut(fleet).clients;
            // What it said on the connection before still holds.
            let before = clients.get(&id);
            let acknowledged = before.and_then(|client| client.acknowledged.clone());
            let listeners = before.and_then(|client| client.listeners);
            let (node, product, since) = (node.into(), product.into(), SystemTime::now());
            let client = Client { node, product, since, not_after, session, acknowledged, listeners, connection };
            clients.insert(id.clone(), client);
        });
        Present { board: self, id, connection }
    }

    /// All that a replica has to report. It counts in the place of what it reported before, which has counted until now.
    pub(super) fn report(&self, replica: Arc<str>, clients: BTreeMap<ClientId, Client>) -> Reporter<'_> {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        self.fleet.send_modify(|fleet| {
            let relayed = &mut Arc::make_mut(fleet).relayed;
            relayed.insert(replica.clone(), Relayed { clients, connection });
        });
        Reporter { board: self, replica, connection }
    }
}

impl Present<'_> {
    /// Takes down what it says, and what the listeners say that it speaks of.
    pub(super) fn acknowledge(&self, ack: Acknowledgement, listeners: Option<Hash>) {
        self.board.fleet.send_if_modified(|fleet| {
            let is_current = |client: &&Client| client.connection == self.connection;
            let Some(client) = fleet.clients.get(&self.id).filter(is_current) else { return false };
            if client.acknowledged.as_ref() == Some(&ack) && client.listeners == listeners {
                return false;
            }
            if let Some(client) = Arc::make_mut(fleet).clients.get_mut(&self.id) {
                (client.acknowledged, client.listeners) = (Some(ack), listeners);
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

impl Reporter<'_> {
    /// Takes down that a client is there as it is, or is not. Tells how many there are then.
    pub(super) fn note(&self, id: ClientId, client: Option<Client>) -> usize {
        let mut count = 0;
        self.board.fleet.send_if_modified(|fleet| {
            let is_current = |relayed: &&mut Relayed| relayed.connection == self.connection;
            let Some(relayed) = Arc::make_mut(fleet).relayed.get_mut(&self.replica).filter(is_current) else {
                return false;
            };
            match client {
                Some(client) => drop(relayed.clients.insert(id, client)),
                None => drop(relayed.clients.remove(&id)),
            }
            count = relayed.clients.len();
            true
        });
        count
    }
}

impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        self.board.fleet.send_if_modified(|fleet| {
            let known = fleet.relayed.get(&self.replica);
            let is_current = known.is_some_and(|relayed| relayed.connection == self.connection);
            if is_current {
                Arc::make_mut(fleet).relayed.remove(&self.replica);
            }
            is_current
        });
    }
}

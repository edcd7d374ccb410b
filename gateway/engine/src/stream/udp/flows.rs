//! The flows of one socket, by client.

use super::flow::Flow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Datagrams of one client that may wait for its flow: DNS may take a moment.
const WAITING: usize = 16;

/// Bytes that may wait on one socket, whoever sent them.
const WAITING_BYTES: usize = 16 << 20;

/// All flows of a socket. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Flows(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    slots: HashMap<SocketAddr, Slot>,
    /// Bytes that wait in all slots.
    waiting: usize,
}

enum Slot {
    /// It has no endpoint yet; what came so far waits.
    Opening(Vec<Vec<u8>>),
    Open(Arc<Flow>),
}

/// What became of the first datagram of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It waits for its flow, which is to be opened now.
    Opening,
    /// There is no room for it.
    Full,
}

/// The place of a flow, for as long as this lives.
pub(super) struct Place {
    flows: Flows,
    client: SocketAddr,
}

impl Flows {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().slots.is_empty()
    }

    /// Passes a datagram on to the client's flow, if there is one.
    pub(super) fn pass(&self, client: SocketAddr, datagram: &[u8]) -> bool {
        let mut table = self.lock();
        let room = table.waiting + datagram.len() <= WAITING_BYTES;
        match table.slots.get_mut(&client) {
            Some(Slot::Open(flow)) => flow.send(datagram),
            Some(Slot::Opening(waiting)) if room && waiting.len() < WAITING => {
                waiting.push(datagram.to_vec());
                table.waiting += datagram.len();
            }
            // Lost, as datagrams are.
            Some(Slot::Opening(_)) => {}
            None => return false,
        }
        true
    }

    /// Takes the first datagram of a client, of at most so many.
    pub(super) fn begin(&self, most: usize, client: SocketAddr, datagram: &[u8]) -> Begun {
        let mut table = self.lock();
        if table.slots.len() >= most || table.waiting + datagram.len() > WAITING_BYTES {
            return Begun::Full;
        }
        table.waiting += datagram.len();
        table.slots.insert(client, Slot::Opening(vec![datagram.to_vec()]));
        Begun::Opening
    }

    /// The place of a client that has begun.
    pub(super) fn place(&self, client: SocketAddr) -> Place {
        Place { flows: self.clone(), client }
    }

    /// How many datagrams the flows have carried, both ways.
    pub(super) fn carried(&self) -> u64 {
        let carried = |slot: &Slot| match slot {
            Slot::Opening(_) => 0,
            Slot::Open(flow) => flow.carried(),
        };
        self.lock().slots.values().map(carried).sum()
    }
}

impl Table {
    fn put(&mut self, client: SocketAddr, slot: Option<Slot>) -> Vec<Vec<u8>> {
        let before = match slot {
            Some(slot) => self.slots.insert(client, slot),
            None => self.slots.remove(&client),
        };
        match before {
            Some(Slot::Opening(waiting)) => {
                self.waiting -= waiting.iter().map(Vec::len).sum::<usize>();
                waiting
            }
            Some(Slot::Open(_)) | None => Vec::new(),
        }
    }
}

impl Place {
    /// From now on datagrams go to this flow. What waited for it goes first, and is given back.
    pub(super) fn open(&self, flow: &Arc<Flow>) -> Vec<Vec<u8>> {
        let mut table = self.flows.lock();
        let waited = table.put(self.client, Some(Slot::Open(flow.clone())));
        waited.iter().for_each(|datagram| flow.send(datagram));
        waited
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.flows.lock().put(self.client, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn flows_count_from_their_first_datagram_on() {
        let flows = Flows::default();
        assert!(!flows.pass(client(1), b"x"));
        assert_eq!(flows.begin(2, client(1), b"x"), Begun::Opening);
        assert_eq!(flows.begin(2, client(2), b"x"), Begun::Opening);
        assert_eq!(flows.begin(2, client(3), b"x"), Begun::Full);
        assert!(flows.pass(client(1), b"x"));
        drop(flows.place(client(1)));
        assert_eq!(flows.begin(2, client(3), b"x"), Begun::Opening);
        assert!(!flows.is_empty());
    }

    #[test]
    fn what_waits_is_bounded_in_pieces_and_in_bytes() {
        let flows = Flows::default();
        let large = vec![0; 65_507];
        for port in 0..1000 {
            flows.begin(usize::MAX, client(port), &large);
            for _ in 0..100 {
                flows.pass(client(port), &large);
            }
        }
        assert!(flows.lock().waiting <= WAITING_BYTES);
        for port in 0..1000 {
            drop(flows.place(client(port)));
        }
        // One after the other: each takes the lock.
        assert_eq!(flows.lock().waiting, 0);
        assert!(flows.is_empty());
        flows.begin(1, client(1), b"x");
        for _ in 0..100 {
            flows.pass(client(1), b"x");
        }
        assert_eq!(flows.lock().waiting, WAITING);
    }
}

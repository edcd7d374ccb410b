//! Who follows the feed, and what each said last.

use crate::resource::Hash;
use crate::{Acknowledgement, GroupId, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// All clients of a feed, and those of other replicas as far as these report to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Those that follow this replica, by name.
    pub clients: BTreeMap<ClientId, Client>,
    /// Those that follow other replicas, by the name of the replica.
    pub relayed: BTreeMap<Arc<str>, Relayed>,
}

/// What another replica reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relayed {
    /// The clients that follow it, by name.
    pub clients: BTreeMap<ClientId, Client>,
    /// On which of its streams to us.
    pub(super) connection: u64,
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
    /// Which of its streams this is, as it counts: later ones are greater, whichever replica they go to. 0 where it does
    /// not count.
    pub session: u64,
    /// What it said last. The version is a number of the replica that it follows.
    pub acknowledged: Option<Acknowledgement>,
    /// What the listeners say that it acknowledged, which means the same on every replica; `None` where nobody knows.
    pub listeners: Option<Hash>,
    /// Which of its connections this is: a client that renews its certificate comes again before it goes.
    pub(crate) connection: u64,
}

/// A client, wherever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// The replica that it follows; `None` is this one.
    pub replica: Option<&'a str>,
    /// What that replica knows of it.
    pub client: &'a Client,
    /// What it said last, on this stream or on one before, to whichever replica: it holds until it says something else.
    pub said: Option<&'a Client>,
}

impl Fleet {
    /// The clients of a group that follow this replica.
    pub fn of<'a>(&'a self, group: &'a GroupId) -> impl Iterator<Item = (&'a ClientId, &'a Client)> {
        self.clients.iter().filter(move |(id, _)| id.group == *group)
    }

    /// Whether every client of a group that follows this replica, and at least one, serves this version or a later one.
    pub fn serves(&self, group: &GroupId, version: Version) -> bool {
        let serves = |client: &Client| client.acknowledged.as_ref().is_some_and(|ack| ack.version >= version);
        self.of(group).next().is_some() && self.of(group).all(|(_, client)| serves(client))
    }

    /// Every client once. One that is known to several replicas has moved: it counts where its last stream is. In which order
    /// the replicas reported does not matter.
    pub fn everybody(&self) -> BTreeMap<&ClientId, Known<'_>> {
        let relayed = self.relayed.iter().flat_map(|(replica, relayed)| {
            relayed.clients.iter().map(move |(id, client)| (id, Some(&**replica), client))
        });
        let mut all: BTreeMap<&ClientId, Known<'_>> = BTreeMap::new();
        // The newest stream on which something was said, and where that was.
        let mut spoke: BTreeMap<&ClientId, Recency<'_>> = BTreeMap::new();
        for (id, replica, client) in self.clients.iter().map(|(id, client)| (id, None, client)).chain(relayed) {
            let recency = recency(client, replica);
            let said = client.acknowledged.is_some().then_some(client);
            let known = all.entry(id).or_insert(Known { replica, client, said: None });
            if recency > self::recency(known.client, known.replica) {
                (known.replica, known.client) = (replica, client);
            }
            if said.is_some() && spoke.get(id).is_none_or(|newest| recency > *newest) {
                known.said = said;
                spoke.insert(id, recency);
            }
        }
        all
    }
}

/// By what the client says itself; where it does not count, by the clocks of replicas, which may differ.
type Recency<'a> = (u64, SystemTime, Option<&'a str>);

fn recency<'a>(client: &Client, replica: Option<&'a str>) -> Recency<'a> {
    (client.session, client.since, replica)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn id(instance: u8) -> ClientId {
        ClientId { group: GroupId::new("shop", "front"), instance: instance.to_string().into() }
    }

    fn client(session: u64, version: Option<u64>) -> Client {
        Client {
            node: "node".into(),
            product: "1".into(),
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(session % 3),
            not_after: SystemTime::UNIX_EPOCH,
            session,
            acknowledged: version
                .map(|version| Acknowledgement { version: Version(version), ..Acknowledgement::default() }),
            listeners: None,
            connection: 0,
        }
    }

    fn version(known: &Known<'_>) -> Option<u64> {
        known.said.and_then(|client| client.acknowledged.as_ref()).map(|ack| ack.version.0)
    }

    #[test]
    fn a_client_that_moves_counts_where_its_last_stream_is() {
        let mut fleet = Fleet::default();
        let before = Relayed { clients: [(id(1), client(7, Some(3)))].into(), connection: 0 };
        fleet.relayed.insert("one".into(), before);
        fleet.clients.insert(id(1), client(8, None));
        let known = fleet.everybody()[&id(1)];
        assert_eq!((known.replica, known.client.session), (None, 8));
        assert_eq!(version(&known), Some(3), "what it said to the other one holds");
        fleet.clients.insert(id(1), client(8, Some(1)));
        assert_eq!(version(&fleet.everybody()[&id(1)]), Some(1), "until it says something");
        fleet.clients.insert(id(1), client(6, Some(1)));
        let known = fleet.everybody()[&id(1)];
        assert_eq!((known.replica, version(&known)), (Some("one"), Some(3)), "a stream of before that is still there");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 256,
            rng_seed: proptest::test_runner::RngSeed::Fixed(3),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Which replica has a client as its own makes no difference to what is known of it.
        #[test]
        fn whoever_merges_knows_the_same(
            entries in prop::collection::vec((0u8..4, 0u8..3, 0u64..4, prop::option::of(0u64..3)), 0..12),
            leader in 0u8..4,
        ) {
            let mut tables: BTreeMap<u8, BTreeMap<ClientId, Client>> = BTreeMap::new();
            for (replica, instance, session, said) in entries {
                // Streams of one client have different numbers.
                let session = session * 4 + u64::from(replica);
                tables.entry(replica).or_default().insert(id(instance), client(session, said));
            }
            let all_relayed = Fleet {
                clients: BTreeMap::new(),
                relayed: tables.iter().map(|(replica, clients)| {
                    (replica.to_string().into(), Relayed { clients: clients.clone(), connection: 0 })
                }).collect(),
            };
            let mut seen_by_leader = all_relayed.clone();
            let own = seen_by_leader.relayed.remove(&*leader.to_string());
            seen_by_leader.clients = own.map(|own| own.clients).unwrap_or_default();
            let facts = |fleet: &Fleet| -> Vec<(ClientId, Client, Option<Client>)> {
                let all = fleet.everybody().into_iter();
                all.map(|(id, known)| (id.clone(), known.client.clone(), known.said.cloned())).collect()
            };
            prop_assert_eq!(facts(&all_relayed), facts(&seen_by_leader));
        }
    }
}

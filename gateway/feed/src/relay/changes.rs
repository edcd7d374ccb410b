//! What has to be told of the clients of a replica, if something else was told before.

use crate::server::{Client, ClientId};
use crate::wire::relay::{Here, Name, Said};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<ClientId, Client>);

impl Told {
    /// What is left to tell of these clients. From now on it counts as told.
    pub(super) fn catch_up(&mut self, clients: &BTreeMap<ClientId, Client>) -> Vec<Said> {
        let gone = self.0.keys().filter(|id| !clients.contains_key(id)).map(|id| Said::Gone(name(id)));
        let news = clients.iter().filter(|(id, client)| self.0.get(id) != Some(client));
        let changes: Vec<Said> = gone.chain(news.map(|(id, client)| Said::Here(here(id, client)))).collect();
        if !changes.is_empty() {
            self.0.clone_from(clients);
        }
        changes
    }
}

fn name(id: &ClientId) -> Name {
    let ClientId { group, instance } = id;
    Name {
        namespace: group.namespace.as_ref().to_owned(),
        group: group.name.as_ref().to_owned(),
        instance: instance.as_ref().to_owned(),
    }
}

fn here(id: &ClientId, client: &Client) -> Here {
    let Client { node, product, since, not_after, session, acknowledged, listeners, connection: _ } = client;
    Here {
        name: Some(name(id)),
        node: node.as_ref().to_owned(),
        product: product.as_ref().to_owned(),
        since: millis(*since),
        not_after: millis(*not_after),
        session: *session,
        acknowledged: acknowledged.clone().map(crate::Acknowledgement::into_wire),
        listeners: listeners.map(crate::resource::Hash::to_bytes).unwrap_or_default(),
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;
    use crate::{Acknowledgement, GroupId};

    fn id(instance: &str) -> ClientId {
        ClientId { group: GroupId::new("shop", "front"), instance: instance.into() }
    }

    fn client(session: u64) -> Client {
        Client {
            node: "node".into(),
            product: "1".into(),
            since: SystemTime::UNIX_EPOCH,
            not_after: SystemTime::UNIX_EPOCH,
            session,
            acknowledged: None,
            listeners: None,
            connection: session,
        }
    }

    fn names(changes: &[Said]) -> Vec<String> {
        let name = |said: &Said| match said {
            Said::Here(Here { name, .. }) => format!("+{}", name.as_ref().map_or("", |name| &name.instance)),
            Said::Gone(name) => format!("-{}", name.instance),
            Said::Hello(_) | Said::Whole(_) => panic!("{said:?}"),
        };
        changes.iter().map(name).collect()
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let mut told = Told::default();
        let mut clients = BTreeMap::from([(id("a"), client(1)), (id("b"), client(1))]);
        assert_eq!(names(&told.catch_up(&clients)), ["+a", "+b"]);
        assert!(told.catch_up(&clients).is_empty());
        clients.remove(&id("a"));
        clients.insert(id("c"), client(1));
        if let Some(client) = clients.get_mut(&id("b")) {
            client.acknowledged = Some(Acknowledgement::default());
        }
        assert_eq!(names(&told.catch_up(&clients)), ["-a", "+b", "+c"]);
        assert_eq!(names(&told.catch_up(&BTreeMap::new())), ["-b", "-c"]);
    }
}

//! What data planes said last.

use lychgate_feed::resource::Hash;
use lychgate_feed::server::{Fleet, Known};
use lychgate_feed::{Acknowledgement, GroupId, Rejected, Unbound, Version};
use std::collections::BTreeMap;

/// What one data plane said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<V = Version, C = Hash> {
    /// What of this replica it serves. The outer is none for one that follows another replica, the inner before it says
    /// anything.
    pub version: Option<Option<V>>,
    /// What every replica calls the listeners that it serves; none before it says anything.
    pub listeners: Option<C>,
    /// What it rejects.
    pub rejected: Vec<Rejected>,
    /// Sockets that it could not open.
    pub unbound: Vec<Unbound>,
}

/// What the data planes of each group said last, to whichever replica.
#[must_use]
pub fn answers(fleet: &Fleet) -> BTreeMap<GroupId, Vec<Answer>> {
    let mut all: BTreeMap<GroupId, Vec<Answer>> = BTreeMap::new();
    for (id, Known { replica, client, said }) in fleet.everybody() {
        let own = client.acknowledged.as_ref().map(|ack| ack.version);
        let said = said.and_then(|said| Some((said.acknowledged.as_ref()?, said.listeners)));
        let (listeners, rejected, unbound) = match said {
            Some((Acknowledgement { version: _, rejected, unbound, more: _ }, listeners)) => {
                (listeners, rejected.clone(), unbound.clone())
            }
            None => (None, Vec::new(), Vec::new()),
        };
        let version = replica.is_none().then_some(own);
        all.entry(id.group.clone()).or_default().push(Answer { version, listeners, rejected, unbound });
    }
    all
}

//! Routes of connections and datagrams (TLSRoute, TCPRoute, UDPRoute): nothing in them is read.

use crate::{Attachment, Refusal, RouteId, RuleId, Target};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A route whose only match is the listener, and for TLS the server name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRoute {
    /// What it is called everywhere.
    pub id: RouteId,
    /// `metadata.creationTimestamp` in seconds since 1970: the older route wins a tie. Files have none.
    pub created: Option<i64>,
    /// Where it is served, sorted by listener. Host names count for TLS only, where they are server names.
    pub attachments: Arc<[Attachment]>,
    /// Its rule; these kinds have one.
    pub rule: RuleId,
    /// Where connections go, chosen by weight. A broken rule closes them at once.
    pub forward: Result<Vec<StreamBackend>, Refusal>,
}

/// A backend with its share of the connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamBackend {
    /// 0 takes none.
    pub weight: u32,
    /// Where it goes. The share of a broken one is closed at once.
    pub target: Target,
}

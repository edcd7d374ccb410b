//! Requests that become something else: WebSocket (RFC 6455), and nothing else.

use super::Desk;
use crate::egress::guest::Guest;
use crate::egress::passage::{Passage, Way};
use crate::egress::record::Record;
use crate::egress::tunnel::Tunnel;
use crate::egress::wire::Begun;
use hyper::upgrade::OnUpgrade;
use lychgate_telemetry::Reason;
use std::sync::Arc;
use tokio::sync::watch;

/// Both ends, as they will be, and what was decided.
pub(super) struct Upgrade {
    pub(super) client: OnUpgrade,
    pub(super) upstream: OnUpgrade,
    pub(super) passage: Passage,
    pub(super) way: Way,
}

/// Carries what follows, until it ends, beside the connection that it came over.
///
/// `changes` tells of policies that have changed since before it was decided.
pub(super) fn carry(
    desk: &Arc<Desk>,
    guest: &Arc<Guest>,
    upgrade: Upgrade,
    changes: watch::Receiver<()>,
    mut record: Record,
) {
    let Upgrade { client, upstream, passage, way } = upgrade;
    let guest = guest.clone();
    desk.spawn(async move {
        match tokio::try_join!(client, upstream) {
            Ok((client, upstream)) => {
                let tunnel = Tunnel::of_upgrade(&guest, &passage, changes, record);
                tunnel.join(Begun::of_upgraded(client), Begun::of_upgraded(upstream), passage, way).await;
            }
            Err(error) => record.failed(Reason::Aborted, error.to_string()),
        }
    });
}

//! What `lychgate explain` says of what leaves.

use super::policies::Served;
use super::test::{Wish, answer};
use super::who::WhoArgs;
use crate::cluster::GatewayName;
use crate::terminal::Output;
use anyhow::anyhow;
use http::{Method, Uri};
use lychgate_ir::Snapshot;
use std::process::ExitCode;
use std::sync::Arc;

/// Whether a question is about what leaves: it says who wants to, or means a Gateway that nothing comes in through.
pub(crate) fn is_about_leaving(snapshot: &Snapshot, gateway: Option<&GatewayName>, who: &WhoArgs) -> bool {
    let leaves = match gateway {
        Some(GatewayName(named)) => snapshot.egress.contains_key(named),
        None => snapshot.listeners.keys().all(|listener| snapshot.egress.contains_key(&listener.gateway)),
    };
    who.is_said() || leaves && !snapshot.egress.is_empty()
}

/// Says whether it may leave, which rule decides, and why the others do not.
pub(crate) fn explain(
    snapshot: &Arc<Snapshot>,
    gateway: Option<&GatewayName>,
    who: &WhoArgs,
    url: &Uri,
    method: &Method,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let text = url.to_string();
    // A URL has a path, and what is no HTTP has none.
    let text = match url.scheme_str() {
        Some("http" | "https") => text.as_str(),
        Some(_) | None => text.trim_end_matches('/'),
    };
    let wish: Wish = text.parse().map_err(|why| anyhow!("--url {text}: {why}"))?;
    // Nobody was asked for the addresses that there are.
    let served = Served { snapshot: snapshot.clone(), addresses: None };
    answer(&served, gateway, who, &wish, method, output)
}

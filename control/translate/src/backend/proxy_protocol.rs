//! The annotation that asks for a header of the PROXY protocol on every connection.

use crate::names::PROXY_PROTOCOL;
use lychgate_api::meta::ObjectMeta;
use lychgate_ir::{ProxyProtocol, Transport};

/// Which version is asked for. What cannot be read refuses the backend: one that waits for a header would take the first
/// bytes of a client for it, and one that does not would take the header for the client's bytes.
pub(super) fn read(metadata: &ObjectMeta) -> Result<Option<ProxyProtocol>, String> {
    match metadata.annotations.get(PROXY_PROTOCOL).map(String::as_str) {
        None => Ok(None),
        Some("v1") => Ok(Some(ProxyProtocol::V1)),
        Some("v2") => Ok(Some(ProxyProtocol::V2)),
        Some(other) => Err(format!("annotation {PROXY_PROTOCOL} is `{other}`; write v1 or v2, or leave it out")),
    }
}

/// The same, for a backend whose reference was followed: then it could be read. Datagrams have no beginning.
pub(super) fn of(metadata: &ObjectMeta, transport: Transport) -> Option<ProxyProtocol> {
    match transport {
        Transport::Tcp => read(metadata).ok().flatten(),
        Transport::Udp => None,
    }
}

/// What is said to routes that cannot use it.
pub(super) fn note_for_datagrams(metadata: &ObjectMeta) -> Option<String> {
    let asked = metadata.annotations.contains_key(PROXY_PROTOCOL);
    asked.then(|| format!("annotation {PROXY_PROTOCOL} has no effect for datagrams"))
}

/// What is said to routes of egress Gateways. What leaves says nothing of who is inside.
pub(super) fn note_for_what_leaves() -> String {
    format!(
        "annotation {PROXY_PROTOCOL} asks for what nothing that leaves begins with; remove it, or lead to another backend"
    )
}

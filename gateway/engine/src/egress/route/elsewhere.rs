//! Endpoints in place of one that there is no address here to leave from to. They are looked at before an attempt begins, so
//! that it is none, and what is not taken is not recorded.

use crate::upstream::{BackendCell, EndpointState, Picked};
use lychgate_egress::target::{Target, TargetHost};
use std::net::SocketAddr;
use std::sync::Arc;

/// Endpoints that are looked at in place of one. Mostly one rule is for all of a family, and one of the other is enough.
const LOOKS: usize = 16;

/// Other endpoints of a backend: first those of a family that has not been in vain.
pub(super) struct Elsewhere<'a> {
    backend: &'a BackendCell,
    /// Endpoints that the attempts before have had.
    tried: &'a [Arc<EndpointState>],
    looked_at: Vec<Arc<EndpointState>>,
}

impl<'a> Elsewhere<'a> {
    pub(super) fn than(absent: &Picked, backend: &'a BackendCell, tried: &'a [Arc<EndpointState>]) -> Self {
        Self { backend, tried, looked_at: vec![absent.endpoint().clone()] }
    }
}

impl Iterator for Elsewhere<'_> {
    type Item = Picked;

    fn next(&mut self) -> Option<Picked> {
        let Self { backend, tried, looked_at } = self;
        if looked_at.len() > LOOKS {
            return None;
        }
        let is_had = |one: &EndpointState| tried.iter().chain(&*looked_at).any(|had| had.address == one.address);
        let is_in_vain =
            |one: &EndpointState| looked_at.iter().any(|absent| absent.address.is_ipv4() == one.address.is_ipv4());
        let of_other_family = backend.pick_instead(|one| is_had(one) || is_in_vain(one));
        let picked = of_other_family.or_else(|| backend.pick_instead(is_had))?;
        looked_at.push(picked.endpoint().clone());
        Some(picked)
    }
}

/// An endpoint, as policies see it.
pub(super) fn target(picked: &Picked) -> Target {
    let address: SocketAddr = picked.endpoint().address;
    Target { host: TargetHost::address(address.ip()), port: address.port() }
}

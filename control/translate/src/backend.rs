//! Backends: what references lead to, how they are reached, and where their endpoints are.

mod balance;
pub(crate) mod endpoints;
mod proxy_protocol;
pub(crate) mod resolve;
mod service;
pub(crate) mod validation;
mod xbackend;

use crate::policy::backend_tls::TlsPolicies;
use crate::route::usage::Usage;
use crate::status::ObjectStatus;
use crate::world::World;
use lychgate_api::{Kind, ObjectKey, ObjectRef};
use lychgate_ir::{Backend, BackendId, BackendKind, BackendTls, CertificateId, ClientIdentity};
use std::collections::BTreeMap;

/// Every backend that a rule uses. One that resolved but has no object can no longer be: references are followed in
/// the same objects.
pub(crate) fn all(world: &World<'_>, policies: &TlsPolicies<'_>, usage: &Usage) -> BTreeMap<BackendId, Backend> {
    let built = usage.targets.iter().filter_map(|id| {
        let key = key_of(id);
        let backend = match id.kind {
            BackendKind::Service => service::backend(policies, id, &key, world.objects.get_service(&key)?),
            BackendKind::XBackend => xbackend::backend(world, id, &key, world.objects.get_xbackend(&key)?),
        };
        Some((id.clone(), backend))
    });
    built.collect()
}

/// The certificate that a backend insists on showing, if it has one of its own.
pub(crate) fn own_certificate(backend: &Backend) -> Option<&CertificateId> {
    match &backend.tls {
        BackendTls::Plain | BackendTls::Broken(_) => None,
        BackendTls::Tls(tls) => match &tls.identity {
            ClientIdentity::Gateway | ClientIdentity::None => None,
            ClientIdentity::Certificate(id) => Some(id),
        },
    }
}

/// The statuses of XBackends that are used.
pub(crate) fn statuses(world: &World<'_>, usage: &Usage) -> Vec<(ObjectRef, ObjectStatus)> {
    let used = usage.objects.iter().filter(|((kind, _), _)| *kind == BackendKind::XBackend);
    let written = used.filter_map(|((_, name), gateways)| {
        let key = ObjectKey::new(&*name.namespace, &*name.name);
        let status = xbackend::status(world, &key, world.objects.get_xbackend(&key)?, gateways);
        Some((ObjectRef { kind: Kind::XBackend, key }, ObjectStatus::XBackend(status)))
    });
    written.collect()
}

pub(crate) fn key_of(id: &BackendId) -> ObjectKey {
    ObjectKey::new(&*id.name.namespace, &*id.name.name)
}

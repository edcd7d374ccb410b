//! EndpointSlices: the addresses behind a Service.

use super::{key_of, service};
use crate::keep::keep;
use lychgate_api::core::{AddressFamily, EndpointSlice, IntOrString, Service};
use lychgate_api::{Kind, ObjectKey, Objects};
use lychgate_ir::{Backend, BackendId, Endpoint, EndpointAddress, EndpointSet, Endpoints, Resolution};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A Service, by namespace and name.
type ServiceName<'a> = (&'a str, &'a str);

/// The endpoints of every backend that has endpoints. Those whose Service and slices did not change are taken over.
pub(crate) fn all(
    objects: &Objects,
    backends: &BTreeMap<BackendId, Arc<Backend>>,
    before: Option<(&Objects, &Endpoints)>,
) -> Endpoints {
    let changed = before.map(|(old, _)| changed(old, objects));
    let same = |id: &BackendId| {
        changed.as_ref().is_some_and(|changed| !changed.contains(&service_name(id)))
            && before.is_some_and(|(old, _)| same_service(old, objects, id))
    };
    // Both maps are in the same order: walking them side by side needs no search.
    let mut old_sets = before.into_iter().flat_map(|(_, sets)| sets).peekable();
    let mut sets: Vec<(&BackendId, Option<&Arc<EndpointSet>>, bool)> = Vec::with_capacity(backends.len());
    for (id, backend) in backends {
        while old_sets.next_if(|(old, _)| *old < id).is_some() {}
        if backend.resolution == Resolution::Endpoints {
            let old = old_sets.next_if(|(old, _)| *old == id).map(|(_, set)| set);
            sets.push((id, old, old.is_some() && same(id)));
        }
    }
    let to_read = sets.iter().filter(|(_, _, same)| !same).map(|(id, _, _)| service_name(id)).collect();
    let slices = slices(objects, &to_read);
    let read = sets.into_iter().filter_map(|(id, old, same)| match old {
        Some(old) if same => Some((id.clone(), old.clone())),
        Some(_) | None => {
            let service = objects.get_service(&key_of(id))?;
            let slices = slices.get(&service_name(id)).map_or(&[][..], Vec::as_slice);
            Some((id.clone(), keep(read(id, service, slices), old)))
        }
    });
    read.collect()
}

fn service_name(id: &BackendId) -> ServiceName<'_> {
    (&id.name.namespace, &id.name.name)
}

fn same_service(old: &Objects, new: &Objects, id: &BackendId) -> bool {
    old.shares(new, Kind::Service) || {
        let key = key_of(id);
        match (old.get_service(&key), new.get_service(&key)) {
            (Some(old), Some(new)) => old == new,
            (None, _) | (_, None) => false,
        }
    }
}

/// Services with a slice that is not as it was.
fn changed<'a>(old: &'a Objects, new: &'a Objects) -> HashSet<ServiceName<'a>> {
    let mut changed = HashSet::new();
    if old.shares(new, Kind::EndpointSlice) {
        return changed;
    }
    let mut mark = |key: &'a ObjectKey, slice: &'a EndpointSlice| {
        changed.extend(slice.service_name().map(|service| (key.namespace.as_str(), service)));
    };
    let mut old = old.endpoint_slices().peekable();
    for (key, slice) in new.endpoint_slices() {
        while let Some((key, gone)) = old.next_if(|(old, _)| *old < key) {
            mark(key, gone);
        }
        match old.next_if(|(old, _)| *old == key) {
            Some((_, same)) if same == slice => {}
            Some((_, other)) => {
                mark(key, other);
                mark(key, slice);
            }
            None => mark(key, slice),
        }
    }
    old.for_each(|(key, gone)| mark(key, gone));
    changed
}

/// The slices of these Services.
fn slices<'a>(
    objects: &'a Objects,
    wanted: &HashSet<ServiceName<'_>>,
) -> HashMap<ServiceName<'a>, Vec<&'a Arc<EndpointSlice>>> {
    let mut slices: HashMap<_, Vec<_>> = HashMap::new();
    if wanted.is_empty() {
        return slices;
    }
    for (key, slice) in objects.endpoint_slices() {
        if let Some(name) = slice.service_name().map(|service| (key.namespace.as_str(), service))
            && wanted.contains(&name)
        {
            slices.entry(name).or_default().push(slice);
        }
    }
    slices
}

fn read(id: &BackendId, service: &Service, slices: &[&Arc<EndpointSlice>]) -> EndpointSet {
    // The ready one of two is the one that counts, so it is kept whatever the order of the slices.
    let mut by_address: BTreeMap<EndpointAddress, bool> = BTreeMap::new();
    for slice in slices {
        let Some(port) = port(id, service, slice) else { continue };
        for endpoint in &slice.endpoints {
            let conditions = endpoint.conditions;
            let terminating = match (conditions.is_ready(), conditions.is_serving(), conditions.is_terminating()) {
                (true, _, _) => false,
                (false, true, true) => true,
                (false, true, false) | (false, false, _) => continue,
            };
            // No meaning is defined for addresses after the first.
            let address = endpoint.addresses.first().and_then(|text| address(slice.address_type, text, port));
            if let Some(address) = address {
                by_address.entry(address).and_modify(|known| *known &= terminating).or_insert(terminating);
            }
        }
    }
    let endpoints = by_address.into_iter().map(|(address, terminating)| Endpoint { address, terminating });
    EndpointSet { endpoints: endpoints.collect() }
}

/// The port of a slice's endpoints that stands behind the Service's port: the one of the same name.
fn port(id: &BackendId, service: &Service, slice: &EndpointSlice) -> Option<u16> {
    let wanted = service::port_of(service, id.port, id.transport)?;
    let port = slice
        .ports
        .iter()
        .find(|port| port.name.as_deref().unwrap_or_default() == wanted.name && port.protocol == wanted.protocol)?;
    // Any port, says a slice without a number: then the Service's own choice is as good as it gets.
    port.port.or(match wanted.target_port {
        Some(IntOrString::Int(number)) => Some(number),
        None => Some(wanted.port),
        Some(IntOrString::String(_)) => None,
    })
}

fn address(family: AddressFamily, text: &str, port: u16) -> Option<EndpointAddress> {
    match family {
        AddressFamily::Ipv4 | AddressFamily::Ipv6 => {
            text.parse::<IpAddr>().ok().map(|ip| EndpointAddress::Ip(SocketAddr::new(ip, port)))
        }
        AddressFamily::Fqdn => {
            let hostname = text.strip_suffix('.').unwrap_or(text);
            (!hostname.is_empty())
                .then(|| EndpointAddress::Name { hostname: hostname.to_ascii_lowercase().into(), port })
        }
    }
}

//! EndpointSlices: the addresses behind a Service.

use super::key_of;
use lychgate_api::core::{AddressFamily, EndpointSlice, IntOrString, Service, TransportProtocol};
use lychgate_api::{Kind, Objects};
use lychgate_ir::{Backend, BackendId, Endpoint, EndpointAddress, EndpointSet, Endpoints, Resolution};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Slices by namespace and Service.
struct Slices<'a>(HashMap<(&'a str, &'a str), Vec<&'a Arc<EndpointSlice>>>);

/// The endpoints of one backend, and what they were read from.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    service: Arc<Service>,
    slices: Vec<Arc<EndpointSlice>>,
    set: Arc<EndpointSet>,
}

/// What is remembered of all backends.
pub(crate) type Memory = BTreeMap<BackendId, Remembered>;

/// The endpoints of every backend that has endpoints. Those whose Service and slices did not change are taken over.
pub(crate) fn all(
    objects: &Objects,
    backends: &BTreeMap<BackendId, Arc<Backend>>,
    before: Option<(&Objects, &Memory)>,
) -> (Endpoints, Memory) {
    let unchanged =
        before.is_some_and(|(old, _)| old.shares(objects, Kind::EndpointSlice) && old.shares(objects, Kind::Service));
    let mut slices = None;
    let mut memory = Memory::new();
    for (id, backend) in backends {
        if backend.resolution != Resolution::Endpoints {
            continue;
        }
        let old = before.and_then(|(_, memory)| memory.get(id));
        let remembered = match old {
            Some(old) if unchanged => old.clone(),
            Some(_) | None => {
                let Some(service) = objects.get_service(&key_of(id)) else { continue };
                let slices = slices.get_or_insert_with(|| Slices::new(objects)).of(id);
                match old.filter(|old| old.same(service, slices)) {
                    Some(old) => old.clone(),
                    None => read(id, service, slices, old),
                }
            }
        };
        memory.insert(id.clone(), remembered);
    }
    (memory.iter().map(|(id, remembered)| (id.clone(), remembered.set.clone())).collect(), memory)
}

impl<'a> Slices<'a> {
    fn new(objects: &'a Objects) -> Self {
        let mut slices: HashMap<_, Vec<_>> = HashMap::new();
        for (key, slice) in objects.endpoint_slices() {
            if let Some(service) = slice.service_name() {
                slices.entry((key.namespace.as_str(), service)).or_default().push(slice);
            }
        }
        Self(slices)
    }

    fn of<'s>(&'s self, id: &'s BackendId) -> &'s [&'s Arc<EndpointSlice>] {
        self.0.get(&(&*id.name.namespace, &*id.name.name)).map_or(&[], Vec::as_slice)
    }
}

impl Remembered {
    fn same(&self, service: &Arc<Service>, slices: &[&Arc<EndpointSlice>]) -> bool {
        Arc::ptr_eq(&self.service, service)
            && self.slices.len() == slices.len()
            && self.slices.iter().zip(slices).all(|(old, new)| Arc::ptr_eq(old, new))
    }
}

fn read(
    id: &BackendId,
    service: &Arc<Service>,
    slices: &[&Arc<EndpointSlice>],
    old: Option<&Remembered>,
) -> Remembered {
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
    let set = EndpointSet { endpoints: endpoints.collect() };
    let set = match old {
        Some(old) if *old.set == set => old.set.clone(),
        _ => Arc::new(set),
    };
    Remembered { service: service.clone(), slices: slices.iter().map(|slice| (*slice).clone()).collect(), set }
}

/// The port of a slice's endpoints that stands behind the Service's port: the one of the same name.
fn port(id: &BackendId, service: &Service, slice: &EndpointSlice) -> Option<u16> {
    let wanted = service.port(id.port)?;
    let port = slice.ports.iter().find(|port| {
        port.name.as_deref().unwrap_or_default() == wanted.name && port.protocol == TransportProtocol::Tcp
    })?;
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

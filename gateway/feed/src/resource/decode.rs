//! Resources back to what they mean. What is not understood becomes a refusal in its place.

mod egress;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod room;
mod route;

use super::{Kind, Name, Need};
use crate::Rejected;
use lychgate_ir::egress::{EgressGateway, EgressPolicy, EgressPolicyId, Workload};
use lychgate_ir::{
    Backend, BackendId, BackendTls, Balance, Certificate, CertificateId, Endpoint, EndpointSet, GatewayId, HostPattern,
    Listener, ListenerId, ListenerTls, Protocol, Refusal, RefusalReason, Resolution, Route, RouteId, Secret, SecretId,
    StreamRoute, TlsVersion, UpstreamProtocol,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::net::IpAddr;
use std::sync::Arc;

/// What a resource means here.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) value: Value,
    /// What of it fails closed.
    pub(crate) rejected: Vec<Rejected>,
}

/// By kind.
#[derive(Debug)]
pub(crate) enum Value {
    Listener(ListenerId, Arc<Listener>),
    /// A listener of which only the socket and the host are known: nothing may be served on it.
    Shut(ListenerId, Arc<Listener>),
    Route(RouteId, Arc<Route>),
    StreamRoute(RouteId, Arc<StreamRoute>),
    Backend(BackendId, Arc<Backend>),
    Certificate(CertificateId, Arc<Certificate>),
    Secret(SecretId, Arc<Secret>),
    Egress(GatewayId, Arc<EgressGateway>),
    EgressPolicy(EgressPolicyId, Arc<EgressPolicy>),
    Workload(IpAddr, Arc<Workload>),
    Endpoints(BackendId, Arc<EndpointSet>),
    /// Nothing can be done with it.
    Nothing,
}

impl Decoded {
    fn good(value: Value) -> Self {
        Self { value, rejected: Vec::new() }
    }

    fn nothing(name: &Name, why: impl Into<String>) -> Self {
        Self { value: Value::Nothing, rejected: vec![Rejected::resource(name.to_string(), why)] }
    }

    fn closed(value: Value, name: &Name, why: impl Into<String>) -> Self {
        Self { value, rejected: vec![Rejected::resource(name.to_string(), why)] }
    }
}

/// Never fails: what cannot be understood fails closed, and is said.
pub(crate) fn decode(name: &Name, payload: &[u8], needs: &[Need]) -> Decoded {
    let unmet: Vec<&Need> = needs.iter().filter(|need| !need.is_met()).collect();
    match &name.kind {
        Kind::Listener => listener(name, payload, &unmet),
        Kind::Route => route::decode(name, payload, &unmet),
        Kind::StreamRoute => stream_route(name, payload, &unmet),
        Kind::Backend => backend(name, payload, &unmet),
        Kind::Certificate => match whole::<CertificateId, Certificate>(name, payload, &unmet) {
            Ok((id, certificate)) if certificate.id == id => {
                Decoded::good(Value::Certificate(id, Arc::new(certificate)))
            }
            Ok(_) => Decoded::nothing(name, "its name is another than it says"),
            // Who would present it presents nothing.
            Err(why) => Decoded::nothing(name, why),
        },
        Kind::Secret => match whole::<SecretId, Secret>(name, payload, &unmet) {
            Ok((id, secret)) if secret.id == id => Decoded::good(Value::Secret(id, Arc::new(secret))),
            Ok(_) => Decoded::nothing(name, "its name is another than it says"),
            // Who would use it cannot.
            Err(why) => Decoded::nothing(name, why),
        },
        Kind::Egress => egress::gateway(name, payload, &unmet),
        Kind::EgressPolicy => egress::policy(name, payload, &unmet),
        Kind::Workload => match whole(name, payload, &unmet) {
            Ok((address, workload)) => Decoded::good(Value::Workload(address, Arc::new(workload))),
            // Who comes from there is unknown, and that is allowed less.
            Err(why) => Decoded::nothing(name, why),
        },
        Kind::Endpoints => endpoints(name, payload, &unmet),
        Kind::Other(_) => match unmet.first() {
            // A kind that may be passed over.
            None => Decoded::good(Value::Nothing),
            Some(need) => Decoded::nothing(name, need.why()),
        },
    }
}

/// All of it, understood in full.
fn whole<I: std::str::FromStr, T: DeserializeOwned>(
    name: &Name,
    payload: &[u8],
    unmet: &[&Need],
) -> Result<(I, T), String> {
    if let Some(need) = unmet.first() {
        return Err(need.why());
    }
    let id = name.name.parse().map_err(|_| "its name cannot be understood".to_owned())?;
    let value = serde_json::from_slice(payload).map_err(|error| not_understood(&error))?;
    Ok((id, value))
}

fn not_understood(error: &serde_json::Error) -> String {
    // Positions lead nowhere: nobody sees the text.
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("this data plane does not understand it ({text}): it is older than its control plane")
}

fn refusal(name: &Name, why: &str) -> Refusal {
    Refusal::internal(RefusalReason::UnsupportedValue, format!("{name}: {why}"))
}

/// A field on its own.
fn field<T: DeserializeOwned>(json: &Json, name: &str) -> Option<T> {
    T::deserialize(json.get(name)?).ok()
}

fn json(payload: &[u8]) -> Json {
    serde_json::from_slice(payload).unwrap_or_default()
}

fn listener(name: &Name, payload: &[u8], unmet: &[&Need]) -> Decoded {
    let why = match whole::<ListenerId, Listener>(name, payload, unmet) {
        Ok((id, listener)) if listener.id == id => return Decoded::good(Value::Listener(id, Arc::new(listener))),
        Ok(_) => return Decoded::nothing(name, "its name is another than it says"),
        Err(why) => why,
    };
    match shut_listener(name, &json(payload), &why) {
        Some(listener) => Decoded::closed(Value::Shut(listener.id.clone(), Arc::new(listener)), name, why),
        // Without a port there is nothing to refuse on.
        None => Decoded::nothing(name, why),
    }
}

/// Keeps the hosts of a listener from others on its port, and refuses what comes.
fn shut_listener(name: &Name, json: &Json, why: &str) -> Option<Listener> {
    let protocol: Protocol = field(json, "protocol")?;
    let tls = || ListenerTls {
        certificates: Vec::new(),
        min_version: TlsVersion::default(),
        client_validation: Some(Err(refusal(name, why))),
    };
    let ends_tls = match protocol {
        Protocol::Https => true,
        Protocol::Tls | Protocol::Proxy => json.get("tls").is_some_and(|tls| !tls.is_null()),
        Protocol::Http
        | Protocol::Tcp
        | Protocol::Udp
        | Protocol::Transparent
        | Protocol::Dns
        | Protocol::DnsOverTcp => false,
    };
    Some(Listener {
        id: name.name.parse().ok()?,
        addresses: field::<Vec<IpAddr>>(json, "addresses")?,
        port: field(json, "port")?,
        protocol,
        hostname: field::<HostPattern>(json, "hostname")?,
        tls: ends_tls.then(tls),
        upstream_identity: None,
        trusted_hops: 0,
        // The same for all listeners of a socket, or the others would not be served.
        proxy_protocol_from: field(json, "proxy_protocol_from").unwrap_or_default(),
        filters: Vec::new(),
        leaves: field(json, "leaves").unwrap_or_default(),
    })
}

fn stream_route(name: &Name, payload: &[u8], unmet: &[&Need]) -> Decoded {
    let why = match whole::<RouteId, StreamRoute>(name, payload, unmet) {
        Ok((id, route)) if route.id == id => return Decoded::good(Value::StreamRoute(id, Arc::new(route))),
        Ok(_) => return Decoded::nothing(name, "its name is another than it says"),
        Err(why) => why,
    };
    let json = json(payload);
    let closed = || {
        let rule: lychgate_ir::RuleId = field(&json, "rule")?;
        Some(StreamRoute {
            id: name.name.parse().ok()?,
            created: field(&json, "created").unwrap_or_default(),
            attachments: field(&json, "attachments")?,
            rule,
            forward: Err(refusal(name, &why)),
        })
    };
    match closed() {
        Some(route) => Decoded {
            rejected: vec![Rejected::rule(route.rule.clone(), why.clone())],
            value: Value::StreamRoute(route.id.clone(), Arc::new(route)),
        },
        None => Decoded::nothing(name, why),
    }
}

fn backend(name: &Name, payload: &[u8], unmet: &[&Need]) -> Decoded {
    let why = match whole::<BackendId, Backend>(name, payload, unmet) {
        Ok((id, backend)) if backend.id == id => return Decoded::good(Value::Backend(id, Arc::new(backend))),
        Ok(_) => return Decoded::nothing(name, "its name is another than it says"),
        Err(why) => why,
    };
    let Ok(id) = name.name.parse::<BackendId>() else { return Decoded::nothing(name, why) };
    let backend = Backend {
        id: id.clone(),
        protocol: UpstreamProtocol::Auto,
        tls: BackendTls::Broken(refusal(name, &why)),
        resolution: Resolution::Endpoints,
        balance: Balance::default(),
        persistence: None,
        proxy_protocol: None,
    };
    Decoded::closed(Value::Backend(id, Arc::new(backend)), name, why)
}

fn endpoints(name: &Name, payload: &[u8], unmet: &[&Need]) -> Decoded {
    let why = match whole::<BackendId, EndpointSet>(name, payload, unmet) {
        Ok((id, endpoints)) => return Decoded::good(Value::Endpoints(id, Arc::new(endpoints))),
        Err(why) => why,
    };
    let Ok(id) = name.name.parse::<BackendId>() else { return Decoded::nothing(name, why) };
    // An address of a kind that is new cannot be dialled; the others can.
    let all = json(payload);
    let all = all.get("endpoints").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let known = if unmet.is_empty() { all } else { &[] };
    let endpoints = known.iter().filter_map(|endpoint| Endpoint::deserialize(endpoint).ok()).collect();
    Decoded::closed(Value::Endpoints(id, Arc::new(EndpointSet { endpoints })), name, why)
}

//! Names as people have them from logs, back to what they name.

use super::{
    BackendId, BackendKind, CertificateId, GatewayId, ListenerId, ListenerOwner, ObjectName, RouteId, RouteKind,
    RuleId, SecretId,
};
use crate::Transport;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A text that names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAName(String);

impl NotAName {
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no name as logs have them", self.0)
    }
}

impl std::error::Error for NotAName {}

macro_rules! from_text {
    ($($name:ty: $parse:path;)+) => {$(
        impl FromStr for $name {
            type Err = NotAName;

            fn from_str(text: &str) -> Result<Self, NotAName> {
                $parse(text).ok_or_else(|| NotAName(text.to_owned()))
            }
        }
    )+};
}
from_text! {
    ObjectName: name;
    GatewayId: gateway;
    ListenerId: listener;
    RouteKind: route_kind;
    RouteId: route;
    RuleId: rule;
    BackendKind: backend_kind;
    BackendId: backend;
    CertificateId: certificate;
    SecretId: secret;
}

fn object(namespace: &str, name: &str) -> Option<ObjectName> {
    let is_name = |text: &str| !text.is_empty() && !text.contains('/');
    (is_name(namespace) && is_name(name)).then(|| ObjectName::new(namespace, name))
}

fn name(text: &str) -> Option<ObjectName> {
    let (namespace, name) = text.split_once('/')?;
    object(namespace, name)
}

fn gateway(text: &str) -> Option<GatewayId> {
    name(text.strip_prefix("Gateway/")?).map(GatewayId)
}

fn certificate(text: &str) -> Option<CertificateId> {
    name(text.strip_prefix("Secret/")?).map(CertificateId)
}

fn secret(text: &str) -> Option<SecretId> {
    let (object, key) = text.strip_prefix("Secret/")?.rsplit_once('/')?;
    let object = name(object)?;
    (!key.is_empty()).then(|| SecretId { object, key: key.into() })
}

fn listener(text: &str) -> Option<ListenerId> {
    let parts: Vec<&str> = text.split('/').collect();
    let (gateway, owner, section) = match parts.as_slice() {
        ["Gateway", namespace, name, section] => (object(namespace, name)?, ListenerOwner::Gateway, section),
        ["Gateway", namespace, name, "ListenerSet", of, set, section] => {
            (object(namespace, name)?, ListenerOwner::ListenerSet(object(of, set)?), section)
        }
        _ => return None,
    };
    (!section.is_empty()).then(|| ListenerId { gateway: GatewayId(gateway), owner, section: (*section).into() })
}

fn route_kind(text: &str) -> Option<RouteKind> {
    let kinds = [RouteKind::Http, RouteKind::Grpc, RouteKind::Tls, RouteKind::Tcp, RouteKind::Udp];
    kinds.into_iter().find(|known| known.to_string() == text)
}

fn route(text: &str) -> Option<RouteId> {
    let (kind, of) = text.split_once('/')?;
    Some(RouteId { kind: route_kind(kind)?, name: name(of)? })
}

/// Where in an object a rule stands: what follows the object's name in the name of a rule.
pub(crate) struct Place {
    pub(crate) generation: i64,
    pub(crate) index: u32,
    pub(crate) name: Option<Arc<str>>,
}

/// The object's name, and the place in it.
pub(crate) fn place(text: &str) -> Option<(&str, Place)> {
    let (of, rest) = text.split_once('#')?;
    let (place, generation) = rest.rsplit_once('@')?;
    let (index, name) = match place.split_once('(') {
        Some((index, name)) => (index, Some(name.strip_suffix(')')?.into())),
        None => (place, None),
    };
    Some((of, Place { generation: generation.parse().ok()?, index: index.parse().ok()?, name }))
}

fn rule(text: &str) -> Option<RuleId> {
    let (of, Place { generation, index, name }) = place(text)?;
    Some(RuleId { route: route(of)?, generation, index, name })
}

fn backend(text: &str) -> Option<BackendId> {
    let (text, transport) = match text.strip_suffix("/udp") {
        Some(text) => (text, Transport::Udp),
        None => (text, Transport::Tcp),
    };
    let (kind, rest) = text.split_once('/')?;
    let (of, port) = rest.rsplit_once(':')?;
    Some(BackendId { kind: backend_kind(kind)?, name: name(of)?, port: port.parse().ok()?, transport })
}

fn backend_kind(text: &str) -> Option<BackendKind> {
    [BackendKind::Service, BackendKind::XBackend].into_iter().find(|known| known.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Display;

    fn leads_back<T: FromStr<Err = NotAName> + Display>(texts: &[&str]) {
        for text in texts {
            assert_eq!(text.parse::<T>().map(|name| name.to_string()), Ok((*text).to_owned()));
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        leads_back::<RuleId>(&["HTTPRoute/ns/a#0@3", "GRPCRoute/ns/a.b#12(main)@1", "UDPRoute/ns/a#0@-1"]);
        leads_back::<RouteId>(&["TLSRoute/ns/a", "TCPRoute/ns/a"]);
        leads_back::<ObjectName>(&["ns/a"]);
        leads_back::<GatewayId>(&["Gateway/ns/gw"]);
        leads_back::<CertificateId>(&["Secret/ns/a"]);
        leads_back::<SecretId>(&["Secret/ns/a/token"]);
        leads_back::<RouteKind>(&["HTTPRoute", "UDPRoute"]);
        leads_back::<BackendKind>(&["Service", "XBackend"]);
        leads_back::<BackendId>(&["Service/ns/a:80", "XBackend/ns/a:443", "Service/ns/a:53/udp"]);
        leads_back::<ListenerId>(&["Gateway/ns/gw/http", "Gateway/ns/gw/ListenerSet/of/set/https"]);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "HTTPRoute/ns/a",
            "HTTPRoute/ns/a#0",
            "HTTPRoute/ns/a#x@1",
            "Route/ns/a#0@1",
            "HTTPRoute/a#0@1",
            "HTTPRoute/ns/a#0(x@1",
            "HTTPRoute/ns/a/b#0@1",
        ] {
            assert!(text.parse::<RuleId>().is_err(), "{text}");
        }
        for text in ["Gateway/ns/gw", "Gateway/ns/gw/", "Gateway/ns/gw/ListenerSet/set/x", "Listener/ns/gw/x"] {
            assert!(text.parse::<ListenerId>().is_err(), "{text}");
        }
        for text in ["Service/ns/a", "Service/ns/a:x", "Service/a:80", "Pod/ns/a:80"] {
            assert!(text.parse::<BackendId>().is_err(), "{text}");
        }
    }
}

//! Names of things, each a type of its own. Logs, metrics, `explain` and rejections speak in these.

mod parse;

pub use parse::NotAName;
pub(crate) use parse::{Place, place};

use crate::Transport;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Namespace and name of an API object, shared because thousands of rules carry it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectName {
    /// From anything that becomes shared text.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The order of the text `namespace/name`, by which Gateway API decides between objects of one age: `a-b/x` comes
    /// before `a/x`.
    pub fn cmp_as_text(&self, other: &Self) -> Ordering {
        let text = |name: &Self| [&*name.namespace, "/", &*name.name].concat();
        if self.namespace == other.namespace { self.name.cmp(&other.name) } else { text(self).cmp(&text(other)) }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The Gateway that a listener serves, directly or through a ListenerSet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayId(pub ObjectName);

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway/{}", self.0)
    }
}

/// The object that declares a listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenerOwner {
    /// The Gateway itself.
    Gateway,
    /// A ListenerSet (GEP-1713) that the Gateway allows.
    ListenerSet(ObjectName),
}

/// A listener: its Gateway, the object that declares it, its section name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId {
    /// The Gateway it belongs to.
    pub gateway: GatewayId,
    /// The object it is written in.
    pub owner: ListenerOwner,
    /// `listeners[].name`.
    pub section: Arc<str>,
}

impl fmt::Display for ListenerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            ListenerOwner::Gateway => write!(f, "{}/{}", self.gateway, self.section),
            ListenerOwner::ListenerSet(set) => write!(f, "{}/ListenerSet/{set}/{}", self.gateway, self.section),
        }
    }
}

/// The kinds of route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// HTTPRoute.
    Http,
    /// GRPCRoute.
    Grpc,
    /// TLSRoute.
    Tls,
    /// TCPRoute.
    Tcp,
    /// UDPRoute.
    Udp,
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTPRoute",
            Self::Grpc => "GRPCRoute",
            Self::Tls => "TLSRoute",
            Self::Tcp => "TCPRoute",
            Self::Udp => "UDPRoute",
        })
    }
}

/// A route object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId {
    /// Its kind.
    pub kind: RouteKind,
    /// Its name.
    pub name: ObjectName,
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// One rule of one generation of a route: what every decision is attributed to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    /// The route it is written in.
    pub route: RouteId,
    /// `metadata.generation` of the route when it was read.
    pub generation: i64,
    /// Position in `spec.rules`, from 0.
    pub index: u32,
    /// `rules[].name`, if named (GEP-995).
    pub name: Option<Arc<str>>,
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.route, self.index)?;
        if let Some(name) = &self.name {
            write!(f, "({name})")?;
        }
        write!(f, "@{}", self.generation)
    }
}

/// The kinds of object that a backendRef can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendKind {
    /// A core Service.
    Service,
    /// An XBackend of `gateway.networking.x-k8s.io`.
    XBackend,
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "Service",
            Self::XBackend => "XBackend",
        })
    }
}

/// One port of one backend object: what is balanced over, and what has a connection pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendId {
    /// The object's kind.
    pub kind: BackendKind,
    /// The object's name.
    pub name: ObjectName,
    /// The port that the reference names.
    pub port: u16,
    /// What is carried there: a Service may have one number for both, as DNS has.
    pub transport: Transport,
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.kind, self.name, self.port)?;
        match self.transport {
            Transport::Tcp => Ok(()),
            Transport::Udp => f.write_str("/udp"),
        }
    }
}

/// The Secret that a certificate and its key come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId(pub ObjectName);

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret/{}", self.0)
    }
}

/// One text of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId {
    /// The object.
    pub object: ObjectName,
    /// The key of its data.
    pub key: Arc<str>,
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, key } = self;
        write!(f, "Secret/{object}/{key}")
    }
}

// Dumps are read by people: an identifier is one line, the same one that logs print.
macro_rules! serialize_as_text {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text: String = serde::Deserialize::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serialize_as_text;

serialize_as_text!(
    ObjectName,
    GatewayId,
    ListenerId,
    RouteKind,
    RouteId,
    RuleId,
    BackendKind,
    BackendId,
    CertificateId,
    SecretId
);

//! One object of any kind, and how objects are named.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::core::{ClusterTrustBundle, ConfigMap, EndpointSlice, Namespace, Pod, Secret, Service};
use crate::gateway::{
    BackendTlsPolicy, Gateway, GatewayClass, GrpcRoute, HttpRoute, ListenerSet, ReferenceGrant, TcpRoute, TlsRoute,
    UdpRoute, XBackend,
};
use crate::lychgate::{EgressPolicy, GatewayParameters};
use crate::meta::ObjectMeta;
use crate::{GATEWAY_GROUP, GATEWAY_X_GROUP, LYCHGATE_GROUP, Time};

/// The name of an object among those of its kind. The namespace is empty for kinds that have none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// A key out of its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// `namespace/name`, or `name` for kinds without namespace.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

/// The name of an object among all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Kind.
    pub kind: Kind,
    /// Namespace and name.
    pub key: ObjectKey,
}

/// `Kind/namespace/name`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.key)
    }
}

/// A kind's names, and access to its metadata.
pub trait Resource: Sized + PartialEq + Serialize + for<'de> Deserialize<'de> {
    /// The kind.
    const RESOURCE: Kind;
    /// API group; empty for core.
    const GROUP: &'static str;
    /// The version that the type is shaped after.
    const VERSION: &'static str;
    /// The kind's name.
    const KIND: &'static str;
    /// Whether objects of this kind have a namespace.
    const NAMESPACED: bool;

    /// The object's metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// The object's namespace and name.
    fn key(&self) -> ObjectKey {
        ObjectKey::new(self.metadata().namespace.as_str(), self.metadata().name.as_str())
    }
}

/// Writes the table of kinds once: type, group, versions (the first is the type's own), name, namespaced.
macro_rules! kinds {
    ($($kind:ident: $group:expr, [$version:literal $(, $older:literal)*], $name:literal, $namespaced:literal;)+) => {
        /// All kinds that we read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(#[doc = concat!("`", $name, "`")] $kind),+ }

        impl Kind {
            /// Every kind, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The kind's name in objects.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            /// API group; empty for core.
            #[must_use]
            pub fn group(self) -> &'static str {
                match self { $(Self::$kind => $group),+ }
            }

            /// Versions in which objects may be written; the first is the one that the type is shaped after.
            #[must_use]
            pub fn versions(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$version $(, $older)*]),+ }
            }

            /// Whether objects of this kind have a namespace.
            #[must_use]
            pub fn namespaced(self) -> bool {
                match self { $(Self::$kind => $namespaced),+ }
            }
        }

        $(impl Resource for $kind {
            const RESOURCE: Kind = Kind::$kind;
            const GROUP: &'static str = $group;
            const VERSION: &'static str = $version;
            const KIND: &'static str = $name;
            const NAMESPACED: bool = $namespaced;

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }
        }

        impl From<$kind> for Object {
            fn from(object: $kind) -> Self {
                Self::$kind(Arc::new(object))
            }
        })+

        /// An object of any kind that we read.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Object { $(#[doc = concat!("`", $name, "`")] $kind(Arc<$kind>)),+ }

        impl Object {
            /// Decodes an object of this kind from JSON that admission has let in.
            ///
            /// # Errors
            /// Where the value does not have the kind's shape.
            pub fn decode(kind: Kind, value: serde_json::Value) -> Result<Self, serde_json::Error> {
                match kind { $(Kind::$kind => serde_json::from_value::<$kind>(value).map(Self::from)),+ }
            }

            /// The kind.
            #[must_use]
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind),+ }
            }

            /// Metadata.
            #[must_use]
            pub fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => &object.metadata),+ }
            }

            /// The same object with another generation: what an API server counts, a reader of files counts itself.
            #[must_use]
            pub fn with_generation(self, generation: i64) -> Self {
                match self {
                    $(Self::$kind(mut object) => {
                        Arc::make_mut(&mut object).metadata.generation = generation;
                        Self::$kind(object)
                    })+
                }
            }

            /// The same object, created at another time: who keeps objects in files may know when they appeared.
            #[must_use]
            pub fn with_creation(self, time: Option<Time>) -> Self {
                match self {
                    $(Self::$kind(mut object) => {
                        Arc::make_mut(&mut object).metadata.creation_timestamp = time;
                        Self::$kind(object)
                    })+
                }
            }

            /// Whether both are one object in memory: then surely they are equal.
            #[must_use]
            pub fn is_same(&self, other: &Self) -> bool {
                match self {
                    $(Self::$kind(one) => matches!(other, Self::$kind(other) if Arc::ptr_eq(one, other)),)+
                }
            }

            fn body(&self) -> Result<serde_json::Value, serde_json::Error> {
                match self { $(Self::$kind(object) => serde_json::to_value(object.as_ref())),+ }
            }
        }
    };
}

kinds! {
    GatewayClass: GATEWAY_GROUP, ["v1", "v1beta1"], "GatewayClass", false;
    Gateway: GATEWAY_GROUP, ["v1", "v1beta1"], "Gateway", true;
    ListenerSet: GATEWAY_GROUP, ["v1"], "ListenerSet", true;
    HttpRoute: GATEWAY_GROUP, ["v1", "v1beta1"], "HTTPRoute", true;
    GrpcRoute: GATEWAY_GROUP, ["v1"], "GRPCRoute", true;
    TlsRoute: GATEWAY_GROUP, ["v1", "v1alpha3", "v1alpha2"], "TLSRoute", true;
    TcpRoute: GATEWAY_GROUP, ["v1", "v1alpha2"], "TCPRoute", true;
    UdpRoute: GATEWAY_GROUP, ["v1", "v1alpha2"], "UDPRoute", true;
    BackendTlsPolicy: GATEWAY_GROUP, ["v1", "v1alpha3"], "BackendTLSPolicy", true;
    ReferenceGrant: GATEWAY_GROUP, ["v1", "v1beta1"], "ReferenceGrant", true;
    XBackend: GATEWAY_X_GROUP, ["v1alpha1"], "XBackend", true;
    GatewayParameters: LYCHGATE_GROUP, ["v1alpha1"], "GatewayParameters", true;
    EgressPolicy: LYCHGATE_GROUP, ["v1alpha1"], "EgressPolicy", true;
    Service: "", ["v1"], "Service", true;
    EndpointSlice: "discovery.k8s.io", ["v1"], "EndpointSlice", true;
    Secret: "", ["v1"], "Secret", true;
    ConfigMap: "", ["v1"], "ConfigMap", true;
    ClusterTrustBundle: "certificates.k8s.io", ["v1beta1", "v1alpha1"], "ClusterTrustBundle", false;
    Namespace: "", ["v1"], "Namespace", false;
    Pod: "", ["v1"], "Pod", true;
}

impl Kind {
    /// The kind of this group and name, if we read it.
    #[must_use]
    pub fn find(group: &str, kind: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == kind && known.group() == group)
    }

    /// `group/version` as `apiVersion` has it, with the version that the type is shaped after.
    #[must_use]
    pub fn api_version(self) -> String {
        let version = self.versions().first().copied().unwrap_or_default();
        if self.group().is_empty() { version.to_owned() } else { format!("{}/{version}", self.group()) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let found = Self::ALL.iter().copied().find(|kind| kind.as_str() == name);
        found.ok_or_else(|| serde::de::Error::custom(format!("unknown kind {name:?}")))
    }
}

impl Object {
    /// Namespace and name.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        let ObjectMeta { namespace, name, .. } = self.metadata();
        ObjectKey::new(namespace.as_str(), name.as_str())
    }

    /// Kind, namespace and name.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef { kind: self.kind(), key: self.key() }
    }

    /// The object as it would be written in a file, with `apiVersion` and `kind`. Secrets are redacted.
    ///
    /// # Errors
    /// None that we know of; JSON serialisation is fallible by type.
    pub fn to_value(&self) -> Result<serde_json::Value, serde_json::Error> {
        let mut value = self.body()?;
        if let Some(map) = value.as_object_mut() {
            map.insert("apiVersion".to_owned(), self.kind().api_version().into());
            map.insert("kind".to_owned(), self.kind().as_str().into());
        }
        Ok(value)
    }
}

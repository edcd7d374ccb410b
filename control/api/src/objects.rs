//! The immutable, ordered map of API objects.

use std::sync::Arc;

use lychgate_persistent::{Change, OrdMap};

use crate::core::{ClusterTrustBundle, ConfigMap, EndpointSlice, Namespace, Pod, Secret, Service};
use crate::gateway::{
    BackendTlsPolicy, Gateway, GatewayClass, GrpcRoute, HttpRoute, ListenerSet, ReferenceGrant, TcpRoute, TlsRoute,
    UdpRoute, XBackend,
};
use crate::lychgate::{EgressPolicy, GatewayParameters};
use crate::object::{Kind, Object, ObjectKey, ObjectRef};

/// Writes the fields and accessors once: kind, field (and accessor of all), accessor of one.
macro_rules! objects {
    ($($kind:ident $all:ident $one:ident;)+) => {
        /// All API objects that translation looks at, ordered by kind, namespace and name.
        ///
        /// Cheap to clone, and to edit: what an edit leaves alone is shared, and so are objects and their names always.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Objects { $($all: OrdMap<Arc<ObjectKey>, Arc<$kind>>),+ }

        impl Objects {
            $(
                #[doc = concat!("Every `", stringify!($kind), "`, ordered by namespace and name.")]
                pub fn $all(&self) -> impl DoubleEndedIterator<Item = (&ObjectKey, &Arc<$kind>)> + ExactSizeIterator {
                    self.$all.iter().map(|(key, object)| (&**key, object))
                }

                #[doc = concat!("The `", stringify!($kind), "` of this key.")]
                #[must_use]
                pub fn $one(&self, key: &ObjectKey) -> Option<&Arc<$kind>> {
                    self.$all.get(key)
                }
            )+

            /// The object of this kind and key.
            #[must_use]
            pub fn get(&self, kind: Kind, key: &ObjectKey) -> Option<Object> {
                match kind { $(Kind::$kind => self.$all.get(key).cloned().map(Object::$kind)),+ }
            }

            /// Puts an object in, in place of the one with the same kind and key.
            #[must_use]
            pub fn insert(mut self, object: Object) -> Self {
                self.put(object);
                self
            }

            fn put(&mut self, object: Object) {
                let key = object.key();
                match object {
                    $(Object::$kind(object) => { self.$all.insert(Arc::new(key), object); })+
                }
            }

            /// Takes an object out, if it is there.
            #[must_use]
            pub fn remove(mut self, object: &ObjectRef) -> Self {
                let ObjectRef { kind, key } = object;
                match kind {
                    $(Kind::$kind => { self.$all.remove(key); })+
                }
                self
            }

            /// How many objects there are.
            #[must_use]
            pub fn len(&self) -> usize {
                0 $(+ self.$all.len())+
            }

            /// How many objects of this kind there are.
            #[must_use]
            pub fn count(&self, kind: Kind) -> usize {
                match kind { $(Kind::$kind => self.$all.len()),+ }
            }

            /// Every object, ordered by kind, namespace and name.
            pub fn iter(&self) -> impl Iterator<Item = Object> + '_ {
                std::iter::empty()$(.chain(self.$all.values().cloned().map(Object::$kind)))+
            }

            /// Whether `other` shares this kind's objects with us: then surely none of them differ.
            #[must_use]
            pub fn shares(&self, other: &Self, kind: Kind) -> bool {
                match kind { $(Kind::$kind => self.$all.is_same(&other.$all)),+ }
            }
        }
    };
}

objects! {
    GatewayClass gateway_classes get_gateway_class;
    Gateway gateways get_gateway;
    ListenerSet listener_sets get_listener_set;
    HttpRoute http_routes get_http_route;
    GrpcRoute grpc_routes get_grpc_route;
    TlsRoute tls_routes get_tls_route;
    TcpRoute tcp_routes get_tcp_route;
    UdpRoute udp_routes get_udp_route;
    BackendTlsPolicy backend_tls_policies get_backend_tls_policy;
    ReferenceGrant reference_grants get_reference_grant;
    XBackend xbackends get_xbackend;
    GatewayParameters gateway_parameters get_gateway_parameters;
    EgressPolicy egress_policies get_egress_policy;
    Service services get_service;
    EndpointSlice endpoint_slices get_endpoint_slice;
    Secret secrets get_secret;
    ConfigMap config_maps get_config_map;
    ClusterTrustBundle cluster_trust_bundles get_cluster_trust_bundle;
    Namespace namespaces get_namespace;
    Pod pods get_pod;
}

impl Objects {
    /// Whether there is no object at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The HTTPRoutes that are not the very same as before, at the cost of those that are not: they are what there are
    /// thousands of.
    pub fn changed_http_routes<'o>(
        &'o self,
        before: &'o Self,
    ) -> impl Iterator<Item = Change<'o, Arc<ObjectKey>, Arc<HttpRoute>>> {
        self.http_routes.changes(&before.http_routes, Arc::ptr_eq)
    }
}

impl FromIterator<Object> for Objects {
    fn from_iter<I: IntoIterator<Item = Object>>(objects: I) -> Self {
        let mut built = ObjectsBuilder::default();
        built.extend(objects);
        built.build()
    }
}

/// Gathers objects, then becomes [`Objects`].
#[derive(Debug, Default)]
pub struct ObjectsBuilder {
    objects: Objects,
}

impl ObjectsBuilder {
    /// Starts from what is there.
    #[must_use]
    pub fn from(objects: Objects) -> Self {
        Self { objects }
    }

    /// Puts an object in, in place of the one with the same kind and key.
    pub fn insert(&mut self, object: impl Into<Object>) {
        self.objects.put(object.into());
    }

    /// The map.
    #[must_use]
    pub fn build(self) -> Objects {
        self.objects
    }
}

impl Extend<Object> for ObjectsBuilder {
    fn extend<I: IntoIterator<Item = Object>>(&mut self, objects: I) {
        for object in objects {
            self.objects.put(object);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Kind, Object, ObjectKey, ObjectRef, Objects};

    fn namespace(name: &str, label: &str) -> Object {
        let json = serde_json::json!({"metadata": {"name": name, "labels": {"l": label}}});
        Object::decode(Kind::Namespace, json).unwrap()
    }

    #[test]
    fn is_ordered_and_immutable() {
        let first: Objects = [namespace("b", "1"), namespace("a", "1")].into_iter().collect();
        let second = first.clone().insert(namespace("a", "2"));
        let names: Vec<_> = first.iter().map(|object| object.key().to_string()).collect();
        assert_eq!(names, ["a", "b"]);
        let key = ObjectKey::new("", "a");
        assert_eq!(first.get_namespace(&key).unwrap().metadata.labels["l"], "1");
        assert_eq!(second.get_namespace(&key).unwrap().metadata.labels["l"], "2");
        assert_ne!(first, second);
        assert!(first.shares(&second, Kind::Service) && !first.shares(&second, Kind::Namespace));
        let third = second.remove(&ObjectRef { kind: Kind::Namespace, key });
        assert_eq!(third.len(), 1);
    }
}

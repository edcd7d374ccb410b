//! Listeners, as Gateways and ListenerSets have them.

use serde::{Deserialize, Serialize};

use super::shared::gateway_group;
use super::{HttpExternalAuthFilter, LocalObjectReference, SecretObjectReference};
use crate::meta::{Condition, LabelSelector, StringMap};
use crate::words::{closed_words, open_words};

/// A port, protocol and hostname that are listened on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Unique within the Gateway or ListenerSet; routes refer to it as `sectionName`.
    pub name: String,
    /// Host (exact or `*.` wildcard) that is served; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Port.
    pub port: u16,
    /// Protocol.
    pub protocol: ProtocolType,
    /// TLS settings, for HTTPS and TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTlsConfig>,
    /// Which routes may attach.
    #[serde(default)]
    pub allowed_routes: AllowedRoutes,
    /// Filters for all requests of the listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<ListenerFilters>,
}

open_words! {
    /// What is spoken on a listener. Others are domain-prefixed and belong to implementations.
    pub enum ProtocolType {
        Http = "HTTP",
        Https = "HTTPS",
        Tls = "TLS",
        Tcp = "TCP",
        Udp = "UDP",
    }
}

/// A listener's TLS settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerTlsConfig {
    /// Where TLS ends.
    pub mode: TlsModeType,
    /// Certificates, chosen among by SNI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<SecretObjectReference>,
    /// Settings of implementations, by domain-prefixed key.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub options: StringMap,
}

closed_words! {
    /// Where TLS ends: at the gateway or at the backend.
    #[derive(Default)]
    pub enum TlsModeType {
        #[default]
        Terminate = "Terminate",
        Passthrough = "Passthrough",
    }
}

/// Which routes may attach to a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AllowedRoutes {
    /// By namespace.
    pub namespaces: RouteNamespaces,
    /// By kind; those that the protocol implies where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<RouteGroupKind>,
}

/// The namespaces from which routes may attach. The listener's own by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteNamespaces {
    /// All, the listener's own, or by label.
    pub from: FromNamespaces,
    /// Labels of the namespaces, with `from: Selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

impl Default for RouteNamespaces {
    fn default() -> Self {
        Self { from: FromNamespaces::Same, selector: None }
    }
}

closed_words! {
    /// A choice of namespaces.
    pub enum FromNamespaces {
        All = "All",
        Selector = "Selector",
        Same = "Same",
        None = "None",
    }
}

/// A kind of route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteGroupKind {
    /// API group; Gateway API's by default.
    #[serde(default = "gateway_group")]
    pub group: String,
    /// Kind.
    pub kind: String,
}

/// Filters of a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerFilters {
    /// For each request, before it is routed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<ListenerFilter>,
}

/// One filter of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerFilter {
    /// Which of the following is set.
    pub r#type: ListenerFilterType,
    /// Ask a service whether the request may pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_auth: Option<HttpExternalAuthFilter>,
    /// A filter of an implementation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_ref: Option<LocalObjectReference>,
}

open_words! {
    /// The type of a listener's filter.
    pub enum ListenerFilterType {
        ExternalAuth = "ExternalAuth",
        ExtensionRef = "ExtensionRef",
    }
}

/// Status of one listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// The listener's name.
    pub name: String,
    /// Kinds of route that can attach.
    #[serde(default)]
    pub supported_kinds: Vec<RouteGroupKind>,
    /// How many routes are attached.
    pub attached_routes: u32,
    /// `Accepted`, `Conflicted`, `Programmed`, `ResolvedRefs`, …
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

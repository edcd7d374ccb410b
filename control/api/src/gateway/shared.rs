//! References, route statuses and session persistence, which several kinds use.

use serde::{Deserialize, Serialize};

use crate::GATEWAY_GROUP;
use crate::meta::{Condition, Duration};
use crate::words::{closed_words, open_words};

pub(super) fn gateway_group() -> String {
    GATEWAY_GROUP.to_owned()
}
pub(super) fn gateway_kind() -> String {
    "Gateway".to_owned()
}
pub(super) fn secret_kind() -> String {
    "Secret".to_owned()
}
pub(super) fn service_kind() -> String {
    "Service".to_owned()
}

/// A route's (or policy status') reference to the parent that it attaches to: a Gateway, ListenerSet or Service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentReference {
    /// API group; Gateway API's by default.
    #[serde(default = "gateway_group")]
    pub group: String,
    /// Kind; `Gateway` by default.
    #[serde(default = "gateway_kind")]
    pub kind: String,
    /// Namespace; the referring object's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// One listener (or Service port) of the parent by name; all of them where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// Listeners on this port only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A ListenerSet's reference to its Gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentGatewayReference {
    /// API group; Gateway API's by default.
    #[serde(default = "gateway_group")]
    pub group: String,
    /// Kind; `Gateway` by default.
    #[serde(default = "gateway_kind")]
    pub kind: String,
    /// Namespace; the referring object's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

closed_words! {
    /// Whether an object asks for, or serves as, a default parent (GEP-3793).
    pub enum GatewayDefaultScope {
        All = "All",
        None = "None",
    }
}

/// A reference to a backend: a Service, XBackend or other kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendObjectReference {
    /// API group; core (empty) by default.
    #[serde(default)]
    pub group: String,
    /// Kind; `Service` by default.
    #[serde(default = "service_kind")]
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; the referring object's where absent. Another one needs a ReferenceGrant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The Service's port (not its targetPort); required for Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A backend and its share of the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendRef {
    /// The backend.
    #[serde(flatten)]
    pub target: BackendObjectReference,
    /// Share of the traffic, relative to the sum of the rule's weights; 0 gets none.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// A reference within the namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalObjectReference {
    /// API group; empty for core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// A reference that may cross namespaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// API group; empty for core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; the referring object's where absent. Another one needs a ReferenceGrant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A reference to a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretObjectReference {
    /// API group; core (empty) by default.
    #[serde(default)]
    pub group: String,
    /// Kind; `Secret` by default.
    #[serde(default = "secret_kind")]
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; the referring object's where absent. Another one needs a ReferenceGrant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Status of any route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteStatus {
    /// One entry a parent and controller.
    #[serde(default)]
    pub parents: Vec<RouteParentStatus>,
}

/// What one controller says about a route with regard to one parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteParentStatus {
    /// The parent, as the route refers to it.
    pub parent_ref: ParentReference,
    /// Who says so.
    pub controller_name: String,
    /// `Accepted`, `ResolvedRefs`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Status of a policy (GEP-713).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// One entry an ancestor and controller.
    #[serde(default)]
    pub ancestors: Vec<PolicyAncestorStatus>,
}

/// What one controller says about a policy (or XBackend) with regard to one ancestor, such as a Gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAncestorStatus {
    /// The ancestor.
    pub ancestor_ref: ParentReference,
    /// Who says so.
    pub controller_name: String,
    /// `Accepted`, `ResolvedRefs`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// A fraction of the traffic, `numerator / denominator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fraction {
    /// At most the denominator.
    pub numerator: u32,
    /// At least 1.
    #[serde(default = "hundred")]
    pub denominator: u32,
}

fn hundred() -> u32 {
    100
}

/// How a client's requests are kept on one endpoint (GEP-1619).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionPersistence {
    /// The session ends after this long, however busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute_timeout: Option<Duration>,
    /// By cookie or by header.
    #[serde(default)]
    pub r#type: SessionPersistenceType,
    /// Given with type Cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<CookieConfig>,
    /// Given with type Header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderConfig>,
}

closed_words! {
    /// What carries the session.
    #[derive(Default)]
    pub enum SessionPersistenceType {
        #[default]
        Cookie = "Cookie",
        Header = "Header",
    }
}

/// The session cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CookieConfig {
    /// Its name; ours to choose where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its `Path` attribute.
    #[serde(default = "root_path")]
    pub path: String,
    /// Whether it outlives the browser.
    #[serde(default)]
    pub lifetime_type: CookieLifetimeType,
}

pub(super) fn root_path() -> String {
    "/".to_owned()
}

closed_words! {
    /// Whether the session cookie outlives the browser.
    #[derive(Default)]
    pub enum CookieLifetimeType {
        #[default]
        Session = "Session",
        Permanent = "Permanent",
    }
}

/// The session header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderConfig {
    /// Its name.
    pub name: String,
}

open_words! {
    /// What an address is. Others are domain-prefixed and belong to implementations.
    #[derive(Default)]
    pub enum AddressType {
        #[default]
        IpAddress = "IPAddress",
        Hostname = "Hostname",
        NamedAddress = "NamedAddress",
    }
}

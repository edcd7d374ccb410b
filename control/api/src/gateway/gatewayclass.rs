//! GatewayClass.

use serde::{Deserialize, Serialize};

use super::LocalParametersReference;
use crate::meta::{Condition, ObjectMeta};

/// A class of Gateways, served by one controller. Has no namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClass {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    pub spec: GatewayClassSpec,
    /// Status.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub status: GatewayClassStatus,
}

/// Specification of a [`GatewayClass`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// The controller that serves it, such as `lychgate.dev/gateway-controller`.
    pub controller_name: String,
    /// An object with further settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<ParametersReference>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A reference to an object with settings, of any namespace or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParametersReference {
    /// Which object.
    #[serde(flatten)]
    pub target: LocalParametersReference,
    /// Its namespace; absent for kinds that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Status of a [`GatewayClass`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayClassStatus {
    /// `Accepted`, `SupportedVersion`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Names of features that the class supports, sorted (GEP-2162).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supported_features: Vec<SupportedFeature>,
}

/// A feature that a class supports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportedFeature {
    /// Its name, such as `HTTPRouteCORS`.
    pub name: String,
}

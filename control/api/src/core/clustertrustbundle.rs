//! ClusterTrustBundle.

use serde::{Deserialize, Serialize};

use crate::meta::ObjectMeta;

/// Trust anchors that a whole cluster may refer to (`certificates.k8s.io`). Clusters have the kind if it was turned on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTrustBundle {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What it holds.
    pub spec: ClusterTrustBundleSpec,
}

/// What a ClusterTrustBundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTrustBundleSpec {
    /// The signer whose anchors these are, if they are one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer_name: Option<String>,
    /// Certificates in PEM, in any order.
    pub trust_bundle: String,
}

//! Whom a policy is about.

use crate::ObjectName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whom a policy is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EgressSubject {
    /// Every source of the Gateway. What it allows is for sources that are known; what it denies is denied to unknown
    /// ones, too, so that nobody gains by hiding who they are.
    Everyone,
    /// Sources that nobody can say anything of.
    Unknown,
    /// All workloads of a namespace.
    Namespace(Arc<str>),
    /// Workloads of a namespace that have all of these labels.
    Labels {
        /// Their namespace.
        namespace: Arc<str>,
        /// What they have; none at all is every workload of the namespace.
        labels: BTreeMap<Arc<str>, Arc<str>>,
    },
    /// Workloads of a service account.
    ServiceAccount(ObjectName),
    /// A workload by its SPIFFE ID, exactly as its certificate has it.
    Identity(Arc<str>),
}

/// How closely a subject tells who is meant: what is told of a decision names the closest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubjectLevel {
    /// A workload: by its identity, its service account, its labels.
    Workload,
    /// Its namespace.
    Namespace,
    /// The whole Gateway.
    Gateway,
}

impl EgressSubject {
    /// How closely it tells who is meant.
    pub fn level(&self) -> SubjectLevel {
        match self {
            Self::Identity(_) | Self::ServiceAccount(_) | Self::Labels { .. } => SubjectLevel::Workload,
            Self::Namespace(_) => SubjectLevel::Namespace,
            Self::Everyone | Self::Unknown => SubjectLevel::Gateway,
        }
    }
}

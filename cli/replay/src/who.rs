//! Whom a policy is about, as a record knows them.

use lychgate_audit::RecordSource;
use serde::{Serialize, Serializer};
use std::fmt;

/// Who asked: the closest thing that a policy can be about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A service account.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Something in a namespace, and no more is known.
    Namespace(String),
    /// A SPIFFE ID that tells no namespace.
    Identity(String),
    /// Nobody can say.
    Unknown,
}

impl Who {
    /// Who a record is of.
    pub fn of(source: &RecordSource) -> Self {
        let RecordSource { identity, namespace, service_account, address: _, labels: _ } = source;
        match (namespace, service_account, identity) {
            (Some(namespace), Some(name), _) => {
                Self::ServiceAccount { namespace: namespace.clone(), name: name.clone() }
            }
            (Some(namespace), None, _) => Self::Namespace(namespace.clone()),
            (None, _, Some(identity)) => Self::Identity(identity.clone()),
            (None, _, None) => Self::Unknown,
        }
    }

    /// Whether it is the workload `NAMESPACE/SERVICEACCOUNT`, a namespace as a whole, a SPIFFE ID or `unknown`.
    pub fn is(&self, text: &str) -> bool {
        match self {
            Self::ServiceAccount { namespace, name: _ } if namespace == text => true,
            Self::ServiceAccount { namespace: _, name: _ } | Self::Namespace(_) | Self::Identity(_) | Self::Unknown => {
                self.to_string() == text
            }
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceAccount { namespace, name } => write!(f, "{namespace}/{name}"),
            Self::Namespace(namespace) => f.write_str(namespace),
            Self::Identity(identity) => f.write_str(identity),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl Serialize for Who {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

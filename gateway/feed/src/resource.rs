//! Resources: a snapshot and its endpoints as named texts with hashes, so that two sides can tell what the other lacks.

mod decode;
mod encode;
mod features;
mod set;
mod sum;

pub(crate) use decode::{Decoded, Value, decode};
pub use features::Need;
pub(crate) use set::Delta;
pub use set::ResourceSet;
pub(crate) use sum::Sum;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// What a resource is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// [`lychgate_ir::Listener`].
    Listener,
    /// [`lychgate_ir::Route`].
    Route,
    /// [`lychgate_ir::StreamRoute`].
    StreamRoute,
    /// [`lychgate_ir::Backend`].
    Backend,
    /// [`lychgate_ir::Certificate`], with its key.
    Certificate,
    /// [`lychgate_ir::Secret`], with its text.
    Secret,
    /// [`lychgate_ir::egress::EgressGateway`].
    Egress,
    /// [`lychgate_ir::egress::EgressPolicy`].
    EgressPolicy,
    /// [`lychgate_ir::egress::Workload`].
    Workload,
    /// [`lychgate_ir::EndpointSet`].
    Endpoints,
    /// Something that a newer control plane knows.
    Other(Arc<str>),
}

impl Kind {
    /// As the wire has it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Listener => "Listener",
            Self::Route => "Route",
            Self::StreamRoute => "StreamRoute",
            Self::Backend => "Backend",
            Self::Certificate => "Certificate",
            Self::Secret => "Secret",
            Self::Egress => "Egress",
            Self::EgressPolicy => "EgressPolicy",
            Self::Workload => "Workload",
            Self::Endpoints => "Endpoints",
            Self::Other(kind) => kind,
        }
    }
}

impl From<&str> for Kind {
    fn from(text: &str) -> Self {
        let known = [
            Self::Listener,
            Self::Route,
            Self::StreamRoute,
            Self::Backend,
            Self::Certificate,
            Self::Secret,
            Self::Egress,
            Self::EgressPolicy,
            Self::Workload,
            Self::Endpoints,
        ];
        known.into_iter().find(|kind| kind.as_str() == text).unwrap_or_else(|| Self::Other(text.into()))
    }
}

/// What a resource is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// What it is.
    pub kind: Kind,
    /// Its identifier in the snapshot, as text.
    pub name: Arc<str>,
}

impl Name {
    /// From an identifier.
    pub fn new(kind: Kind, name: impl fmt::Display) -> Self {
        Self { kind, name: name.to_string().into() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// What a resource says, in short. Two replicas of the control plane give the same hash to the same content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 16]);

impl Hash {
    /// Of these bytes, each with its length, so that they cannot run into one another.
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&context.finish().as_ref()[..16]);
        Self(hash)
    }

    /// Of nothing that there is.
    pub(crate) const NONE: Self = Self([0; 16]);

    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(digits).collect();
        Self::from_bytes(&bytes?)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn to_bytes(self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A resource as it travels. Its text may hold a private key, so it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// Of all the rest.
    pub(crate) hash: Hash,
    /// JSON.
    pub(crate) payload: Bytes,
    pub(crate) needs: Vec<Need>,
}

impl Resource {
    /// A resource of this text, which needs this to be understood.
    pub fn new(payload: impl Into<Bytes>, needs: Vec<Need>) -> Self {
        let payload = payload.into();
        let rules: Vec<[u8; 4]> = needs.iter().map(|need| need.rule.unwrap_or(u32::MAX).to_be_bytes()).collect();
        let said = needs.iter().zip(&rules).flat_map(|(need, rule)| [need.feature.as_bytes(), rule.as_slice()]);
        let hash = Hash::of([&*payload].into_iter().chain(said));
        Self { hash, payload, needs }
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hash, payload, needs } = self;
        write!(f, "Resource({hash}, {} bytes, {needs:?})", payload.len())
    }
}

//! The Kubernetes kinds that Lychgate reads, as plain Rust types.
//!
//! **Owns** the shapes: Gateway API v1.7.0 (experimental channel) under [`gateway`], our own kinds under [`lychgate`], the
//! core kinds under [`core`], what all of them share under [`meta`], and [`Objects`], the immutable, ordered map that translation reads.
//!
//! **Refuses** to know where objects come from (no client, no files), whether they are valid (that is admission, which
//! also applies the defaults), and what they mean (that is translation).
//!
//! ```text
//! YAML directory ──admission──┐
//!                             ├──> Object ──> Objects ──translate──> snapshots, statuses
//! API server ─────watchers────┘
//! ```
//!
//! Shapes that the Go types share are shared here too: one filter type serves rules and backendRefs, so that
//! translation reads each shape once. A test in `lychgate-admission` holds every type to its CRD, field by field.
//! Where a CRD sets a default, the field is not an `Option`, and decoding fills in the same default.

mod alike;
mod words;

pub mod core;
pub mod gateway;
pub mod labels;
pub mod lychgate;
pub mod meta;
mod object;
mod objects;
mod time;

pub use alike::AlikeReferences;
pub use object::{Kind, Object, ObjectKey, ObjectRef, Resource};
pub use objects::{Objects, ObjectsBuilder};
pub use time::{Time, TimeError};

/// The API group of Gateway API.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
/// The API group of Gateway API's experimental `X` kinds.
pub const GATEWAY_X_GROUP: &str = "gateway.networking.x-k8s.io";
/// The API group of our own kinds.
pub const LYCHGATE_GROUP: &str = "lychgate.dev";

/// For `skip_serializing_if`: empty structures are left out, as Go's `omitempty` does.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

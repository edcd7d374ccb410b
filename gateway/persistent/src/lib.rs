//! Ordered maps whose versions share what an edit leaves alone.
//!
//! One route of fifty thousand changes: copying a map of that size, and comparing it with the one before, would cost more
//! than all the rest of the change. This crate owns the one structure with which a change is carried from step to step:
//! [`OrdMap`] is cloned by a pointer, an edit copies what it touches, and [`OrdMap::changes`] finds what two versions
//! differ in without looking at what they share.
//!
//! Beside it [`Alike`] makes one value of those that are equal.
//!
//! It refuses to know what is in such a map.
//!
//! ```text
//! OrdMap ── runs, in order (shared as a whole until one of them changes)
//!             └ run: up to 64 entries, in order (shared until one of them changes)
//! ```

mod alike;
mod changes;
mod iter;
mod map;
mod serde;

pub use alike::Alike;
pub use changes::{Change, Changes};
pub use iter::Iter;
pub use map::OrdMap;

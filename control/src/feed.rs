//! What each data plane is given.

mod slice;

pub use slice::{Slice, Slicer};

//! DNS for what leaves: names are resolved as the Gateway says.
//!
//! This crate owns whom to ask and for how long an answer holds ([`Upstream`]). It refuses to know who a source is.

mod upstream;

pub use upstream::{Addresses, BadUpstream, Failure, Upstream};

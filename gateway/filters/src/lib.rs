//! What happens to a request, and to its response, on the way through a rule.
//!
//! This crate owns the [`Chain`]: the filters of a rule (or of one of its backends), compiled once and shared by all
//! requests, and the one place that says in which order they run. It sees requests and responses through
//! [`RequestHead`] and [`ResponseHead`], which the engine implements for the types of its proxy library.
//!
//! It refuses to wait, to dial, to read a clock or to know a proxy library: every filter here is a pure function of a
//! head. What needs a connection (the copies of a mirror, the question to an authorization service) is told to the engine,
//! not done here. It refuses to guess, too: a filter that cannot be done as it was asked answers for its rule instead of
//! being passed over.
//!
//! ```text
//! Filter (lychgate-ir) ──compile──> Chain ── request ──> Verdict: go on, reply, refuse, or ask somebody and come back
//!                                         └─ response ─> edited on its way back
//! ```

mod authority;
mod chain;
mod cors;
pub mod external_auth;
mod head;
mod header_modifier;
mod mirror;
mod path;
mod redirect;
mod refused;
mod rewrite;
mod view;

pub use chain::{Chain, ChainState};
pub use head::{RequestHead, ResponseHead, TooLong};
pub use mirror::sampled;
pub use view::{Reply, RequestView, Scheme, Verdict};

//! What an audit log says about policies.
//!
//! This crate owns what is made of records: the smallest policies that would have let through what left ([`learn`]), what
//! other policies would have said ([`replay`]), and what would be refused if all were enforced ([`would_deny`]). It refuses
//! files, clocks, networks and Kubernetes: records and compiled policies go in, values that can be printed come out.
//!
//! ```text
//! Record ──┬─ Lessons::take ──> Lesson: a workload, what it needs ── as_yaml ──> EgressPolicy, in shadow
//!          ├─ Replay::take ───> Change: newly denied, newly allowed, by workload, destination and rule
//!          └─ WouldDeny::take > Refusal: what leaves only because something is in shadow
//! ```
//!
//! What was recorded twice, at its beginning and at its end, counts once: at its end.

pub mod learn;
pub mod replay;
mod seen;
mod who;
pub mod would_deny;

pub use seen::{Place, Seen};
pub use who::Who;

//! DNS for what leaves: names are resolved as the Gateway says, and questions are answered for those who may ask.
//!
//! This crate owns whom to ask and for how long an answer holds ([`Upstream`]), and what becomes of a question that a
//! workload has ([`Front`]). It refuses to know who a source is, to read a clock, and to open sockets for workloads.
//!
//! ```text
//! question ── Front::read ── Egress::screen ── Budget (a name is a way out, too)
//!             Front::ask ── Upstream ── UDP | TLS | HTTPS ──> resolvers, with one cache
//!             the answer, without addresses that may not be reached and keys of ECH that may not be used
//! connection ── Upstream::addresses ──> the addresses of a name, to decide about and to dial
//! ```

mod budget;
mod front;
mod kinds;
mod permitted;
mod reply;
mod upstream;

pub use front::{Answered, Front, Heard, Outcome, Question, Transport, Wanted};
pub use upstream::{Addresses, BadUpstream, Failure, Upstream};

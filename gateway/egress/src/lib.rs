//! What may leave, and why the rest may not.
//!
//! This crate owns the decision about a connection, a request or a question to DNS that wants to leave: [`Policies`] is an
//! [`EgressConfig`](lychgate_ir::egress::EgressConfig) compiled, and answers for a [`Source`] that has an [`Ask`]. It owns
//! as well how such a wish is written on the wire ([`target`], [`socks5`]), how much may leave ([`limits`]), and from which
//! address of several ([`source_address`]). It refuses everything else: sockets, clocks (time is an argument), resolvers,
//! Kubernetes.
//!
//! ```text
//! Source ── Policies::of ──> Egress: the policies that are about it
//!   Ask (name or address, port, what is spoken)
//!     └ Egress::screen   before the name is resolved: what can never be allowed is not even asked of DNS
//!         └ Reached (the address to dial, what DNS answered)
//!             └ Egress::decide   verdict, rule, reason; and what would be if all were enforced
//! ```
//!
//! **Precedence**, in full:
//!
//! 1. All policies whose subjects fit the source count, whatever their level: workload, namespace, Gateway.
//! 2. A rule that denies wins over every rule that allows.
//! 3. A rule that allows lets it leave.
//! 4. What no rule allows is denied. If the default is in shadow, it leaves, unless an enforced policy that is about the
//!    source has a rule that allows: then that is the list of what may.
//!
//! Levels do not override each other: a policy of a namespace cannot take back what the Gateway's owner denies, and the
//! order in which policies were written means nothing. That is what NetworkPolicy, Cilium and Istio taught operators to
//! expect (`docs/decisions/0021-egress-decisions.md`). Which of several rules is *named* is decided by how closely it fits:
//! level, then host (exact, `*.`, `**.`, longer before shorter), then network (longer before shorter), then name.
//!
//! **Certainty.** A rule by name allows only what is sure to go there: SNI, Host, DNS answer and address have to agree, and
//! the address has to be public ([`address`]). Each check can be waived by the rule that allows, and by no other.
//!
//! **Shadow.** Policies in shadow never change a verdict. A decision tells beside it what would be if they, and the default,
//! were enforced.
//!
//! **Cost.** A decision costs the labels of the host and the distinct lengths of networks, for each set of subjects that
//! fits the source; never the number of rules for other hosts. Selectors by label cost their number in the namespace.

pub mod address;
pub mod agreement;
mod ask;
pub mod carried;
mod decision;
mod explain;
pub mod limits;
mod miss;
mod nets;
mod policies;
mod rule;
pub mod socks5;
pub mod source_address;
pub mod target;

pub use ask::{Ask, Called, Hello, HttpAsk, Reached, ServerName, Source, Spoken};
pub use decision::{Because, Decision, Screening, Shadow, Verdict};
pub use explain::{Considered, Explanation, Outcome};
pub use miss::Miss;
pub use policies::{Egress, Policies};

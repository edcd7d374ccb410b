//! Which listener and which route rule answer a request, and why the others do not.
//!
//! This crate owns matching and precedence, once for the data plane ([`Listeners::select`], [`RouteTable::find`]) and
//! for people who ask ([`Listeners::explain_https`], [`RouteTable::explain`]): both walk the same structure. It refuses
//! everything else: no I/O, no clock, no filters, no backends, no path normalisation. Hosts and paths arrive as they are
//! matched; [`normalize_host`] makes a host of an authority.
//!
//! ```text
//! port ── Listeners (most specific host name) ── RouteTable of that listener
//!           └ host pattern, most specific first (as written in the route)
//!               └ exact path ─ longest prefix ─ … ─ regular expressions ─ the prefix `/`
//!                   └ candidates in precedence order: the first whose conditions hold answers
//! ```
//!
//! **Precedence** is that of `HTTPRouteRule.matches` of the Gateway API: host, exact path, longest prefix, method, number
//! of headers, number of query parameters, age, name, order. Where it leaves the choice to us:
//!
//! - Regular expressions come after every prefix but the catch-all prefix `/`, which asks for nothing: a default rule
//!   would otherwise hide every expression of its host. Among themselves expressions are equal, so that method, headers
//!   and the rest decide.
//! - The prefix `/` matches every request, `OPTIONS *` too.
//! - A header sent in several lines is matched as one value, joined with `,` (RFC 9110 section 5.3).
//! - The first value of a query parameter counts, decoded as a form sends it (percent-encoding, `+` for a space).
//! - Routes without a creation time are the youngest of all, and equally old among themselves.
//!
//! **Cost.** A lookup costs the labels of the host and the segments of the path, never the number of routes of other
//! hosts and paths, and allocates nothing unless a repeated header or an encoded query parameter must be put together.
//! A build costs what changed since the previous table.

mod authority;
mod conditions;
mod explain;
mod host_map;
mod listeners;
mod pattern;
mod precedence;
mod request;
mod store;
mod table;

pub use authority::normalize_host;
pub use explain::{Asks, Condition, Considered, Explanation, Outcome, Winner};
pub use host_map::HostMap;
pub use listeners::{Listeners, OtherListener, Selected, Selection, SelectionExplanation, WhyNot};
/// How the path was matched, as the vocabulary says it.
pub use lychgate_ir::MatchedPath;
pub use pattern::check_regex;
pub use precedence::Criterion;
pub use request::RequestLine;
pub use table::{Hit, RouteTable, Unusable};

//! The side of a data plane: follows the feed, and keeps what it had.
//!
//! ```text
//!            ┌─ cache on disk (once, at the start)
//!            v
//! Config <── State <── updates ── Session (one stream) <── Identity (certificate, renewed at 2/3 of its life)
//!   │                                  ^                        ^
//!   └──────── Outcome ── acknowledged ─┘                        └── token file, trust bundle: read at each use
//! ```
//!
//! While nobody answers, the last config stays. What is served never depends on whether a control plane can be reached.

mod alike;
mod dial;
mod identity;
mod options;
mod run;
mod session;
mod state;

pub use dial::DialError;
pub use options::{Control, NotAControl, Options, Pace};
pub use run::{Client, Link};
pub(crate) use state::State;
pub use state::{Config, Origin, Outcome};

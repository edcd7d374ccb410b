//! Compiles a [`lychgate_ir::Snapshot`] and serves it.
//!
//! This crate owns connections, TLS, routing at run time, balancing, retries, deadlines, mirrors and the responses we
//! give ourselves. Pingora moves the bytes, and nobody outside of this crate sees it. It refuses to know where a snapshot
//! comes from, which sockets are open, and anything of Kubernetes.
//!
//! ```text
//! Snapshot ──compile──> Runtime ──Live──> one request pins one Runtime for its whole life
//! Endpoints ─────────────────────────────> BackendCell (shared by every Runtime that has the backend)
//! ```

mod accept;
mod connection;
mod egress;
mod engine;
mod explain;
mod limits;
mod live;
mod observe;
mod path;
mod proxies;
mod proxy;
mod proxy_protocol;
mod runtime;
mod stream;
mod tls;
mod upstream;

pub use engine::{Applied, Engine, EngineError};
pub use explain::{Answer, Explainer, Question};
pub use limits::Limits;
pub use observe::Observe;
pub use proxies::be_worker;
pub use runtime::{Bind, Speaks};

//! Arguments of the processes that serve: what `lychgate run` and `lychgate-gateway` have in common, and the latter's own.

mod audit;
mod gateway;
mod limits;
mod logs;
mod telemetry;

pub use audit::AuditArgs;
pub use gateway::GatewayArgs;
pub use limits::LimitArgs;
pub use logs::LogArgs;
pub use telemetry::{HeadersError, TelemetryArgs};

//! An engine, and where everything that it counts and logs goes: the same for a directory and for a cluster.

use crate::audit::{self, AuditOptions, AuditStartError};
use lychgate_engine::{Engine, EngineError, Limits, Observe};
use lychgate_telemetry::{
    AccessLog, AccessLogOptions, CollectorError, Metrics, MetricsError, MetricsLimits, Notices, TraceOptions, Tracer,
};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Why no engine can be had.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The engine cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Metrics cannot be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The access log cannot be written.
    #[error("{0}")]
    AccessLog(io::Error),
    /// Traces cannot be sent.
    #[error("traces cannot be sent: {0}")]
    Trace(#[from] CollectorError),
    /// What leaves cannot be recorded.
    #[error(transparent)]
    Audit(#[from] AuditStartError),
}

/// An engine that serves nothing yet, for so many workers.
pub(crate) fn engine(
    workers: NonZeroUsize,
    limits: Limits,
    metrics: MetricsLimits,
    access_log: Option<AccessLogOptions>,
    trace: Option<TraceOptions>,
    audit: Option<&AuditOptions>,
) -> Result<Arc<Engine>, SetupError> {
    let metrics = Metrics::new(metrics)?;
    let log = |options| AccessLog::start(options, metrics.clone()).map_err(SetupError::AccessLog);
    let access_log = access_log.map(log).transpose()?;
    let tracer = trace.map(|trace| Tracer::start(trace, metrics.clone())).transpose()?;
    let (audit, shipped) = match audit {
        Some(options) => {
            let (audit, shipped) = audit::start(options, &metrics)?;
            (Some(audit), shipped)
        }
        None => (None, None),
    };
    let observe = Observe { metrics, access_log, notices: Notices::default(), tracer, audit, shipped };
    Ok(Engine::new(workers, limits, Arc::new(observe))?)
}

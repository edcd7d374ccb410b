//! What is counted and logged of requests.

use clap::{Args, ValueEnum};
use lychgate_gateway::{AccessFormat, AccessLogOptions, AccessTarget, MetricsLimits};
use std::path::PathBuf;

/// What is counted and logged of requests.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Metrics and access log")]
pub(crate) struct TelemetryArgs {
    /// Log every request to a file, or to standard output with `-`. SIGUSR1 opens the file anew after it was moved away.
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// How lines of the access log are written.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    access_log_format: Format,
    /// The fields of the access log, in order; all by default.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    access_log_fields: Vec<String>,
    /// How many listeners, rules and backends have series of their own; the rest of each kind shares one, `_other`.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    metrics_scopes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A JSON object a line.
    Json,
    /// name=value, separated by spaces.
    Text,
}

impl TelemetryArgs {
    pub(crate) fn metrics(&self) -> MetricsLimits {
        MetricsLimits { listeners: self.metrics_scopes, rules: self.metrics_scopes, backends: self.metrics_scopes }
    }

    pub(crate) fn access_log(&self) -> Option<AccessLogOptions> {
        let file = self.access_log.as_ref()?;
        let target = if file.as_os_str() == "-" { AccessTarget::Stdout } else { AccessTarget::File(file.clone()) };
        let format = match self.access_log_format {
            Format::Json => AccessFormat::Json,
            Format::Text => AccessFormat::Text,
        };
        Some(AccessLogOptions { fields: self.access_log_fields.clone(), ..AccessLogOptions::new(target, format) })
    }
}

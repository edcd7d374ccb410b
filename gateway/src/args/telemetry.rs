//! What is counted, logged and traced of requests.

use clap::{Args, ValueEnum};
use lychgate_telemetry::{
    AccessFormat, AccessLogOptions, AccessTarget, Collector, CollectorError, CollectorHeaders, EventOptions,
    MetricsLimits, OtlpProtocol, OtlpTarget, Propagation, SampleRate, TraceOptions,
};
use std::io;
use std::path::PathBuf;

/// What is counted, logged and traced of requests.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Metrics, access log and traces")]
pub struct TelemetryArgs {
    /// Log every request to a file, or to standard output with `-`. SIGUSR1 opens the file anew after it was moved away.
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Log every request to an OTLP collector, as log records. Without a path in the URL, `/v1/logs` is meant.
    #[arg(long, value_name = "URL", conflicts_with = "access_log")]
    access_log_otlp: Option<Collector>,
    /// How lines of the access log are written.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    access_log_format: Format,
    /// The fields of the access log, in order; all by default.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    access_log_fields: Vec<String>,
    /// Send the records of the audit log to an OTLP collector besides, as log records. Without a path in the URL, `/v1/logs`
    /// is meant.
    #[arg(long, value_name = "URL", requires = "audit_dir")]
    audit_otlp: Option<Collector>,
    /// How many listeners, rules and backends have series of their own; the rest of each kind shares one, `_other`.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    metrics_scopes: usize,
    /// Send traces to an OTLP collector. Without a path in the URL, `/v1/traces` is meant.
    #[arg(long, value_name = "URL")]
    trace_otlp: Option<Collector>,
    /// Send traces to a Zipkin server. Without a path in the URL, `/api/v2/spans` is meant.
    #[arg(long, value_name = "URL")]
    trace_zipkin: Option<Collector>,
    /// The share of requests that are recorded if their client has not decided, from 0 to 1.
    #[arg(long, value_name = "RATE", default_value_t = SampleRate::ALL)]
    trace_sample: SampleRate,
    /// The headers that carry a trace: read in this order, and all of them written.
    #[arg(long, value_enum, value_name = "FORMATS", value_delimiter = ',', default_value = "w3c")]
    trace_propagate: Vec<Propagate>,
    /// Begin a trace for every request, whatever its client says: for clients that nobody trusts.
    #[arg(long)]
    trace_ignore_clients: bool,
    /// What the gateway is called in traces and in log records.
    #[arg(long, value_name = "NAME", default_value = "lychgate")]
    trace_service: String,
    /// What carries OTLP.
    #[arg(long, value_enum, value_name = "PROTOCOL", default_value_t = Protocol::Http)]
    otlp_protocol: Protocol,
    /// A file with headers for all collectors, a line each, `name: value`: tokens do not belong on a command line.
    #[arg(long, value_name = "FILE")]
    collector_headers: Option<PathBuf>,
}

/// Why headers for collectors cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HeadersError {
    /// The file cannot be read.
    #[error("{} cannot be read: {error}", .file.display())]
    Unread {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// What is in it are no headers.
    #[error("{}: {error}", .file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        error: CollectorError,
    },
}

/// How a trace travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Propagate {
    /// traceparent and tracestate, of W3C.
    W3c,
    /// b3, in one header.
    B3,
    /// X-B3-TraceId and its likes.
    B3Multi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// Protobuf over HTTP.
    Http,
    /// gRPC.
    Grpc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A JSON object a line.
    Json,
    /// name=value, separated by spaces.
    Text,
}

impl TelemetryArgs {
    /// How many scopes have series of their own.
    pub fn metrics(&self) -> MetricsLimits {
        MetricsLimits { listeners: self.metrics_scopes, rules: self.metrics_scopes, backends: self.metrics_scopes }
    }

    /// Whether and how requests are logged.
    ///
    /// # Errors
    /// If the file with headers for collectors cannot be used.
    pub fn access_log(&self) -> Result<Option<AccessLogOptions>, HeadersError> {
        let target = match (&self.access_log, &self.access_log_otlp) {
            (Some(file), _) if file.as_os_str() == "-" => AccessTarget::Stdout,
            (Some(file), _) => AccessTarget::File(file.clone()),
            (None, Some(collector)) => {
                AccessTarget::Otlp { target: self.otlp(collector)?, service: self.trace_service.clone() }
            }
            (None, None) => return Ok(None),
        };
        let format = match self.access_log_format {
            Format::Json => AccessFormat::Json,
            Format::Text => AccessFormat::Text,
        };
        Ok(Some(AccessLogOptions { fields: self.access_log_fields.clone(), ..AccessLogOptions::new(target, format) }))
    }

    /// Whether and where records of the audit log are sent.
    ///
    /// # Errors
    /// If the file with headers for collectors cannot be used.
    pub fn audit(&self) -> Result<Option<EventOptions>, HeadersError> {
        let Some(collector) = &self.audit_otlp else { return Ok(None) };
        Ok(Some(EventOptions { target: self.otlp(collector)?, service: self.trace_service.clone() }))
    }

    /// Whether and how requests are traced.
    ///
    /// # Errors
    /// If the file with headers for collectors cannot be used.
    pub fn trace(&self) -> Result<Option<TraceOptions>, HeadersError> {
        let options = TraceOptions {
            otlp: self.trace_otlp.as_ref().map(|collector| self.otlp(collector)).transpose()?,
            zipkin: self.trace_zipkin.as_ref().map(|collector| self.with_headers(collector)).transpose()?,
            sample: self.trace_sample,
            propagation: self.trace_propagate.iter().map(|format| format.into_format()).collect(),
            believe: !self.trace_ignore_clients,
            service: self.trace_service.clone(),
            queue: TraceOptions::QUEUE,
        };
        Ok((options.otlp.is_some() || options.zipkin.is_some()).then_some(options))
    }

    fn otlp(&self, collector: &Collector) -> Result<OtlpTarget, HeadersError> {
        let protocol = match self.otlp_protocol {
            Protocol::Http => OtlpProtocol::Http,
            Protocol::Grpc => OtlpProtocol::Grpc,
        };
        Ok(OtlpTarget { collector: self.with_headers(collector)?, protocol })
    }

    fn with_headers(&self, collector: &Collector) -> Result<Collector, HeadersError> {
        let Some(file) = &self.collector_headers else { return Ok(collector.clone()) };
        let unread = |error| HeadersError::Unread { file: file.clone(), error };
        let text = std::fs::read_to_string(file).map_err(unread)?;
        let wrong = |error| HeadersError::Wrong { file: file.clone(), error };
        let headers: CollectorHeaders = text.parse().map_err(wrong)?;
        Ok(collector.clone().with_headers(headers))
    }
}

impl Propagate {
    fn into_format(self) -> Propagation {
        match self {
            Self::W3c => Propagation::W3c,
            Self::B3 => Propagation::B3,
            Self::B3Multi => Propagation::B3Multi,
        }
    }
}

//! Records of the audit log, sent to an OTLP collector as log records besides. Nobody waits for a collector; what finds no
//! room, or cannot be sent in time, is lost there and counted here: the log itself has it.

use crate::export::{self, CollectorError, Destination, OtlpTarget, Outcome, Queue};
use crate::metrics::Metrics;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{InstrumentationScope, Key};
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Events that may wait.
const QUEUE: usize = 8192;

/// What they are, in one word.
const EVENT: &str = "lychgate.audit";

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOptions {
    /// The collector.
    pub target: OtlpTarget,
    /// What we are called.
    pub service: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub time: SystemTime,
    /// Whether somebody should look.
    pub is_warning: bool,
    /// What: an object.
    pub body: Value,
}

/// Sends events.
///
/// An object of JSON becomes a map, so that numbers stay numbers, and what is null is left out.
pub struct Events {
    queue: Queue<Event>,
    metrics: Arc<Metrics>,
}

impl Events {
    /// Starts the exporter; there must be a tokio runtime.
    ///
    /// # Errors
    /// A collector that cannot be one.
    pub fn start(options: EventOptions, metrics: Arc<Metrics>) -> Result<Self, CollectorError> {
        let EventOptions { target, service } = options;
        let mut exporter = target.logs()?;
        exporter.set_resource(&export::resource(&service));
        let scope = export::scope();
        let maker = SdkLoggerProvider::builder().build().logger_with_scope(scope.clone());
        let sender = Sender { exporter, maker, scope, metrics: metrics.clone() };
        Ok(Self { queue: Queue::start(QUEUE, sender), metrics })
    }

    /// Hands an event over.
    pub fn push(&self, event: Event) {
        if !self.queue.push(event) {
            self.metrics.audit_unshipped(1);
        }
    }

    /// Waits until all events so far are sent, but no longer than this.
    pub async fn flush(&self, within: Duration) {
        self.queue.flush(within).await;
    }
}

struct Sender {
    exporter: LogExporter,
    /// Only it can make records.
    maker: SdkLogger,
    scope: InstrumentationScope,
    metrics: Arc<Metrics>,
}

impl Sender {
    fn record(&self, event: &Event) -> SdkLogRecord {
        let Event { time, is_warning, body } = event;
        let mut record = self.maker.create_log_record();
        record.set_event_name(EVENT);
        record.set_timestamp(*time);
        record.set_observed_timestamp(SystemTime::now());
        let (severity, text) = if *is_warning { (Severity::Warn, "WARN") } else { (Severity::Info, "INFO") };
        record.set_severity_number(severity);
        record.set_severity_text(text);
        if let Some(body) = value(body) {
            record.set_body(body);
        }
        record
    }
}

/// As OTLP has it: numbers stay numbers, and what is absent is left out.
fn value(value: &Value) -> Option<AnyValue> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => AnyValue::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => AnyValue::Int(whole),
            None => AnyValue::Double(number.as_f64()?),
        },
        Value::String(text) => AnyValue::String(text.clone().into()),
        Value::Array(values) => AnyValue::ListAny(Box::new(values.iter().filter_map(self::value).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().filter_map(|(name, field)| Some((Key::from(name.clone()), self::value(field)?)));
            AnyValue::Map(Box::new(fields.collect()))
        }
    })
}

impl Destination for Sender {
    type Item = Event;

    async fn send(&mut self, events: Vec<Event>) -> Result<(), String> {
        let records: Vec<SdkLogRecord> = events.iter().map(|event| self.record(event)).collect();
        let batch: Vec<_> = records.iter().map(|record| (record, &self.scope)).collect();
        self.exporter.export(LogBatch::new(&batch)).await.map_err(|error| error.to_string())
    }

    fn tally(&self, events: &[Event]) -> u64 {
        events.len() as u64
    }

    fn count(&self, events: u64, outcome: Outcome) {
        match outcome {
            Outcome::Exported => {}
            Outcome::Failed => self.metrics.audit_unshipped(events),
        }
    }

    fn name(&self) -> &'static str {
        "the audit log"
    }
}

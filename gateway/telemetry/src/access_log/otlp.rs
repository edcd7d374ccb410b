//! Entries as OTLP log records: the fields are the record's body, as a map, so that numbers stay numbers.

use super::entry::{AccessEntry, Value};
use super::field::Field;
use crate::export::{self, CollectorError, Destination, OtlpTarget, Outcome};
use crate::metrics::Metrics;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{InstrumentationScope, Key};
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider};
use std::sync::Arc;
use std::time::SystemTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What the records are, in one word.
const EVENT: &str = "lychgate.access";

pub(super) struct Records {
    exporter: LogExporter,
    fields: Vec<Field>,
    /// Only it can make records.
    maker: SdkLogger,
    scope: InstrumentationScope,
    metrics: Arc<Metrics>,
}

impl Records {
    pub(super) fn new(
        target: &OtlpTarget,
        service: &str,
        fields: Vec<Field>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, CollectorError> {
        let mut exporter = target.logs()?;
        exporter.set_resource(&export::resource(service));
        let scope = export::scope();
        let maker = SdkLoggerProvider::builder().build().logger_with_scope(scope.clone());
        Ok(Self { exporter, fields, maker, scope, metrics })
    }

    fn record(&self, entry: &AccessEntry) -> SdkLogRecord {
        let mut record = self.maker.create_log_record();
        record.set_event_name(EVENT);
        record.set_timestamp(entry.time);
        record.set_observed_timestamp(SystemTime::now());
        let (severity, text) = match entry.status {
            Some(status) if status < 500 => (Severity::Info, "INFO"),
            Some(_) | None => (Severity::Error, "ERROR"),
        };
        record.set_severity_number(severity);
        record.set_severity_text(text);
        let fields =
            self.fields.iter().filter_map(|field| Some((Key::from(field.name()), value(entry.field(*field))?)));
        record.set_body(AnyValue::Map(Box::new(fields.collect())));
        if let Some(trace) = &entry.trace {
            let (trace_id, span_id, flags) = trace.on_the_wire();
            record.set_trace_context(trace_id, span_id, Some(flags));
        }
        record
    }
}

fn value(value: Value<'_>) -> Option<AnyValue> {
    Some(match value {
        Value::None => return None,
        Value::Text(text) => AnyValue::String(text.to_owned().into()),
        Value::Number(number) => AnyValue::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        Value::Moment(moment) => AnyValue::String(OffsetDateTime::from(moment).format(&Rfc3339).ok()?.into()),
        Value::Address(address) => AnyValue::String(address.to_string().into()),
        Value::Trace(trace) => AnyValue::String(trace.trace_id().to_string().into()),
        Value::Took(took) => AnyValue::Double((took.as_secs_f64() * 1_000_000.0).round() / 1000.0),
    })
}

impl Destination for Records {
    type Item = Box<AccessEntry>;

    async fn send(&mut self, entries: Vec<Box<AccessEntry>>) -> Result<(), String> {
        let records: Vec<SdkLogRecord> = entries.iter().map(|entry| self.record(entry)).collect();
        let batch: Vec<_> = records.iter().map(|record| (record, &self.scope)).collect();
        self.exporter.export(LogBatch::new(&batch)).await.map_err(|error| error.to_string())
    }

    fn tally(&self, entries: &[Box<AccessEntry>]) -> u64 {
        entries.len() as u64
    }

    fn count(&self, entries: u64, outcome: Outcome) {
        match outcome {
            Outcome::Exported => {}
            Outcome::Failed => self.metrics.access_log_dropped(entries),
        }
    }

    fn name(&self) -> &'static str {
        "the access log"
    }
}

//! Access logs: a line for each request, written by a thread of its own, or a record, sent by a task of its own. A request
//! hands its entry over and goes on; when that is too slow, entries are dropped and counted, and no request waits.

mod entry;
mod field;
mod form;
mod line;
mod otlp;
mod writer;

pub use entry::{AccessEntry, Timing};
pub use form::AccessFormat;
pub use line::AccessLine;

use crate::Metrics;
use crate::export::{OtlpTarget, Queue};
use field::Field;
use otlp::Records;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use writer::{Lines, Writer};

/// Where access logs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTarget {
    /// Standard output.
    Stdout,
    /// A file, appended to, and opened anew when asked.
    File(PathBuf),
    /// An OTLP collector, as log records of this service. The format of lines has no meaning there.
    Otlp {
        /// The collector.
        target: OtlpTarget,
        /// What we are called.
        service: String,
    },
}

/// How access logs are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLogOptions {
    /// Where to.
    pub target: AccessTarget,
    /// In which form.
    pub format: AccessFormat,
    /// The fields, in order; empty for all.
    pub fields: Vec<String>,
    /// Entries that may wait. Default: 8192.
    pub queue: usize,
}

impl AccessLogOptions {
    /// All fields, to this target.
    pub fn new(target: AccessTarget, format: AccessFormat) -> Self {
        Self { target, format, fields: Vec::new(), queue: 8192 }
    }
}

/// A running access log.
pub struct AccessLog {
    sink: Sink,
    metrics: Arc<Metrics>,
}

enum Sink {
    Thread(SyncSender<Message>),
    Task(Queue<Box<AccessEntry>>),
}

enum Message {
    Entry(Box<AccessEntry>),
    /// The file may have been moved away: open it anew.
    Reopen,
    /// Tell when all that came before is written.
    Tell(oneshot::Sender<()>),
}

impl AccessLog {
    /// Starts the writing thread, or the exporter; the latter needs a tokio runtime.
    ///
    /// # Errors
    /// A file that cannot be opened, a field that does not exist, a thread that cannot be started, a collector that cannot
    /// be one.
    pub fn start(options: AccessLogOptions, metrics: Arc<Metrics>) -> io::Result<Self> {
        let AccessLogOptions { target, format, fields, queue } = options;
        let fields = if fields.is_empty() { Field::ALL.into() } else { known(&fields)? };
        let sink = match target {
            AccessTarget::Stdout => Sink::Thread(write(Writer::open(Lines::Stdout, format, fields)?, queue)?),
            AccessTarget::File(path) => Sink::Thread(write(Writer::open(Lines::File(path), format, fields)?, queue)?),
            AccessTarget::Otlp { target, service } => {
                let records = Records::new(&target, &service, fields, metrics.clone());
                Sink::Task(Queue::start(queue, records.map_err(io::Error::other)?))
            }
        };
        Ok(Self { sink, metrics })
    }

    /// Hands an entry over.
    pub fn write(&self, entry: Box<AccessEntry>) {
        let taken = match &self.sink {
            Sink::Thread(entries) => match entries.try_send(Message::Entry(entry)) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            },
            Sink::Task(entries) => entries.push(entry),
        };
        if !taken {
            self.metrics.access_log_dropped(1);
        }
    }

    /// Opens the file anew, after it was moved away.
    pub fn reopen(&self) {
        match &self.sink {
            Sink::Thread(entries) => {
                // Rare, and worth waiting for a place in the queue; without a writer there is nothing to reopen.
                let _ = entries.send(Message::Reopen);
            }
            Sink::Task(_) => {}
        }
    }

    /// Waits until all entries so far are written or sent, but no longer than so long: a process that ends takes those with
    /// it that wait.
    pub async fn finish(&self, patience: Duration) {
        match &self.sink {
            Sink::Thread(entries) => {
                // Too late, or without a writer, they are lost.
                let _ = timeout(patience, written(entries)).await;
            }
            Sink::Task(entries) => entries.flush(patience).await,
        }
    }
}

/// The fields of these names.
fn known(names: &[String]) -> io::Result<Vec<Field>> {
    let unknown = |name: &String| {
        let known = Field::NAMES.join(", ");
        io::Error::new(io::ErrorKind::InvalidInput, format!("the access log has no field `{name}`; it has {known}"))
    };
    names.iter().map(|name| Field::of(name).ok_or_else(|| unknown(name))).collect()
}

/// Waits until the thread has written what it was given.
async fn written(entries: &SyncSender<Message>) {
    let (tell, written) = oneshot::channel();
    let mut message = Message::Tell(tell);
    while let Err(TrySendError::Full(again)) = entries.try_send(message) {
        message = again;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // An error is a writer that is gone.
    let _ = written.await;
}

/// So long others may follow the first before they are all written. Who waits for a message has to be woken, which costs a
/// request more than its line does; who sleeps has not.
const GATHERING: Duration = Duration::from_millis(10);

/// Starts the thread. It ends with the last sender.
fn write(mut writer: Writer, queue: usize) -> io::Result<SyncSender<Message>> {
    let (entries, waiting) = sync_channel(queue.max(1));
    std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
        while let Ok(first) = waiting.recv() {
            writer.take(first);
            std::thread::sleep(GATHERING);
            while let Ok(next) = waiting.try_recv() {
                writer.take(next);
            }
            writer.flush();
        }
    })?;
    Ok(entries)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::{MetricsLimits, Reason};
    use std::path::Path;
    use std::time::{Instant, SystemTime};

    fn entry(id: &str) -> Box<AccessEntry> {
        Box::new(AccessEntry {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            request_id: id.to_owned(),
            client: "192.0.2.1:4000".parse().unwrap(),
            method: Some("GET".to_owned()),
            scheme: "https",
            host: Some("a.example".to_owned()),
            path: Some("/x y\n".to_owned()),
            protocol: "HTTP/2.0",
            status: Some(503),
            reason: Some(Reason::NoEndpoint),
            detail: Some("the backend has no ready endpoint".to_owned()),
            listener: Some("Gateway/ns/gw/https".to_owned()),
            rule: Some("HTTPRoute/ns/a#0@3".to_owned()),
            backend: Some("Service/ns/b:80".to_owned()),
            endpoint: None,
            attempts: 0,
            received: 0,
            sent: 70,
            user_agent: Some("curl \"x\"".to_owned()),
            trace: None,
            timing: Timing { total: Duration::from_micros(1500), ..Timing::default() },
        })
    }

    fn lines(path: &Path, count: usize) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.len() >= count {
                return lines;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{text}");
            std::thread::yield_now();
        }
    }

    fn start(path: &Path, format: AccessFormat, fields: &[&str]) -> AccessLog {
        let mut options = AccessLogOptions::new(AccessTarget::File(path.to_owned()), format);
        options.fields = fields.iter().map(|field| (*field).to_owned()).collect();
        AccessLog::start(options, Metrics::new(MetricsLimits::default()).unwrap()).unwrap()
    }

    #[test]
    fn json_has_every_field_and_text_is_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = start(&path, AccessFormat::Json, &[]);
        log.write(entry("1"));
        let value: serde_json::Value = serde_json::from_str(&lines(&path, 1)[0]).unwrap();
        let mut fields: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        let mut known = AccessEntry::FIELDS.to_vec();
        known.sort_unstable();
        assert_eq!(fields, known);
        assert_eq!(value["rule"], "HTTPRoute/ns/a#0@3");
        assert_eq!(value["time"], "2023-11-14T22:13:20.123Z");

        let path = dir.path().join("text.log");
        let log = start(&path, AccessFormat::Text, &["status", "path", "endpoint", "reason", "user_agent"]);
        log.write(entry("1"));
        assert_eq!(
            lines(&path, 1)[0],
            r#"status=503 path="/x y\n" endpoint=- reason=no_endpoint user_agent="curl \"x\"""#
        );
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
        let log = start(&path, AccessFormat::Json, &["request_id"]);
        log.write(entry("before"));
        lines(&path, 1);
        std::fs::rename(&path, &old).unwrap();
        log.reopen();
        log.write(entry("after"));
        assert_eq!(lines(&path, 1), [r#"{"request_id":"after"}"#]);
        assert_eq!(lines(&old, 1), [r#"{"request_id":"before"}"#]);
    }

    #[test]
    fn what_cannot_be_is_said_at_the_start() {
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let mut options = AccessLogOptions::new(AccessTarget::Stdout, AccessFormat::Json);
        options.fields = vec!["statsu".to_owned()];
        let error = AccessLog::start(options, metrics.clone()).err().expect("no such field");
        assert!(error.to_string().contains("statsu"), "{error}");
        let nowhere = AccessTarget::File("/nowhere/at/all/access.log".into());
        assert!(AccessLog::start(AccessLogOptions::new(nowhere, AccessFormat::Json), metrics).is_err());
    }

    #[tokio::test]
    async fn at_the_end_everything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = start(&path, AccessFormat::Json, &["request_id"]);
        for id in 0..1000 {
            log.write(entry(&id.to_string()));
        }
        log.finish(Duration::from_secs(20)).await;
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1000);
        // Nobody writes any more.
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let (entries, waiting) = sync_channel(1);
        let log = AccessLog { sink: Sink::Thread(entries), metrics };
        log.write(entry("1"));
        log.finish(Duration::from_millis(10)).await;
        drop(waiting);
        log.finish(Duration::from_secs(20)).await;
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let (entries, waiting) = sync_channel(1);
        let log = AccessLog { sink: Sink::Thread(entries), metrics: metrics.clone() };
        log.write(entry("1"));
        log.write(entry("2"));
        drop(waiting);
        log.write(entry("3"));
        assert!(metrics.render().contains("lychgate_access_log_dropped_total 2"), "{}", metrics.render());
    }
}

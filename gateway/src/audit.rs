//! The audit log of what leaves: where it is kept, who signs it, and whether it has to be.

use lychgate_audit::{Audit, AuditError, AuditSettings, BadKey, Digest, LogSettings, Record, Shipper, SigningKey};
use lychgate_ir::egress::EgressAction;
use lychgate_telemetry::{CollectorError, Event, EventOptions, Events, Metrics};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A segment of the log has at most so many bytes ...
const SEGMENT_BYTES: u64 = 64 << 20;
/// ... and is at most so old.
const SEGMENT_AGE: Duration = Duration::from_secs(24 * 3600);

/// How the audit log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditOptions {
    /// The directory: made if it is missing, and nobody else's.
    pub dir: PathBuf,
    /// The key that signs it: Ed25519, PKCS #8 in PEM. Made if it is missing.
    pub key: PathBuf,
    /// Whether nothing may leave that cannot be recorded.
    pub required: bool,
    /// Where records are sent besides.
    pub ship: Option<EventOptions>,
}

/// Why there is no audit log.
#[derive(Debug, thiserror::Error)]
pub enum AuditStartError {
    /// The key cannot be read or made.
    #[error("the key of the audit log {} cannot be read or made: {error}", .file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// It is none.
    #[error("{}: {error}", .file.display())]
    BadKey {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        #[source]
        error: BadKey,
    },
    /// Its records cannot be sent.
    #[error("records of the audit log cannot be sent: {0}")]
    Ship(#[from] CollectorError),
    /// The log cannot be opened.
    #[error("the audit log cannot be opened: {0}")]
    Log(#[from] AuditError),
}

/// Opens it, and begins to write; there must be a tokio runtime.
pub(crate) fn start(
    options: &AuditOptions,
    metrics: &Arc<Metrics>,
) -> Result<(Audit, Option<Arc<Events>>), AuditStartError> {
    let AuditOptions { dir, key, required, ship } = options;
    let key = signing_key(key)?;
    let log = LogSettings { dir: dir.clone(), key, max_bytes: SEGMENT_BYTES, max_age: SEGMENT_AGE };
    let settings = AuditSettings { required: *required, ..AuditSettings::default() };
    let start = |to: &EventOptions| Events::start(to.clone(), metrics.clone()).map(Arc::new);
    let events = ship.as_ref().map(start).transpose()?;
    let audit = Audit::start_and_ship(log, settings, events.clone().map(shipper))?;
    Ok((audit, events))
}

/// Hands each record over with its place in the chain, so that who keeps it elsewhere can ask for it: the number of its
/// line, and the hash.
fn shipper(events: Arc<Events>) -> Shipper {
    Box::new(move |record: &Record, line: u64, hash: Digest| {
        // Plain data always serializes; were it otherwise, the place in the chain would say that something is missing.
        let mut body = serde_json::to_value(record).unwrap_or_default();
        if let Value::Object(fields) = &mut body {
            fields.insert("seq".to_owned(), line.into());
            fields.insert("hash".to_owned(), hash.to_string().into());
        }
        let is_warning = record.verdict == EgressAction::Deny || record.shadow == Some(EgressAction::Deny);
        events.push(Event { time: record.time.into(), is_warning, body });
    })
}

fn signing_key(file: &Path) -> Result<SigningKey, AuditStartError> {
    let bad = |error| AuditStartError::BadKey { file: file.to_owned(), error };
    let unread = |error| AuditStartError::Key { file: file.to_owned(), error };
    match std::fs::read_to_string(file) {
        Ok(pem) => SigningKey::from_pem(&pem).map_err(bad),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pem = SigningKey::generate().map_err(bad)?;
            // Never over one that somebody else has made meanwhile, and for nobody else to read.
            let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(unread)?;
            made.write_all(pem.expose().as_bytes()).and_then(|()| made.sync_all()).map_err(unread)?;
            SigningKey::from_pem(pem.expose()).map_err(bad)
        }
        Err(error) => Err(unread(error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_is_nobody_elses() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("key.pem");
        let first = signing_key(&file).unwrap().verifying_key();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(signing_key(&file).unwrap().verifying_key(), first);
        std::fs::write(&file, "something else").unwrap();
        assert!(matches!(signing_key(&file), Err(AuditStartError::BadKey { .. })));
    }
}

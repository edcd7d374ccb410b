//! What was written of what happened.

use super::soon;
use lychgate_audit::{Audit, AuditSettings, LogSettings, SigningKey};
use std::path::Path;
use std::time::Duration;

/// An audit log in this directory.
pub(crate) fn audit_into(dir: &Path) -> Audit {
    audit_as(dir, AuditSettings::default())
}

/// The same, and nothing leaves that it does not have.
pub(crate) fn audit_required(dir: &Path) -> Audit {
    audit_as(dir, AuditSettings { required: true, ..AuditSettings::default() })
}

fn audit_as(dir: &Path, settings: AuditSettings) -> Audit {
    let log = LogSettings {
        dir: dir.to_owned(),
        key: SigningKey::from_pem(SigningKey::generate().unwrap().expose()).unwrap(),
        max_bytes: 1 << 20,
        max_age: Duration::from_secs(3600),
    };
    Audit::start(log, settings).unwrap()
}

/// What is in a log, as soon as it has what is waited for.
pub(crate) async fn written(path: &Path, is_there: impl Fn(&str) -> bool) -> String {
    soon(async {
        loop {
            let text = read(path);
            if is_there(&text) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// A file, or all files of a directory.
fn read(path: &Path) -> String {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| read(&entry.unwrap().path())).collect(),
        Err(_) => String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned(),
    }
}

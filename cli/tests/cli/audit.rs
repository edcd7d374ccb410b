//! `lychgate audit verify`, with a log as a gate writes it.

use crate::support::run;
use lychgate_audit::{Log, LogSettings, Record, RecordDestination, RecordPhase, RecordSource, SigningKey, Timestamp};
use lychgate_ir::egress::{EgressAction, EgressMode};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

// Of RFC 8410 section 10: everybody has it.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

fn write_log(dir: &Path) {
    let key = SigningKey::from_pem(PRIVATE).unwrap();
    let settings = LogSettings { dir: dir.to_owned(), key, max_bytes: 1 << 20, max_age: Duration::from_secs(3600) };
    let now = Timestamp::from_unix_millis(1_795_687_200_000);
    let mut log = Log::open(settings, now).unwrap();
    for port in [443, 8443] {
        let record = Record {
            time: now,
            phase: RecordPhase::Ended,
            source: RecordSource::default(),
            gateway: None,
            destination: RecordDestination {
                host: Some("api.example".to_owned()),
                port,
                ..RecordDestination::default()
            },
            protocol: None,
            server_name: None,
            encrypted_hello: false,
            http: None,
            verdict: EgressAction::Deny,
            mode: EgressMode::Enforce,
            shadow: None,
            rule: None,
            reason: None,
            bytes_sent: 0,
            bytes_received: 0,
            duration_ms: 0,
        };
        log.append(&record, now).unwrap();
    }
    log.dropped(3, now).unwrap();
    log.close(now).unwrap();
}

#[test]
fn a_whole_log_is_told_and_a_changed_one_with_its_line() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("log");
    write_log(&dir);
    let key = temp.path().join("audit.pub");
    std::fs::write(&key, PUBLIC).unwrap();
    let (dir_text, key) = (dir.to_str().unwrap(), key.to_str().unwrap());

    let ended = run(&["audit", "verify", dir_text, "--key", key]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(
        ended.stdout.starts_with("whole: segments 1 to 1, 5 lines, 2 records\n3 records were dropped"),
        "{}",
        ended.stdout
    );
    let end = ended.stdout.trim_end().rsplit(' ').next().unwrap();
    assert_eq!(run(&["audit", "verify", dir_text, "--contains", end]).code, Some(0));
    assert!(run(&["audit", "verify", dir_text]).stdout.contains("give --key"));

    let path = dir.join("segment-00000001.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("8443", "8444")).unwrap();
    let ended = run(&["audit", "verify", dir_text, "--key", key]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("segment-00000001.jsonl:4: does not follow the line before it"), "{}", ended.stderr);

    let ended = run(&["audit", "verify", dir_text, "--contains", "x"]);
    assert_eq!(ended.code, Some(2));
}

//! Logs in few words.

use lychgate_audit::{
    Log, LogSettings, Record, RecordDestination, RecordHttp, RecordPhase, RecordProtocol, RecordSource, Report,
    SigningKey, Timestamp, VerifyOptions, verify,
};
use lychgate_ir::egress::{EgressAction, EgressMode};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The key of RFC 8410 section 10.3: everybody has it.
pub(crate) const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

pub(crate) fn settings(dir: &Path) -> LogSettings {
    LogSettings {
        dir: dir.to_owned(),
        key: SigningKey::from_pem(KEY).unwrap(),
        max_bytes: 2500,
        max_age: Duration::from_secs(3600),
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_687_200_000 + seconds * 1000)
}

pub(crate) fn record(number: u64) -> Record {
    Record {
        time: at(0),
        phase: RecordPhase::Ended,
        source: RecordSource { namespace: Some("shop".to_owned()), ..RecordSource::default() },
        gateway: Some("Gateway/egress/out".parse().unwrap()),
        destination: RecordDestination {
            host: Some(format!("host-{number}.example")),
            address: None,
            port: 443,
            by_address: false,
            verified: Some(true),
        },
        protocol: Some(RecordProtocol::Http),
        server_name: None,
        encrypted_hello: false,
        http: Some(RecordHttp {
            host: Some(format!("host-{number}.example")),
            method: "GET".to_owned(),
            path: "/a".to_owned(),
            over_tls: false,
        }),
        verdict: EgressAction::Allow,
        mode: EgressMode::Enforce,
        shadow: None,
        rule: Some("EgressPolicy/shop/a#0@1".parse().unwrap()),
        reason: None,
        bytes_sent: number,
        bytes_received: 0,
        duration_ms: 1,
    }
}

/// A closed log of several segments.
pub(crate) fn closed(dir: &Path, records: u64) {
    let mut log = Log::open(settings(dir), at(0)).unwrap();
    for number in 0..records {
        log.append(&record(number), at(1)).unwrap();
        if number % 3 == 2 {
            log.seal(at(2)).unwrap();
        }
    }
    log.close(at(3)).unwrap();
}

pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    paths
}

pub(crate) fn whole(dir: &Path) -> Report {
    verify(dir, &VerifyOptions::default()).unwrap()
}

//! The queue and its writer.

use crate::support::{closed, record, segments, settings, whole};
use lychgate_audit::{Audit, AuditSettings, LogSettings, Record, Shipper, VerifyOptions, read, verify};
use std::fs;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

#[test]
fn what_is_required_is_signed_when_it_is_told() {
    let dir = TempDir::new().unwrap();
    let log = LogSettings { max_bytes: u64::MAX, ..settings(dir.path()) };
    // Nothing is synced but what is waited for.
    let never = Duration::from_secs(3600);
    let audit =
        Arc::new(Audit::start(log, AuditSettings { required: true, sync: never, ..Default::default() }).unwrap());
    let threads: Vec<_> = (0..8_u64)
        .map(|number| {
            let audit = audit.clone();
            std::thread::spawn(move || (0..8).for_each(|of| audit.record(record(number * 8 + of)).unwrap()))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(audit.counts().written, 64);
    // As another process sees it, while it is written.
    let report = whole(dir.path());
    assert_eq!((report.records, report.unsigned), (64, 0));
    drop(audit);
    assert_eq!(whole(dir.path()).unfinished, []);
}

#[test]
fn nothing_waits_for_the_disk_and_what_is_dropped_is_in_the_log() {
    let dir = TempDir::new().unwrap();
    let log = LogSettings { max_bytes: u64::MAX, ..settings(dir.path()) };
    let audit = Audit::start(log, AuditSettings { queue: 1, ..Default::default() }).unwrap();
    // The writer is held by its own callback until the queue has overflowed.
    let (release, held) = channel::<()>();
    let (entered, inside) = channel();
    audit.submit(record(0), move |result| {
        result.unwrap();
        entered.send(()).unwrap();
        let _ = held.recv();
    });
    inside.recv().unwrap();
    for number in 1..=10 {
        audit.record(record(number)).unwrap();
    }
    assert_eq!(audit.counts().dropped, 9);
    // Who wants to know is told at once.
    let (told, hears) = channel();
    audit.submit(record(11), move |result| told.send(result.is_err()).unwrap());
    assert_eq!(hears.recv(), Ok(true));
    release.send(()).unwrap();
    drop(audit);
    let report = whole(dir.path());
    assert_eq!((report.records, report.dropped), (2, 9));
    let text = fs::read_to_string(&segments(dir.path())[0]).unwrap();
    assert!(text.contains(r#""kind":"dropped""#) && text.contains(r#""count":9"#), "{text}");
}

#[test]
fn records_are_read_back_as_they_were_written_and_those_of_older_logs_as_well() {
    let dir = TempDir::new().unwrap();
    closed(dir.path(), 5);
    let mut found = Vec::new();
    read(dir.path(), &VerifyOptions::default(), &mut |record| found.push(record)).unwrap();
    assert_eq!(found, (0..5).map(record).collect::<Vec<_>>());

    let old = r#"{"time":"2026-11-26T10:00:00.000Z","source":{"identity":null,"namespace":"shop","serviceAccount":null,"address":null},"destination":{"host":"a.example","address":null,"port":443},"serverName":null,"verdict":"Allow","mode":"Enforce","shadow":null,"rule":null,"reason":null,"bytesSent":1,"bytesReceived":2,"durationMs":3}"#;
    let old: Record = serde_json::from_str(old).unwrap();
    assert_eq!((old.gateway, old.protocol, old.http, old.destination.verified), (None, None, None, None));
}

#[test]
fn what_was_written_is_told_with_its_hash() {
    let dir = TempDir::new().unwrap();
    let log = LogSettings { max_bytes: u64::MAX, ..settings(dir.path()) };
    let (told, hears) = channel();
    let ship: Shipper = Box::new(move |record, seq, digest| told.send((record.clone(), seq, digest)).unwrap());
    let audit = Audit::start_and_ship(log, AuditSettings::default(), Some(ship)).unwrap();
    audit.record(record(1)).unwrap();
    audit.record(record(2)).unwrap();
    drop(audit);
    let heard: Vec<_> = hears.iter().collect();
    assert_eq!(
        heard.iter().map(|(record, seq, _)| (record.clone(), *seq)).collect::<Vec<_>>(),
        [(record(1), 1), (record(2), 2)]
    );
    for (_, _, digest) in heard {
        let options = VerifyOptions { contains: Some(digest), ..VerifyOptions::default() };
        verify(dir.path(), &options).unwrap();
    }
}

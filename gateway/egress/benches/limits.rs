//! What it takes to count what leaves: for one account and among many, alone and with two threads at once.
#![allow(missing_docs, reason = "what the macros make")]
#![allow(clippy::unwrap_used, reason = "what is written here can be read")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lychgate_egress::Source;
use lychgate_egress::limits::{Book, Key, Now, SharedAccount};
use lychgate_ir::egress::{EgressLimitScope, EgressLimits, EgressMode};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Barrier;
use std::time::{Duration, Instant};

const ACCOUNTS: [u32; 2] = [1, 10_000];

/// Numbers that nobody comes up against: to refuse is not what is measured.
const LIMITS: EgressLimits = EgressLimits {
    mode: EgressMode::Enforce,
    per: EgressLimitScope::Source,
    connections: Some(u32::MAX),
    requests_per_second: Some(u32::MAX),
    bytes_per_second: Some(1 << 50),
    bytes_per_day: Some(1 << 60),
};

fn now(since: Instant) -> Now {
    Now { elapsed: since.elapsed(), unix_seconds: 1_800_000_000 }
}

fn source(at: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + at))
}

/// Finds the account of a source, and counts a request and a connection of it.
fn leave(book: &Book, at: u32, since: Instant) -> SharedAccount {
    let limits = book.limits();
    let account = book.accounts().of(Key::of_source(&Source::Unknown, source(at)), &limits, now(since));
    {
        let mut account = account.lock().unwrap();
        account.request(&limits, now(since)).unwrap();
        account.open(&limits).unwrap();
    }
    account.lock().unwrap().close();
    account
}

/// Counts a piece of 16 KiB, as a connection carries it.
fn carry(book: &Book, account: &SharedAccount, since: Instant) -> Duration {
    let limits = book.limits();
    let piece = account.lock().unwrap().piece(&limits, now(since)).unwrap();
    account.lock().unwrap().carried(piece.min(16 << 10), &limits, now(since))
}

fn filled(count: u32, since: Instant) -> Book {
    let book = Book::new(LIMITS);
    (0..count).for_each(|at| drop(leave(&book, at, since)));
    assert_eq!(book.accounts().len(), count as usize);
    book
}

/// How long two threads take that do it so often each.
fn by_two(times: u64, once: impl Fn(u32) + Sync) -> Duration {
    let begin = Barrier::new(3);
    std::thread::scope(|scope| {
        let threads = [0, 1].map(|thread| {
            let (begin, once) = (&begin, &once);
            scope.spawn(move || {
                begin.wait();
                // Each goes its own way through them.
                (0..times).for_each(|at| once(u32::try_from(at % (1 << 20)).unwrap() * 2 + thread));
            })
        });
        begin.wait();
        let begun = Instant::now();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        begun.elapsed()
    })
}

fn leaves(criterion: &mut Criterion) {
    let since = Instant::now();
    let mut group = criterion.benchmark_group("limits");
    for count in ACCOUNTS {
        let book = filled(count, since);
        let mut at = 0;
        group.bench_function(BenchmarkId::new("request and connection", count), |bencher| {
            bencher.iter(|| {
                at = (at + 1) % count;
                leave(&book, black_box(at), since)
            });
        });
        group.bench_function(BenchmarkId::new("request and connection, two threads", count), |bencher| {
            bencher.iter_custom(|times| by_two(times, |at| drop(leave(&book, black_box(at % count), since))));
        });
        let accounts: Vec<_> = (0..count).map(|at| leave(&book, at, since)).collect();
        let of = |at: u32| &accounts[at as usize % accounts.len()];
        group.bench_function(BenchmarkId::new("piece", count), |bencher| {
            bencher.iter(|| {
                at = (at + 1) % count;
                carry(&book, of(black_box(at)), since)
            });
        });
        group.bench_function(BenchmarkId::new("piece, two threads", count), |bencher| {
            bencher.iter_custom(|times| {
                by_two(times, |at| {
                    black_box(carry(&book, of(at), since));
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, leaves);
criterion_main!(benches);

use super::super::{BrokenOff, Counts, relay};
use lychgate_telemetry::Direction;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// More than all buffers between two ends hold.
const MUCH: usize = 16 << 20;

#[derive(Default)]
struct Tally {
    up: AtomicU64,
    down: AtomicU64,
}

impl Counts for Tally {
    fn carried(&self, direction: Direction, bytes: u64) {
        match direction {
            Direction::Up => self.up.fetch_add(bytes, Ordering::Relaxed),
            Direction::Down => self.down.fetch_add(bytes, Ordering::Relaxed),
        };
    }
}

/// A socket and its other end.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (one, listener.accept().await.unwrap().0)
}

struct Carried {
    client: TcpStream,
    upstream: TcpStream,
    tally: Arc<Tally>,
    relay: JoinHandle<Result<(), BrokenOff>>,
}

async fn carried(idle: Duration) -> Carried {
    let ((client, ours), (theirs, upstream)) = (pair().await, pair().await);
    let tally = Arc::<Tally>::default();
    let counts = tally.clone();
    let relay = tokio::spawn(async move { relay(ours, theirs, idle, &*counts).await });
    Carried { client, upstream, tally, relay }
}

/// No two pieces of it are the same.
fn numbers(bytes: usize) -> Vec<u8> {
    (0..bytes as u64 / 8).flat_map(u64::to_be_bytes).collect()
}

#[tokio::test]
async fn much_goes_both_ways_at_once_and_little_after_it() {
    let Carried { client, upstream, tally, relay } = carried(Duration::from_secs(60)).await;
    let much = Arc::new(numbers(MUCH));
    let talks = |stream: TcpStream, last: &'static [u8]| {
        let much = much.clone();
        tokio::spawn(async move {
            let (mut from, mut to) = stream.into_split();
            let heard = tokio::spawn(async move {
                let mut heard = Vec::new();
                from.read_to_end(&mut heard).await.unwrap();
                heard
            });
            to.write_all(&much).await.unwrap();
            to.write_all(last).await.unwrap();
            to.shutdown().await.unwrap();
            heard.await.unwrap()
        })
    };
    let (asks, answers) = (talks(client, b"?"), talks(upstream, b"!!"));
    let (answer, question) = (asks.await.unwrap(), answers.await.unwrap());
    relay.await.unwrap().unwrap();
    assert!(question == [&much[..], b"?"].concat(), "{} bytes went up", question.len());
    assert!(answer == [&much[..], b"!!"].concat(), "{} bytes came down", answer.len());
    let counted = [&tally.up, &tally.down].map(|counter| counter.load(Ordering::Relaxed) as usize);
    assert_eq!(counted, [MUCH + 1, MUCH + 2]);
}

#[tokio::test]
async fn a_half_that_ends_after_much_leaves_the_other_open() {
    let Carried { mut client, mut upstream, relay, .. } = carried(Duration::from_secs(60)).await;
    let much = numbers(MUCH);
    let sending = tokio::spawn(async move {
        client.write_all(&much).await.unwrap();
        client.shutdown().await.unwrap();
        client
    });
    let mut question = Vec::new();
    upstream.read_to_end(&mut question).await.unwrap();
    assert_eq!(question.len(), MUCH);
    upstream.write_all(b"answer").await.unwrap();
    drop(upstream);
    let mut answer = String::new();
    sending.await.unwrap().read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
    relay.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_leaves_in_the_middle_is_known() {
    for (who, gone) in [(Direction::Up, true), (Direction::Down, false)] {
        let Carried { client, upstream, relay, .. } = carried(Duration::from_secs(60)).await;
        let (leaver, stayer) = if gone { (client, upstream) } else { (upstream, client) };
        let (_from, mut to) = stayer.into_split();
        let sending = tokio::spawn(async move { to.write_all(&numbers(MUCH)).await });
        let mut leaver = leaver;
        leaver.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
        // With something unread: a reset.
        drop(leaver);
        let broken = relay.await.unwrap().unwrap_err();
        assert!(matches!(&broken, BrokenOff::By(by, _) if *by == who), "{broken:?}, and it was {who:?}");
        assert!(sending.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn silence_after_much_ends_it() {
    let Carried { mut client, mut upstream, relay, .. } = carried(Duration::from_millis(200)).await;
    let much = numbers(1 << 20);
    let sending = tokio::spawn(async move {
        client.write_all(&much).await.unwrap();
        client
    });
    upstream.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
    let _client = sending.await.unwrap();
    assert!(matches!(relay.await.unwrap(), Err(BrokenOff::Silent)));
}

use super::super::{BrokenOff, Counts, relay};
use lychgate_telemetry::Direction;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// More than all buffers between two ends hold.
const MUCH: usize = 16 << 20;

#[derive(Default)]
struct Tally {
    up: AtomicU64,
    down: AtomicU64,
    /// Of both.
    spliced: AtomicU64,
}

impl Counts for Tally {
    fn carried(&self, direction: Direction, bytes: u64) {
        match direction {
            Direction::Up => self.up.fetch_add(bytes, Ordering::Relaxed),
            Direction::Down => self.down.fetch_add(bytes, Ordering::Relaxed),
        };
    }

    fn spliced(&self, _: Direction, bytes: u64) {
        self.spliced.fetch_add(bytes, Ordering::Relaxed);
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
    // All but what came before a buffer was full.
    let spliced = tally.spliced.load(Ordering::Relaxed) as usize;
    assert!(spliced > MUCH, "{spliced} of {} bytes never left the kernel", 2 * MUCH);
}

#[tokio::test]
async fn what_little_is_said_is_copied() {
    let Carried { mut client, mut upstream, tally, relay } = carried(Duration::from_secs(60)).await;
    for _ in 0..100 {
        client.write_all(b"question").await.unwrap();
        upstream.read_exact(&mut [0; 8]).await.unwrap();
        upstream.write_all(b"answer").await.unwrap();
        client.read_exact(&mut [0; 6]).await.unwrap();
    }
    drop((client, upstream));
    relay.await.unwrap().unwrap();
    assert_eq!(tally.spliced.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_is_urgent_is_left_out_and_nothing_else_is() {
    let Carried { mut client, upstream, tally, relay } = carried(Duration::from_secs(60)).await;
    let much = numbers(MUCH);
    let (mut from, mut to) = upstream.into_split();
    let hears = tokio::spawn(async move {
        let mut heard = vec![0; MUCH];
        from.read_exact(&mut heard).await.unwrap();
        (heard, from)
    });
    client.write_all(&much).await.unwrap();
    let (heard, mut from) = hears.await.unwrap();
    assert!(heard == much);
    let before = tally.spliced.load(Ordering::Relaxed);
    assert!(before > 0);
    // A mark with nothing behind it, one with something, one after which it goes on as before, and one at the end.
    let urgent = |client: &TcpStream| {
        let sent = socket2::SockRef::from(client).send_out_of_band(b"!").unwrap();
        assert_eq!(sent, 1);
    };
    let mut bytes = [0; 5];
    urgent(&client);
    to.write_all(b"go on").await.unwrap();
    client.read_exact(&mut bytes).await.unwrap();
    client.write_all(b"first").await.unwrap();
    from.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"first");
    let hears = tokio::spawn(async move {
        let mut rest = Vec::new();
        from.read_to_end(&mut rest).await.unwrap();
        (rest, from)
    });
    client.write_all(b"some").await.unwrap();
    urgent(&client);
    client.write_all(&much).await.unwrap();
    urgent(&client);
    client.shutdown().await.unwrap();
    let (rest, from) = hears.await.unwrap();
    assert!(rest == [b"some", &much[..]].concat(), "{} bytes", rest.len());
    assert!(tally.spliced.load(Ordering::Relaxed) > before, "it goes on as before");
    drop((client, from, to));
    relay.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_comes_behind_a_mark_is_not_lost_when_the_end_is_there_already() {
    let ((mut client, ours), (theirs, mut upstream)) = (pair().await, pair().await);
    // More than is copied before it goes through a pipe.
    let much = numbers(24 << 10);
    client.write_all(&much).await.unwrap();
    assert_eq!(socket2::SockRef::from(&client).send_out_of_band(b"!").unwrap(), 1);
    client.write_all(b"rest").await.unwrap();
    client.shutdown().await.unwrap();
    // All of it is there before anybody looks.
    while !ours.ready(Interest::READABLE).await.unwrap().is_read_closed() {
        tokio::task::yield_now().await;
    }
    let tally = Arc::<Tally>::default();
    let counts = tally.clone();
    let relay = tokio::spawn(async move { relay(ours, theirs, Duration::from_secs(60), &*counts).await });
    let mut heard = Vec::new();
    upstream.read_to_end(&mut heard).await.unwrap();
    assert!(heard == [&much[..], b"rest"].concat(), "{} bytes", heard.len());
    assert!(tally.spliced.load(Ordering::Relaxed) > 0);
    drop((client, upstream));
    relay.await.unwrap().unwrap();
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

//! Floods of HTTP/2: frames that cost us more than the client.

use super::{bed, speaking};
use crate::support::{alone, eventually};
use lychgate_testkit::{Dial, RawConnection};
use std::time::Duration;

/// Frames as they are sent (RFC 9113 section 4.1).
pub(super) struct Frames;

impl Frames {
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// The preface, and SETTINGS with nothing in them.
    pub(super) fn hello() -> Vec<u8> {
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), Self::frame(0x4, 0, 0, &[])].concat()
    }

    /// The same, and windows of nothing.
    fn hello_without_window() -> Vec<u8> {
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), Self::frame(0x4, 0, 0, &[0, 4, 0, 0, 0, 0])].concat()
    }

    /// `GET /` of `http://a`, in HPACK's static table and one literal (RFC 7541).
    fn head(path: &str) -> Vec<u8> {
        let mut head = vec![0x82, 0x86, 0x41, 1, b'a', 0x44, u8::try_from(path.len()).unwrap()];
        head.extend_from_slice(path.as_bytes());
        head
    }

    pub(super) fn get(stream: u32) -> Vec<u8> {
        Self::frame(0x1, 0x5, stream, &Self::head("/"))
    }

    /// The error that a GOAWAY among the frames has.
    pub(super) fn goaway(mut bytes: &[u8]) -> Option<u32> {
        let mut error = None;
        while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
            let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            let payload = rest.get(..length)?;
            if *kind == 0x7 {
                error = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
            bytes = &rest[length..];
        }
        error
    }
}

const CALM_DOWN: u32 = 0xb;

#[tokio::test]
async fn a_flood_ends_its_connection_and_no_other() {
    let bed = bed(|_| {}).await;
    let mut other = Dial::h2c(bed.at).connect("a.example").await.unwrap();
    let reset = |stream| [Frames::get(stream), Frames::frame(0x3, 0, stream, &[0, 0, 0, 8])].concat();
    let resets: Vec<Vec<u8>> = (0..2000).map(|n| reset(n * 2 + 1)).collect();
    let again = |frame: Vec<u8>, count: usize| vec![frame; count];
    let mut continuations = vec![Frames::frame(0x1, 0, 1, &Frames::head("/"))];
    continuations.extend(again(Frames::frame(0x9, 0, 1, &[0x40, 1, b'x', 1, b'y']), 100));
    let mut empty = vec![Frames::frame(0x1, 0x4, 1, &Frames::head("/"))];
    empty.extend(again(Frames::frame(0x0, 0, 1, &[]), 1000));
    let floods = [
        ("http2_resets", resets),
        ("http2_continuations", continuations),
        ("http2_pings", again(Frames::frame(0x6, 0, 0, &[0; 8]), 2000)),
        ("http2_settings", again(Frames::frame(0x4, 0, 0, &[]), 2000)),
        ("http2_empty_frames", empty),
        ("http2_window_updates", again(Frames::frame(0x8, 0, 0, &[0, 0, 0, 1]), 5000)),
        ("http2_other_frames", again(Frames::frame(0x2, 0, 1, &[0, 0, 0, 0, 1]), 5000)),
    ];
    for (reason, frames) in floods {
        let mut flood = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
        flood.send(Frames::hello()).await.unwrap();
        for some in frames.chunks(50) {
            // It may have been ended by now.
            if flood.send(some.concat()).await.is_err() {
                break;
            }
        }
        let (bytes, _) = flood.to_end().await.unwrap();
        // Where our last word crosses what the client still sends, the system may take it away.
        assert!(matches!(Frames::goaway(&bytes), Some(CALM_DOWN) | None), "{reason}: {bytes:?}");
        assert_eq!(bed.refused(reason).await, 1, "{reason}");
        assert_eq!(other.get("http://a.example/").await.unwrap().status, 200, "{reason}");
    }
}

#[tokio::test]
async fn a_client_that_is_told_to_calm_down_gets_to_hear_it() {
    let bed = bed(|_| {}).await;
    let mut flood = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    flood.send(Frames::hello()).await.unwrap();
    // Exactly as many as it takes, so that nothing is left unread.
    flood.send(Frames::frame(0x1, 0, 1, &Frames::head("/"))).await.unwrap();
    for _ in 0..33 {
        flood.send(Frames::frame(0x9, 0, 1, &[0x40, 1, b'x', 1, b'y'])).await.unwrap();
    }
    let (bytes, _) = flood.to_end().await.unwrap();
    assert_eq!(Frames::goaway(&bytes), Some(CALM_DOWN), "{bytes:?}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_not_waited_for_forever() {
    let bed = bed(|options| options.limits.client_idle = Duration::from_millis(300)).await;
    let mut stalled = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    stalled.send(Frames::hello_without_window()).await.unwrap();
    for stream in [1, 3, 5] {
        stalled.send(Frames::frame(0x1, 0x5, stream, &Frames::head("/?size=100000"))).await.unwrap();
    }
    eventually("the streams are given up", async || bed.refused("slow_reader").await == 3).await;
    assert!(bed.serves().await);
}

#[tokio::test]
async fn clients_that_take_nothing_are_given_up_at_once_when_much_waits() {
    let bed = bed(|options| options.limits.responses_backlog = 1 << 20).await;
    let mut stalled = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    stalled.send(Frames::hello_without_window()).await.unwrap();
    for stream in 0..50 {
        stalled.send(Frames::frame(0x1, 0x5, stream * 2 + 1, &Frames::head("/?size=10000000"))).await.unwrap();
    }
    // Long before they have been idle for too long.
    eventually("most are given up", async || bed.refused("slow_reader").await > 20).await;
    // Who takes what it gets is served meanwhile.
    for dial in [Dial::http1(bed.at), Dial::h2c(bed.at)] {
        assert_eq!(dial.get("http://a.example/?size=10000000").await.unwrap().body.len(), 10_000_000);
    }
}

#[tokio::test]
async fn however_many_responses_wait_they_take_no_more_than_the_limit_and_a_small_piece_each() {
    const LIMIT: usize = 1 << 20;
    const STREAMS: usize = 200;
    for protocol in [None, Some("kubernetes.io/h2c")] {
        let bed = speaking(protocol, |options| options.limits.responses_backlog = LIMIT).await;
        let mut stalled = Vec::new();
        for _ in 0..STREAMS / 100 {
            let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
            connection.send(Frames::hello_without_window()).await.unwrap();
            for stream in 0..100 {
                connection
                    .send(Frames::frame(0x1, 0x5, stream * 2 + 1, &Frames::head("/?size=10000000")))
                    .await
                    .unwrap();
            }
            stalled.push(connection);
        }
        eventually("all of the limit waits", async || bed.waiting().await >= LIMIT).await;
        // Until they are given up, which begins a second later.
        while bed.refused("slow_reader").await == 0 {
            let waiting = bed.waiting().await;
            // Who read a whole piece just when the last of the limit went has that.
            assert!(waiting <= LIMIT + STREAMS * (16 << 10) + (1 << 20), "{protocol:?}: {waiting}");
        }
        drop(stalled);
        eventually("nothing waits any more", async || bed.waiting().await == 0).await;
        assert!(bed.serves().await);
    }
}

#[tokio::test]
async fn streams_that_nobody_takes_do_not_hold_up_others_on_the_same_connection_to_a_backend() {
    let bed = speaking(Some("kubernetes.io/h2c"), alone).await;
    let mut stalled = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    stalled.send(Frames::hello_without_window()).await.unwrap();
    // One after the other, so that all share the connection of the first.
    for stream in 0..90 {
        stalled.send(Frames::frame(0x1, 0x5, stream * 2 + 1, &Frames::head("/?size=10000000"))).await.unwrap();
        bed.it.wait_for(|counts| counts.requests == u64::from(stream) + 1).await;
    }
    // As far as they come.
    let mut before = 0;
    eventually("nothing more comes", async || {
        let now = bed.waiting().await;
        now > 0 && std::mem::replace(&mut before, now) == now
    })
    .await;
    let reply = Dial::http1(bed.at).get("http://a.example/?size=1000000").await.unwrap();
    assert_eq!((reply.body.len(), bed.it.counts().connections), (1_000_000, 1));
}

#[tokio::test]
async fn a_connection_has_so_many_streams_and_no_more() {
    let bed = bed(|options| options.limits.streams = 10).await;
    let mut many = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    many.send(Frames::hello()).await.unwrap();
    for stream in 0..20 {
        many.send(Frames::frame(0x1, 0x5, stream * 2 + 1, &Frames::head("/?hold=streams"))).await.unwrap();
    }
    bed.it.wait_held("streams", 10).await;
    assert!(bed.serves().await);
    assert_eq!(bed.it.held("streams"), 10);
    bed.it.release("streams");
}

#[tokio::test]
async fn a_busy_client_is_no_flood() {
    let bed = bed(|_| {}).await;
    let connection = Dial::h2c(bed.at).connect("a.example").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut connection = connection.multiplexed().unwrap();
        tasks.spawn(async move {
            for n in 0..100 {
                if n % 10 == 0 {
                    // Given up after its head, as browsers do.
                    let request = http::Request::get("http://a.example/?size=1000000").body(()).unwrap();
                    drop(connection.begin(request).await.unwrap());
                } else {
                    assert_eq!(connection.get("http://a.example/?size=20000").await.unwrap().status, 200);
                }
            }
        });
    }
    tasks.join_all().await;
}

//! The attacks. Each is a script that one connection follows again and again, on so many connections at once.

use crate::frames::{frame, get, head, hello, reset};
use crate::gate::{Gate, LARGE};
use crate::handshake::client_hello;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// An attack.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    target: Target,
    /// Connections at once.
    connections: usize,
    /// The pause between two pieces on a connection, and before it is opened anew.
    pause: Duration,
    script: Script,
}

/// Which listener is attacked.
#[derive(Clone, Copy)]
enum Target {
    Http,
    Https,
}

/// What a connection sends: once when it is open, and then again and again, by the count of the piece.
struct Script {
    first: fn() -> Vec<u8>,
    again: fn(u32) -> Vec<u8>,
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn nothing() -> Vec<u8> {
    Vec::new()
}

/// Pieces of this size go out at once.
fn many(count: u32, piece: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(piece).collect()
}

const SLOW_HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\nX: ";
const BODY: &[u8] = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\n";
const AMBIGUOUS: &[u8] =
    b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Asks for 100 of them.
fn large_responses() -> Vec<u8> {
    let path = format!("{LARGE}?size=1000000");
    many(100, |each| get(each * 2 + 1, &path))
}

/// All attacks.
pub(crate) const ALL: &[Attack] = &[
    Attack {
        name: "connections without a request",
        target: Target::Http,
        connections: 2000,
        pause: millis(1000),
        script: Script { first: nothing, again: |_| Vec::new() },
    },
    Attack {
        name: "connections opened and closed",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script { first: nothing, again: |_| b"x".to_vec() },
    },
    Attack {
        name: "slow heads",
        target: Target::Http,
        connections: 2000,
        pause: millis(1000),
        script: Script { first: || SLOW_HEAD.to_vec(), again: |_| b"x".to_vec() },
    },
    Attack {
        name: "slow bodies",
        target: Target::Http,
        connections: 1000,
        pause: millis(1000),
        script: Script { first: || BODY.to_vec(), again: |_| b"x".to_vec() },
    },
    Attack {
        name: "huge heads",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script { first: || SLOW_HEAD.to_vec(), again: |_| vec![b'x'; 16_384] },
    },
    Attack {
        name: "ambiguous framing",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script { first: || AMBIGUOUS.to_vec(), again: |_| AMBIGUOUS.to_vec() },
    },
    Attack {
        name: "bad chunks",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script { first: || CHUNKED.to_vec(), again: |_| b"0x1\r\na\r\n".to_vec() },
    },
    Attack {
        name: "slow TLS handshakes",
        target: Target::Https,
        connections: 2000,
        pause: millis(1000),
        // Its first half, and then a byte a second.
        script: Script {
            first: || {
                let mut begun = client_hello();
                begun.truncate(begun.len() / 2);
                begun
            },
            again: |_| vec![0],
        },
    },
    Attack {
        name: "TLS handshakes broken off",
        target: Target::Https,
        connections: 20,
        pause: millis(20),
        // The server has signed by now, and gets what is no record.
        script: Script { first: client_hello, again: |_| vec![0xff; 64] },
    },
    Attack {
        name: "HTTP/2 rapid reset",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script {
            first: || hello(&[]),
            again: |n| many(50, |each| [get((n * 50 + each) * 2 + 1, "/"), reset((n * 50 + each) * 2 + 1)].concat()),
        },
    },
    Attack {
        name: "HTTP/2 CONTINUATION flood",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script {
            first: || [hello(&[]), frame(0x1, 0, 1, &head("/"))].concat(),
            again: |_| many(50, |_| frame(0x9, 0, 1, &[0x40, 1, b'x', 1, b'y'])),
        },
    },
    Attack {
        name: "HTTP/2 PING flood",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script { first: || hello(&[]), again: |_| many(100, |_| frame(0x6, 0, 0, &[0; 8])) },
    },
    Attack {
        name: "HTTP/2 SETTINGS flood",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script { first: || hello(&[]), again: |_| many(100, |_| frame(0x4, 0, 0, &[])) },
    },
    Attack {
        name: "HTTP/2 empty frames",
        target: Target::Http,
        connections: 20,
        pause: millis(20),
        script: Script {
            first: || [hello(&[]), frame(0x1, 0x4, 1, &head("/"))].concat(),
            again: |_| many(100, |_| frame(0x0, 0, 1, &[])),
        },
    },
    Attack {
        name: "HTTP/2 zero windows",
        target: Target::Http,
        connections: 20,
        pause: millis(1000),
        // A window of nothing, and 100 large responses that nobody takes.
        script: Script { first: || [hello(&[0, 4, 0, 0, 0, 0]), large_responses()].concat(), again: |_| Vec::new() },
    },
    Attack {
        name: "no attack: the same responses, taken",
        target: Target::Http,
        connections: 20,
        pause: millis(1000),
        // The largest windows that there are (RFC 9113 section 6.9.1): what it costs others that so much is asked for at all.
        script: Script {
            first: || {
                let window = frame(0x8, 0, 0, &(i32::MAX - 0xffff).to_be_bytes());
                [hello(&[0, 4, 0x7f, 0xff, 0xff, 0xff]), window, large_responses()].concat()
            },
            again: |_| Vec::new(),
        },
    },
];

/// What an attack did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) connections: u64,
    pub(crate) bytes: u64,
}

impl Attack {
    /// Runs for so long.
    pub(crate) async fn run(&self, gate: &Gate, lasting: Duration) -> Done {
        let at = match self.target {
            Target::Http => gate.at,
            Target::Https => gate.https,
        };
        let end = Instant::now() + lasting;
        let mut tasks = JoinSet::new();
        for number in 0..self.connections {
            let Self { name: _, target: _, connections, pause, script: Script { first, again } } = *self;
            tasks.spawn(async move {
                // Not all in one moment: the pauses are spread.
                let offset = pause.mul_f64(number as f64 / connections as f64);
                sleep(offset).await;
                let mut done = Done::default();
                while Instant::now() < end {
                    done.connections += 1;
                    // Being thrown out is what is expected.
                    let _ = timeout_at(end, follow(at, pause, first, again, &mut done.bytes)).await;
                    let _ = timeout_at(end, sleep(pause)).await;
                }
                done
            });
        }
        let mut all = Done::default();
        for Done { connections, bytes } in tasks.join_all().await {
            all.connections += connections;
            all.bytes += bytes;
        }
        all
    }
}

/// One connection, until the other side ends it.
async fn follow(
    at: SocketAddr,
    pause: Duration,
    first: fn() -> Vec<u8>,
    again: fn(u32) -> Vec<u8>,
    sent: &mut u64,
) -> std::io::Result<()> {
    let mut tcp = TcpStream::connect(at).await?;
    let piece = first();
    tcp.write_all(&piece).await?;
    *sent += piece.len() as u64;
    let (mut from, mut to) = tcp.split();
    let sending = async {
        for count in 0.. {
            sleep(pause).await;
            let piece = again(count);
            to.write_all(&piece).await?;
            *sent += piece.len() as u64;
        }
        std::io::Result::Ok(())
    };
    let reading = async {
        let mut answer = [0; 4096];
        while from.read(&mut answer).await? > 0 {}
        std::io::Result::Ok(())
    };
    tokio::select! {
        ended = sending => ended,
        ended = reading => ended,
    }
}

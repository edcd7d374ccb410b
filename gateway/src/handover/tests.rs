//! Both sides with each other, and each with one that does not keep to what was agreed on.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::message::{MAX_FRAME, Message};
use super::*;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("handover");
    (dir, path)
}

fn tcp() -> (Name, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    (Name::Tcp { address: Some(at.ip()), port: at.port() }, listener)
}

fn udp() -> (Name, UdpSocket) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    (Name::Udp { address: Some(at.ip()), port: at.port() }, socket)
}

/// Opens a desk; those who ask come out.
fn desk(path: &Path) -> (tokio::task::JoinSet<()>, mpsc::Receiver<Asked>) {
    let (ask, asked) = mpsc::channel(1);
    let mut desk = Desk::prepare(path).unwrap();
    desk.open();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(desk.serve(ask));
    (tasks, asked)
}

/// The process that serves, played by a test: it answers hello with this.
async fn answering(path: &Path, answer: Message, sockets: &[BorrowedFd<'_>]) -> Result<Option<Taken>, HandoverError> {
    let listener = UnixListener::bind(path).unwrap();
    let serve = async {
        let mut line = line::Line::new(listener.accept().await.unwrap().0);
        assert!(matches!(line.hear(SHORTLY).await.unwrap(), Message::Hello { .. }));
        line.say(&answer, SHORTLY).await.unwrap();
        line.pass(sockets, SHORTLY).await.unwrap();
        line
    };
    let (_line, taken) = tokio::join!(serve, take(path));
    taken
}

fn nonsense(taken: Result<Option<Taken>, HandoverError>) -> String {
    match taken {
        Err(HandoverError::Nonsense(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sockets_change_hands() {
    let (_dir, path) = place();
    let (_desk, mut asked) = desk(&path);
    let ((tcp, listener), (udp, socket)) = (tcp(), udp());
    let give = async {
        let mut asked = asked.recv().await.unwrap();
        assert_eq!(asked.pid, Some(i32::try_from(std::process::id()).unwrap()));
        asked.offer(&[(tcp, listener.as_fd()), (udp, socket.as_fd()), (Name::Admin, listener.as_fd())]).await.unwrap();
        assert_eq!(asked.ready().await.unwrap(), [tcp, Name::Admin]);
        asked.yours().await.unwrap();
    };
    let took = async {
        let taken = take(&path).await.unwrap().unwrap();
        let at: Vec<_> = taken.sockets.iter().map(|(name, socket)| (*name, socket.local_addr().unwrap())).collect();
        let local = listener.local_addr().unwrap().into();
        assert_eq!(
            at,
            [
                (Name::Admin, local),
                (tcp, listener.local_addr().unwrap().into()),
                (udp, socket.local_addr().unwrap().into())
            ]
        );
        taken.ready(vec![tcp, Name::Admin]).await.unwrap().say().await;
    };
    tokio::join!(give, took);
}

#[tokio::test]
async fn one_at_a_time() {
    let (_dir, path) = place();
    let (_desk, mut asked) = desk(&path);
    let first = tokio::spawn({
        let path = path.clone();
        async move { take(&path).await }
    });
    let first_asked = asked.recv().await.unwrap();
    assert!(matches!(take(&path).await, Err(HandoverError::Refused(why)) if why.contains("just taking over")));
    first_asked.refuse("not today".into()).await;
    assert!(matches!(first.await.unwrap(), Err(HandoverError::Refused(why)) if why == "not today"));
    // The next has its turn.
    let (taken, ()) = tokio::join!(take(&path), async {
        asked.recv().await.unwrap().offer(&[]).await.unwrap();
    });
    assert!(taken.unwrap().unwrap().sockets.is_empty());
    // More than there may be are not passed in part.
    let (name, socket) = tcp();
    let (taken, ()) = tokio::join!(take(&path), async {
        let too_many = vec![(name, socket.as_fd()); message::MAX_SOCKETS + 1];
        assert!(asked.recv().await.unwrap().offer(&too_many).await.is_err());
    });
    assert!(matches!(taken, Err(HandoverError::Refused(why)) if why.contains("4097")));
}

#[tokio::test]
async fn other_versions_refuse_each_other() {
    let (_dir, path) = place();
    let (_desk, mut asked) = desk(&path);
    let mut newer = line::Line::new(UnixStream::connect(&path).await.unwrap());
    newer.say(&Message::Hello { versions: vec![7, 8], program: "lychgate 9".into() }, SHORTLY).await.unwrap();
    let heard = newer.hear(SHORTLY).await.unwrap();
    assert!(matches!(&heard, Message::Refused { why } if why.contains("[1]") && why.contains("[7, 8]")), "{heard:?}");
    // One that speaks several is understood.
    let mut both = line::Line::new(UnixStream::connect(&path).await.unwrap());
    both.say(&Message::Hello { versions: vec![2, 1], program: "lychgate 2".into() }, SHORTLY).await.unwrap();
    asked.recv().await.unwrap().offer(&[]).await.unwrap();
    assert_eq!(both.hear(SHORTLY).await.unwrap(), Message::Offer { version: 1, sockets: vec![] });

    let (_dir, path) = place();
    assert!(
        nonsense(answering(&path, Message::Offer { version: 2, sockets: vec![] }, &[]).await).contains("version 2")
    );
}

#[tokio::test]
async fn whoever_makes_no_sense_is_not_talked_to() {
    let (_dir, path) = place();
    let (_desk, mut asked) = desk(&path);
    let mut long = vec![0, 255, 255, 255];
    long.resize(4 + MAX_FRAME, b'x');
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\x02{}", &long, b"\0\0\0\x0f{\"say\":\"ready\"}", b"\0\0"] {
        let stream = UnixStream::connect(&path).await.unwrap();
        let (mut hears, mut says) = stream.into_split();
        // It may be hung up on before all is said.
        let _ = says.write_all(bytes).await;
        drop(says);
        let mut heard = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut hears, &mut heard).await;
        assert_eq!(heard, b"", "{bytes:?}");
    }
    assert!(asked.try_recv().is_err());
    let taken = tokio::join!(take(&path), async { asked.recv().await.unwrap().offer(&[]).await.unwrap() }).0;
    assert!(taken.unwrap().is_some(), "others are");
}

#[tokio::test]
async fn an_offer_is_what_it_says() {
    let offer = |sockets| Message::Offer { version: 1, sockets };
    let ((name, listener), (udp, socket)) = (tcp(), udp());
    let (tcp_fd, udp_fd) = (listener.as_fd(), socket.as_fd());
    let connecting = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    connecting.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let bound = connecting.local_addr().unwrap().as_socket().unwrap();
    let silent = Name::Tcp { address: Some(bound.ip()), port: bound.port() };
    let other_port = Name::Tcp { address: Some([127, 0, 0, 1].into()), port: 1 };
    let any = Name::Udp { address: None, port: socket.local_addr().unwrap().port() };
    let file = std::fs::File::open("/dev/null").unwrap();
    let cases: Vec<(Vec<Name>, Vec<BorrowedFd<'_>>, &str)> = vec![
        (vec![name, udp], vec![udp_fd, tcp_fd], "another kind"),
        (vec![other_port], vec![tcp_fd], "is bound to"),
        (vec![any], vec![udp_fd], "is bound to"),
        (vec![silent], vec![connecting.as_fd()], "another kind"),
        (vec![Name::Admin], vec![udp_fd], "another kind"),
        (vec![Name::Admin], vec![file.as_fd()], "is no socket"),
        (vec![name, name], vec![tcp_fd, tcp_fd], "twice"),
        (vec![name], vec![tcp_fd, udp_fd], "2 sockets instead of 1"),
    ];
    for (names, sockets, what) in cases {
        let (_dir, path) = place();
        let why = nonsense(answering(&path, offer(names), &sockets).await);
        assert!(why.contains(what), "{what}: {why}");
    }
    let (_dir, path) = place();
    assert!(nonsense(answering(&path, offer(vec![name; message::MAX_SOCKETS + 1]), &[]).await).contains("4097"));
    let (_dir, path) = place();
    assert!(nonsense(answering(&path, Message::Yours, &[]).await).contains("instead of an offer"));
}

#[tokio::test]
async fn one_that_dies_leaves_the_other_serving() {
    // Before it has passed anything: whoever asks opens its own sockets.
    let (_dir, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let (taken, ()) = tokio::join!(take(&path), async {
        drop(listener.accept().await.unwrap());
        drop(listener);
    });
    assert!(taken.unwrap().is_none());

    // After it has: they are ours.
    let (_dir, path) = place();
    let (_desk, mut asked) = desk(&path);
    let (name, socket) = tcp();
    let (taken, mut asker) = tokio::join!(take(&path), async {
        let mut asker = asked.recv().await.unwrap();
        asker.offer(&[(name, socket.as_fd())]).await.unwrap();
        asker
    });
    let taken = taken.unwrap().unwrap();
    let (serving, ()) = tokio::join!(taken.ready(vec![name]), async {
        asker.ready().await.unwrap();
        drop(asker);
    });
    serving.unwrap().say().await;

    // Whoever asked: nothing has happened.
    for is_ready in [false, true] {
        let (taken, mut asker) = tokio::join!(take(&path), async {
            let mut asker = asked.recv().await.unwrap();
            asker.offer(&[(name, socket.as_fd())]).await.unwrap();
            asker
        });
        let taken = taken.unwrap().unwrap();
        if is_ready {
            let (_, ready) = tokio::join!(async { drop(taken.ready(vec![name]).await.unwrap()) }, async {
                asker.ready().await.unwrap();
                asker.yours().await
            });
            assert!(matches!(ready, Err(LineError::Gone)));
        } else {
            drop(taken);
            assert!(matches!(asker.ready().await, Err(LineError::Gone)));
        }
    }
}

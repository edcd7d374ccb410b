//! Connections that lead nowhere.

use crate::control::{Control, group, soon};
use crate::support::{Plane, endpoints, snapshot};
use lychgate_feed::client::{Options, Pace};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Leads every other connection to where the control plane is, beginning with the second. The others are accepted, and never
/// answered: they are handed out.
async fn half(to: SocketAddr) -> (SocketAddr, mpsc::Receiver<TcpStream>, JoinSet<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (swallow, swallowed) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut carried = JoinSet::new();
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            if number % 2 == 0 {
                swallow.send(stream).await.unwrap();
                continue;
            }
            carried.spawn(async move {
                let mut control = TcpStream::connect(to).await.unwrap();
                // It ends when one of them does.
                let _ = copy_bidirectional(&mut stream, &mut control).await;
            });
        }
    });
    (address, swallowed, tasks)
}

#[tokio::test]
async fn silence_is_not_waited_for() {
    let control = Control::start().await;
    control.feed.publish(&group(), &snapshot(&["a"]), &endpoints(&[]));
    let (address, mut swallowed, _tasks) = half(control.address).await;
    let options = control.options("one");
    // Who waits for a connection that leads nowhere waits for longer than this test.
    let pace = Pace { patience: Duration::from_secs(3600), ..options.pace };
    let options = Options { control: format!("https://{address}").parse().unwrap(), pace, ..options };
    let plane = Plane::start(options).await;
    plane.config(|config| config.snapshot == snapshot(&["a"])).await;
    assert_eq!(plane.client.link().borrow().certificates, 1, "what was slow was not counted as a failure");
    // One in enrolling, one for the stream. What lost is given up.
    for _ in 0..2 {
        let mut stream = soon(swallowed.recv()).await.unwrap();
        let mut greeting = Vec::new();
        soon(stream.read_to_end(&mut greeting)).await.unwrap();
        assert!(!greeting.is_empty(), "it has begun with TLS");
    }
}

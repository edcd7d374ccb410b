//! `lychgate run --handover PATH`: one process takes over from another, and nobody notices.

use crate::support::{PATIENCE, Running, dir, free_ports, get, lychgate, run, text, until};
use crate::yaml::{backed, gateway, route, stream_route};
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_testkit::{Authority, ClientTls, Dial, RawConnection, WebSocket, free_udp_addr};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::task::{JoinHandle, block_in_place};

fn loopback(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// A directory to serve, and a path to meet at.
struct Home {
    config: TempDir,
    meeting: TempDir,
}

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        Self { config: dir(files), meeting: dir(&[]) }
    }

    fn path(&self) -> PathBuf {
        self.meeting.path().join("handover")
    }

    /// Starts a process that takes over if there is something to take over, and waits until it serves. Any admin port
    /// will do, so the later ones get that of the first.
    fn start(&self, more: &[&str]) -> Running {
        let path = self.path();
        let mut args = vec!["--handover", text(&path)];
        args.extend(more);
        block_in_place(|| Running::gateway(self.config.path(), &args))
    }
}

/// Clients that ask without a pause until they are told to stop.
#[derive(Clone)]
struct Busy {
    scheme: &'static str,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Busy {
    /// A connection for each request.
    async fn connect(self, dial: Dial) {
        while !self.stop.load(Ordering::Relaxed) {
            let reply = dial.get(&self.url()).await.expect("a connection of its own");
            assert_eq!(reply.status, 200);
        }
    }

    /// One connection for as long as it may be used. No request may fail on it but one that was never sent.
    async fn keep(self, dial: Dial) {
        let mut connection = dial.connect("a.example").await.expect("the first connection");
        while !self.stop.load(Ordering::Relaxed) {
            let url = self.url();
            let reply = match connection.get(&url).await {
                Ok(reply) => reply,
                // The gateway has said that the connection is over (the journal of the backend will tell if it lied).
                Err(_) => {
                    connection = dial.connect("a.example").await.expect("another connection");
                    connection.get(&url).await.expect("the first request of a connection")
                }
            };
            assert_eq!(reply.status, 200);
        }
    }

    fn url(&self) -> String {
        format!("{}://a.example/?n={}", self.scheme, self.asked.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits until so many more have asked.
    async fn more(&self, count: usize) {
        let before = self.asked.load(Ordering::Relaxed);
        while self.asked.load(Ordering::Relaxed) < before + count {
            tokio::task::yield_now().await;
        }
    }
}

/// A UDP client that has asked, and a backend that has not answered yet.
async fn question(gateway: SocketAddr, backend: &UdpSocket) -> (UdpSocket, SocketAddr) {
    let client = UdpSocket::bind(loopback(0)).await.unwrap();
    client.connect(gateway).await.unwrap();
    client.send(b"question").await.unwrap();
    let mut buffer = [0; 16];
    let (size, flow) = backend.recv_from(&mut buffer).await.unwrap();
    assert_eq!(&buffer[..size], b"question");
    (client, flow)
}

async fn answer(backend: &UdpSocket, (client, flow): &(UdpSocket, SocketAddr)) {
    let mut buffer = [0; 16];
    backend.send_to(b"answer", flow).await.unwrap();
    let size = tokio::time::timeout(PATIENCE, client.recv(&mut buffer)).await.expect("no answer").unwrap();
    assert_eq!(&buffer[..size], b"answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_upgrades_lose_nothing() {
    let echo = EchoServer::bind(EchoConfig::loopback().with_tcp(loopback(0))).await.unwrap();
    let datagrams = UdpSocket::bind(loopback(0)).await.unwrap();
    let ([http, https, tcp], udp) = (free_ports(), free_udp_addr().port());
    let servers = Authority::new("servers");
    let files =
        gateway("gw", &[("http", "HTTP", http), ("https", "HTTPS", https), ("tcp", "TCP", tcp), ("udp", "UDP", udp)])
            + &servers.server(&["a.example"]).secret("default", "pair")
            + "---\n"
            + &backed("web", "gw", echo.local_addr(Port::Http).unwrap().port())
            + &stream_route("TCPRoute", "db", "gw", "tcp", echo.local_addr(Port::Tcp).unwrap().port())
            + &stream_route("UDPRoute", "dns", "gw", "udp", datagrams.local_addr().unwrap().port());
    let home = Home::new(&[("site.yaml", &files)]);
    let gateway = loopback(http);

    let first = home.start(&["--drain", "3600"]);
    let admin = first.admin();
    let busy = Busy { scheme: "http", stop: Arc::default(), asked: Arc::default() };
    let busy_with_tls = Busy { scheme: "https", ..busy.clone() };
    let tls = |protocol| Dial::tls(loopback(https), &ClientTls::trusting(&servers).alpn(&[protocol]));
    let clients: Vec<JoinHandle<()>> = vec![
        tokio::spawn(busy.clone().connect(Dial::http1(gateway))),
        tokio::spawn(busy.clone().connect(Dial::http1(gateway))),
        tokio::spawn(busy.clone().keep(Dial::http1(gateway))),
        tokio::spawn(busy.clone().keep(Dial::h2c(gateway))),
        // Tickets of one process mean nothing to the next, which then shakes hands in full.
        tokio::spawn(busy_with_tls.clone().connect(tls("http/1.1"))),
        tokio::spawn(busy_with_tls.clone().keep(tls("http/1.1"))),
        tokio::spawn(busy_with_tls.keep(tls("h2"))),
    ];
    let held = |name: &'static str| {
        [Dial::http1(gateway), Dial::h2c(gateway)]
            .map(|dial| tokio::spawn(async move { dial.get(&format!("http://a.example/?hold={name}")).await }))
    };
    busy.more(100).await;

    // The first hands over to the second.
    let on_first = held("first");
    echo.wait_held("first", 2).await;
    let mut socket = WebSocket::open(&Dial::http1(gateway), "ws://a.example/").await.unwrap();
    let mut stream = RawConnection::open(&Dial::http1(loopback(tcp)), "").await.unwrap();
    stream.send("one").await.unwrap();
    assert_eq!(stream.read_exact(3).await.unwrap(), b"one");
    let asked = question(loopback(udp), &datagrams).await;
    let second = home.start(&["--drain", "2"]);
    assert_eq!(second.admin(), admin, "the admin port changes hands, too");
    answer(&datagrams, &asked).await;
    busy.more(100).await;
    assert_eq!(block_in_place(|| second.ask("/readyz")).0, 200);
    assert_eq!(socket.ask("still here").await.unwrap(), "still here");
    stream.send("two").await.unwrap();
    assert_eq!(stream.read_exact(3).await.unwrap(), b"two");
    echo.release("first");
    for reply in on_first {
        assert_eq!(reply.await.unwrap().unwrap().status, 200);
    }
    // A client that goes on is a flow of the second.
    assert_eq!(question(loopback(udp), &datagrams).await.1.ip(), loopback(0).ip());
    assert!(path_is_socket(&home.path()));
    // The first ends when the last of its connections has ended.
    socket.close().await.unwrap();
    stream.finish().await.unwrap();
    stream.to_end().await.unwrap();
    let ended = block_in_place(|| first.ended());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("another process has taken over"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("cut at the deadline"), "{}", ended.stderr);

    // The second hands over to the third, with somebody who does not end.
    let on_second = held("second");
    echo.wait_held("second", 2).await;
    let mut socket = WebSocket::open(&Dial::http1(gateway), "ws://a.example/").await.unwrap();
    let third = home.start(&[]);
    assert_eq!(third.admin(), admin);
    echo.release("second");
    for reply in on_second {
        assert_eq!(reply.await.unwrap().unwrap().status, 200);
    }
    // Neither a close nor an error comes before the connection ends.
    while let Ok(Some(_)) = socket.next().await {}
    let ended = block_in_place(|| second.ended());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("1 connection was cut at the deadline"), "{}", ended.stderr);

    busy.more(100).await;
    busy.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    // Each request has reached the backend once, as have four that were held and two that became WebSockets: none was
    // lost, and none that was sent anew had been sent already. One of the WebSockets was cut.
    let counts = echo.counts();
    assert_eq!((counts.requests, counts.cancelled), (busy.asked.load(Ordering::Relaxed) as u64 + 6, 1));
    let ended = block_in_place(|| third.end());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!home.path().exists(), "the last one leaves nothing behind");
}

fn path_is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

fn site(port: u16) -> String {
    gateway("gw", &[("http", "HTTP", port)]) + &route("moved", "gw")
}

#[test]
fn one_that_cannot_serve_leaves_the_other_serving() {
    let [port] = free_ports();
    let meeting = dir(&[]);
    let path = meeting.path().join("handover");
    let good = dir(&[("site.yaml", &site(port))]);
    let serving = Running::gateway(good.path(), &["--handover", text(&path)]);
    let try_with = |config: &Path| {
        let ended = run(&["run", "--admin", "127.0.0.1:0", "--handover", text(&path), "--config", text(config)]);
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert_eq!(get(loopback(port), "/old").0, 302);
        assert_eq!(serving.ask("/readyz").0, 200);
        ended.stderr
    };
    assert!(try_with(Path::new("/nowhere")).contains("/nowhere does not exist"));
    let useless = dir(&[("route.yaml", &route("lost", "nobody"))]);
    assert!(try_with(useless.path()).contains("can be served"));
    let flawed = dir(&[("site.yaml", &site(port)), ("bad.yaml", "kind: [")]);
    let told = try_with(flawed.path());
    assert!(told.contains("bad.yaml") && told.contains("the process that serves goes on"), "{told}");

    // What only the old one still has would be lost.
    let file = good.path().join("site.yaml");
    std::fs::write(&file, site(port).replace("value: /old", "value: old")).unwrap();
    until("the mistake is told", || serving.ask("/status").1.contains("its newest version is not valid"));
    let told = try_with(good.path());
    assert!(told.contains("HTTPRoute/default/moved") && told.contains("mend the files first"), "{told}");
    std::fs::write(&file, site(port)).unwrap();
    until("it is mended", || !serving.ask("/status").1.contains("its newest version is not valid"));

    // None of that was in the way of one that can.
    let next = Running::gateway(good.path(), &["--handover", text(&path)]);
    assert_eq!(serving.ended().code, Some(0));
    assert_eq!(get(loopback(port), "/old").0, 302);
    assert_eq!(next.end().code, Some(0));
}

#[test]
fn the_new_one_serves_what_its_own_directory_says() {
    let [kept, gone, new] = free_ports();
    let meeting = dir(&[]);
    let path = meeting.path().join("handover");
    let before = gateway("gw", &[("kept", "HTTP", kept), ("gone", "HTTP", gone)]) + &route("moved", "gw");
    let after = gateway("gw", &[("kept", "HTTP", kept), ("new", "HTTP", new)]) + &route("moved", "gw");
    let (before, after) = (dir(&[("site.yaml", &before)]), dir(&[("site.yaml", &after)]));
    let old = Running::gateway(before.path(), &["--handover", text(&path)]);
    // Another admin port: that of the old one goes with it.
    let [admin] = free_ports();
    let mut command = lychgate(&["run", "--handover", text(&path), "--config", text(after.path())]);
    command.args(["--admin", &loopback(admin).to_string()]);
    let next = Running::start(command, "/livez");
    assert_eq!(next.admin(), loopback(admin));
    assert_eq!(get(loopback(kept), "/old").0, 302);
    assert_eq!(get(loopback(new), "/old").0, 302);
    assert_eq!(old.ended().code, Some(0));
    assert!(TcpStream::connect(loopback(gone)).is_err());
    assert_eq!(next.end().code, Some(0));
}

#[test]
fn what_a_killed_process_left_is_in_nobodys_way() {
    let [port] = free_ports();
    let meeting = dir(&[]);
    let path = meeting.path().join("handover");
    let config = dir(&[("site.yaml", &site(port))]);
    let killed = Running::gateway(config.path(), &["--handover", text(&path)]);
    killed.send("KILL");
    assert_eq!(killed.ended().code, None);
    assert!(path_is_socket(&path));
    let next = Running::gateway(config.path(), &["--handover", text(&path)]);
    assert_eq!(get(loopback(port), "/old").0, 302);
    assert_eq!(next.end().code, Some(0));
    assert!(!path.exists());

    std::fs::write(&path, "something of somebody's").unwrap();
    let ended = run(&["run", "--admin", "127.0.0.1:0", "--handover", text(&path), "--config", text(config.path())]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("is not a socket"), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "something of somebody's");
}

/// Kills the old one at every stage. Whatever the moment was, the new one serves.
#[test]
fn an_old_one_that_is_killed_meanwhile_leaves_the_new_one_serving() {
    let [port] = free_ports();
    let meeting = dir(&[]);
    let path = meeting.path().join("handover");
    // Enough that reading takes a while.
    let mut files = site(port);
    for index in 0..300 {
        files += &route(&format!("moved-{index}"), "gw");
    }
    let config = dir(&[("site.yaml", &files)]);
    let start = || Running::gateway(config.path(), &["--handover", text(&path)]);
    for moment in [0, 20, 40, 80, 160, 320] {
        let old = start();
        let next = std::thread::scope(|scope| {
            let next = scope.spawn(start);
            std::thread::sleep(std::time::Duration::from_millis(moment));
            old.send("KILL");
            next.join().unwrap()
        });
        old.ended();
        assert_eq!(get(loopback(port), "/old").0, 302);
        assert_eq!(next.end().code, Some(0));
    }

    // One that does not answer any more is not waited for for ever, and nothing is taken from it.
    let old = start();
    old.send("STOP");
    let next = std::thread::spawn({
        let (config, path) = (config.path().to_owned(), path.clone());
        move || run(&["run", "--admin", "127.0.0.1:0", "--handover", text(&path), "--config", text(&config)])
    });
    let ended = next.join().unwrap();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stderr.contains("does not answer"), "{}", ended.stderr);
    old.send("CONT");
    assert_eq!(get(loopback(port), "/old").0, 302);
    assert_eq!(old.end().code, Some(0));
}

#[test]
fn a_request_in_flight_outlives_the_process_that_took_over_and_died() {
    let [port] = free_ports();
    let meeting = dir(&[]);
    let path = meeting.path().join("handover");
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let files = gateway("gw", &[("http", "HTTP", port)])
        + &backed("slow", "gw", backend.local_addr().unwrap().port())
        + &route("moved", "gw");
    let config = dir(&[("site.yaml", &files)]);
    let old = Running::gateway(config.path(), &["--handover", text(&path), "--drain", "3600"]);
    let mut client = TcpStream::connect(loopback(port)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    let mut asked = backend.accept().unwrap().0;
    let next = Running::gateway(config.path(), &["--handover", text(&path)]);
    next.send("KILL");
    next.ended();
    // The old one had ended its part; it only finishes what it had begun.
    asked.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    let mut reply = String::new();
    std::io::Read::read_to_string(&mut client, &mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("ok"), "{reply}");
    assert_eq!(old.ended().code, Some(0));
}

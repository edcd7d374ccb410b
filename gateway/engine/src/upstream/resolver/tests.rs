//! Against a name server on loopback that says what a test wants.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::lookup::Dns;
use super::*;
use crate::upstream::BackendState;
use crate::upstream::Pools;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::A;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use lychgate_ir::{Backend, BackendKind, BackendTls, Balance, ObjectName, Resolution, UpstreamProtocol};
use lychgate_telemetry::{Metrics, MetricsLimits};
use std::net::Ipv4Addr;
use std::time::Instant;
use tokio::net::UdpSocket;
use tokio::sync::watch;

/// Nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// As fast as it gets.
const FAST: Pace = Pace {
    min_ttl: Duration::from_millis(10),
    max_ttl: Duration::from_secs(300),
    backoff: Duration::from_millis(10),
    max_backoff: Duration::from_millis(20),
};

#[derive(Clone, Debug)]
enum Say {
    /// An address, and its TTL in seconds.
    Address([u8; 4], u32),
    Broken,
    NoSuchName,
}

/// A name server for names of one label.
struct Server {
    config: ResolverConfig,
    zone: Arc<Mutex<HashMap<String, Say>>>,
    /// Questions for IPv4 addresses.
    asked: watch::Receiver<u64>,
    open: watch::Sender<bool>,
}

impl Server {
    async fn start(names: &[(&str, Say)]) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        let zone: HashMap<_, _> = names.iter().map(|(name, say)| ((*name).to_owned(), say.clone())).collect();
        let zone = Arc::new(Mutex::new(zone));
        let (count, asked) = watch::channel(0);
        let open = watch::Sender::new(true);
        tokio::spawn(serve(socket, zone.clone(), count, open.subscribe()));
        Self { config: ResolverConfig::from_parts(None, vec![], vec![server]), zone, asked, open }
    }

    fn say(&self, name: &str, say: Say) {
        self.zone.lock().unwrap().insert(name.to_owned(), say);
    }

    async fn asked_more(&self, times: u64) {
        let mut asked = self.asked.clone();
        let wanted = *asked.borrow() + times;
        tokio::time::timeout(PATIENCE, asked.wait_for(|asked| *asked >= wanted)).await.unwrap().unwrap();
    }
}

async fn serve(
    socket: UdpSocket,
    zone: Arc<Mutex<HashMap<String, Say>>>,
    count: watch::Sender<u64>,
    mut open: watch::Receiver<bool>,
) {
    let mut buffer = [0; 4096];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        open.wait_for(|open| *open).await.unwrap();
        let question = Message::from_vec(&buffer[..length]).unwrap();
        let query = question.queries.first().unwrap().clone();
        let name = query.name().to_string();
        let say = zone.lock().unwrap().get(name.trim_end_matches('.')).cloned();
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        match say.unwrap_or(Say::NoSuchName) {
            Say::Address(ip, ttl) if query.query_type() == RecordType::A => {
                let ip = RData::A(A(Ipv4Addr::from(ip)));
                answer.add_answer(Record::from_rdata(query.name().clone(), ttl, ip));
            }
            Say::Address(..) => {}
            Say::Broken => answer.metadata.response_code = ResponseCode::ServFail,
            Say::NoSuchName => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        let is_v4 = query.query_type() == RecordType::A;
        answer.add_query(query);
        socket.send_to(&answer.to_vec().unwrap(), client).await.unwrap();
        if is_v4 {
            count.send_modify(|count| *count += 1);
        }
    }
}

fn cell() -> Arc<BackendCell> {
    let (name, transport) = (ObjectName::new("default", "far"), lychgate_ir::Transport::Tcp);
    let id = BackendId { kind: BackendKind::Service, name, port: 80, transport };
    let spec = Backend {
        id: id.clone(),
        protocol: UpstreamProtocol::Auto,
        tls: BackendTls::Plain,
        resolution: Resolution::Endpoints,
        balance: Balance::RoundRobin,
        persistence: None,
        proxy_protocol: None,
    };
    let metrics = Metrics::new(MetricsLimits::default()).unwrap().backend(&id);
    Arc::new(BackendCell::new(id, BackendState::new(Arc::new(spec), HashMap::new()), metrics, Pools::default()))
}

fn names(names: &[&str]) -> Names {
    Names { names: names.iter().map(|name| (Arc::from(*name), 80)).collect(), ..Names::default() }
}

fn addresses(cell: &BackendCell) -> Vec<String> {
    cell.endpoints().all().map(|endpoint| endpoint.address.to_string()).collect()
}

async fn until(cell: &BackendCell, wanted: &[&str]) {
    let begun = Instant::now();
    while addresses(cell) != wanted {
        assert!(begun.elapsed() < PATIENCE, "still {:?}, not {wanted:?}", addresses(cell));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_name_is_asked_again_when_its_ttl_ends_and_not_before() {
    let server = Server::start(&[("a", Say::Address([127, 0, 0, 1], 1))]).await;
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), FAST));
    let begun = Instant::now();
    resolver.watch(&cell, names(&["a"]));
    until(&cell, &["127.0.0.1:80"]).await;
    server.say("a", Say::Address([127, 0, 0, 2], 1));
    until(&cell, &["127.0.0.2:80"]).await;
    assert!(begun.elapsed() >= Duration::from_millis(990), "asked again after {:?}", begun.elapsed());
}

#[tokio::test]
async fn no_cache_below_makes_an_answer_older() {
    let pace = Pace { max_ttl: Duration::from_millis(20), ..FAST };
    let server = Server::start(&[("a", Say::Address([127, 0, 0, 1], 3600))]).await;
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), pace));
    resolver.watch(&cell, names(&["a"]));
    until(&cell, &["127.0.0.1:80"]).await;
    server.say("a", Say::Address([127, 0, 0, 2], 3600));
    until(&cell, &["127.0.0.2:80"]).await;
}

#[tokio::test]
async fn what_is_known_stays_while_the_resolver_fails() {
    let server = Server::start(&[("a", Say::Address([127, 0, 0, 1], 0))]).await;
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), FAST));
    resolver.watch(&cell, names(&["a"]));
    until(&cell, &["127.0.0.1:80"]).await;
    server.say("a", Say::Broken);
    server.asked_more(8).await;
    assert_eq!(addresses(&cell), ["127.0.0.1:80"]);
    server.say("a", Say::Address([127, 0, 0, 2], 0));
    until(&cell, &["127.0.0.2:80"]).await;
}

#[tokio::test]
async fn a_name_that_is_gone_has_no_addresses() {
    let server = Server::start(&[("a", Say::Address([127, 0, 0, 1], 0))]).await;
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), FAST));
    resolver.watch(&cell, names(&["a"]));
    until(&cell, &["127.0.0.1:80"]).await;
    server.say("a", Say::NoSuchName);
    until(&cell, &[]).await;
}

#[tokio::test]
async fn requests_wait_for_the_first_answer() {
    let server = Server::start(&[("a", Say::Address([127, 0, 0, 1], 1))]).await;
    server.open.send_replace(false);
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), FAST));
    resolver.watch(&cell, names(&["a"]));
    assert!(cell.pick(None, &[], Duration::from_millis(1)).await.is_none());
    let (picked, _) = tokio::join!(cell.pick(None, &[], PATIENCE), async { server.open.send_replace(true) });
    assert_eq!(picked.unwrap().endpoint().address.to_string(), "127.0.0.1:80");
}

#[tokio::test]
async fn a_failure_is_a_first_answer_too() {
    let server = Server::start(&[("a", Say::Broken)]).await;
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), FAST));
    resolver.watch(&cell, names(&["a"]));
    let begun = Instant::now();
    assert!(cell.pick(None, &[], PATIENCE).await.is_none());
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn addresses_of_another_name_are_not_used() {
    let server = Server::start(&[("a", Say::Address([127, 0, 0, 1], 1)), ("b", Say::Broken)]).await;
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), FAST));
    resolver.watch(&cell, names(&["a"]));
    until(&cell, &["127.0.0.1:80"]).await;
    resolver.watch(&cell, names(&["b"]));
    assert_eq!(addresses(&cell), Vec::<String>::new());
}

#[tokio::test]
async fn names_that_stay_keep_their_addresses() {
    let server = Server::start(&[("a", Say::Address([127, 0, 0, 1], 1)), ("b", Say::Broken)]).await;
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), FAST));
    resolver.watch(&cell, names(&["a"]));
    until(&cell, &["127.0.0.1:80"]).await;
    resolver.watch(&cell, names(&["a", "b"]));
    assert_eq!(addresses(&cell), ["127.0.0.1:80"]);
    server.say("b", Say::Address([127, 0, 0, 2], 1));
    until(&cell, &["127.0.0.1:80", "127.0.0.2:80"]).await;
}

#[tokio::test]
async fn what_is_forgotten_is_written_no_more() {
    let server = Server::start(&[("a", Say::Address([127, 0, 0, 1], 0))]).await;
    let (cell, resolver) = (cell(), Resolver::new(Some(server.config.clone()), FAST));
    resolver.watch(&cell, names(&["a"]));
    until(&cell, &["127.0.0.1:80"]).await;
    let board = lock(&resolver.watched)[&cell.id].board.clone();
    resolver.forget(&cell.id);
    cell.set_endpoints(&[], &[]);
    assert!(!board.answer(&("a".into(), 80), &[Ipv4Addr::LOCALHOST.into()]), "nobody wants to know");
    assert_eq!(addresses(&cell), Vec::<String>::new());
}

#[tokio::test]
async fn the_table_of_the_host_goes_before_dns() {
    let server = Server::start(&[("localhost", Say::Address([192, 0, 2, 1], 1))]).await;
    let dns = Dns::new(Some(server.config.clone())).unwrap();
    let answer = dns.lookup("localhost").await.unwrap();
    assert!(!answer.addresses.is_empty() && answer.addresses.iter().all(|ip| ip.is_loopback()), "{answer:?}");
    assert_eq!(*server.asked.borrow(), 0);
}

#[tokio::test]
async fn an_address_is_a_name_for_itself() {
    let server = Server::start(&[]).await;
    let dns = Dns::new(Some(server.config.clone())).unwrap();
    for address in ["192.0.2.1", "2001:db8::1"] {
        assert_eq!(dns.lookup(address).await.unwrap().addresses, [address.parse::<std::net::IpAddr>().unwrap()]);
    }
    assert!(matches!(dns.lookup("nobody").await.unwrap_err(), Failure::NoSuchName));
}

//! A name server with a zone of its own, and clients of DNS.

mod https;

use crate::{Leaf, PATIENCE, server_tls};
use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

pub use hickory_proto;

#[derive(Default)]
struct Zone {
    records: BTreeMap<String, Vec<RData>>,
    ttl: u32,
    /// What it is called, and for how many seconds a name that is not there is not, if it says so.
    authority: Option<(Name, u32)>,
    asked: Vec<String>,
}

/// A name server on loopback, over datagrams and TCP on one port. It ends when it is dropped.
pub struct NameServer {
    addr: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    tasks: JoinSet<()>,
}

impl NameServer {
    /// Starts one that knows no name.
    pub async fn start() -> Self {
        let (udp, tcp) = loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has ports");
            let addr = tcp.local_addr().expect("a listener has an address");
            // The same port may be another's for datagrams.
            if let Ok(udp) = UdpSocket::bind(addr).await {
                break (udp, tcp);
            }
        };
        let addr = tcp.local_addr().expect("a listener has an address");
        let zone = Arc::new(Mutex::new(Zone { ttl: 300, ..Zone::default() }));
        let mut tasks = JoinSet::new();
        let of_udp = zone.clone();
        tasks.spawn(async move {
            let mut datagram = vec![0; 4096];
            while let Ok((length, client)) = udp.recv_from(&mut datagram).await {
                let room = datagram.get(..length).and_then(|bytes| answer(&of_udp, bytes, true));
                if let Some(reply) = room {
                    let _ = udp.send_to(&reply, client).await;
                }
            }
        });
        let of_tcp = zone.clone();
        tasks.spawn(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                tokio::spawn(carry(of_tcp.clone(), stream));
            }
        });
        Self { addr, zone, tasks }
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves the same zone over TLS (RFC 7858), and says where.
    pub async fn over_tls(&mut self, leaf: &Leaf) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has ports");
        let addr = listener.local_addr().expect("a listener has an address");
        let acceptor = TlsAcceptor::from(Arc::new(server_tls(leaf)));
        let zone = self.zone.clone();
        self.tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (zone, acceptor) = (zone.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        carry(zone, stream).await;
                    }
                });
            }
        });
        addr
    }

    /// Serves the same zone over HTTPS (RFC 8484), at `/dns-query`, and says where.
    pub async fn over_https(&mut self, leaf: &Leaf) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has ports");
        let addr = listener.local_addr().expect("a listener has an address");
        let mut tls = server_tls(leaf);
        tls.alpn_protocols = vec![b"h2".to_vec()];
        self.tasks.spawn(https::serve(self.zone.clone(), listener, TlsAcceptor::from(Arc::new(tls))));
        addr
    }

    /// Says from now on, with what is not there, for how many seconds it is not (RFC 2308).
    pub fn authority(&self, zone: &str, seconds: u32) {
        lock(&self.zone).authority = Some((complete(zone), seconds));
    }

    /// A name has these records from now on, instead of those it had.
    pub fn set(&self, name: &str, records: Vec<RData>) {
        lock(&self.zone).records.insert(name.to_owned(), records);
    }

    /// A name has these addresses from now on.
    pub fn addresses(&self, name: &str, addresses: &[IpAddr]) {
        let record = |address: &IpAddr| match address {
            IpAddr::V4(address) => RData::A(A(*address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(*address)),
        };
        self.set(name, addresses.iter().map(record).collect());
    }

    /// A name is another's from now on.
    pub fn alias(&self, name: &str, of: &str) {
        self.set(name, vec![RData::CNAME(CNAME(complete(of)))]);
    }

    /// How long answers hold, in seconds.
    pub fn ttl(&self, seconds: u32) {
        lock(&self.zone).ttl = seconds;
    }

    /// What was asked so far: `A api.example`.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.zone).asked.clone()
    }
}

fn lock(zone: &Mutex<Zone>) -> std::sync::MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn carry(zone: Arc<Mutex<Zone>>, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    while let Some(question) = read(&mut stream).await {
        let Some(reply) = answer(&zone, &question, false) else { return };
        if write(&mut stream, &reply).await.is_none() {
            return;
        }
    }
}

fn answer(zone: &Mutex<Zone>, question: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let mut zone = lock(zone);
    let mut name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    zone.asked.push(format!("{} {name}", query.query_type()));
    let mut reply = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.queries.push(query.clone());
    if !zone.records.contains_key(&name) {
        reply.metadata.response_code = ResponseCode::NXDomain;
    }
    let mut owner = query.name().clone();
    // No alias leads further.
    for _ in 0..8 {
        let Some(records) = zone.records.get(&name) else { break };
        let of_kind =
            |record: &&RData| record.record_type() == query.query_type() || record.record_type() == RecordType::CNAME;
        let found: Vec<_> = records.iter().filter(of_kind).cloned().collect();
        let next = found.iter().find_map(|record| match record {
            RData::CNAME(CNAME(name)) => Some(name.clone()),
            _ => None,
        });
        reply.answers.extend(found.into_iter().map(|data| Record::from_rdata(owner.clone(), zone.ttl, data)));
        let Some(next) = next else { break };
        name = next.to_ascii().trim_end_matches('.').to_ascii_lowercase();
        owner = next;
    }
    if let (true, Some((authority, seconds))) = (reply.answers.is_empty(), &zone.authority) {
        let start = SOA::new(authority.clone(), authority.clone(), 1, 3600, 600, 86_400, *seconds);
        reply.authorities.push(Record::from_rdata(authority.clone(), zone.ttl, RData::SOA(start)));
    }
    let room = question.edns.as_ref().map_or(512, |edns| usize::from(edns.max_payload().max(512)));
    if question.edns.is_some() {
        reply.set_edns(Edns::new());
    }
    let bytes = reply.to_vec().ok()?;
    if is_datagram && bytes.len() > room { reply.truncate().to_vec().ok() } else { Some(bytes) }
}

/// A question with EDNS.
pub fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.queries.push(Query::query(complete(name), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    message
}

/// Asks over datagrams. `None` if there is no answer within `patience`.
pub async fn ask_within(server: SocketAddr, question: &Message, patience: std::time::Duration) -> Option<Message> {
    let local: SocketAddr = if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(local).await.expect("there are ports");
    socket.connect(server).await.expect("a socket can be connected");
    ask_on(&socket, question, patience).await
}

async fn ask_on(socket: &UdpSocket, question: &Message, patience: std::time::Duration) -> Option<Message> {
    socket.send(&question.to_vec().expect("a question has a form")).await.ok()?;
    let mut datagram = vec![0; 4096];
    let length = timeout(patience, socket.recv(&mut datagram)).await.ok()?.ok()?;
    Message::from_vec(datagram.get(..length)?).ok().filter(|reply| reply.metadata.id == question.metadata.id)
}

/// Asks over datagrams, from an address of this host.
pub async fn ask_from(source: SocketAddr, server: SocketAddr, question: &Message) -> Message {
    let socket = UdpSocket::bind(source).await.expect("the address is this host's");
    socket.connect(server).await.expect("a socket can be connected");
    let reply = ask_on(&socket, question, PATIENCE).await;
    reply.expect("the server answers")
}

/// Asks over datagrams.
pub async fn ask(server: SocketAddr, question: &Message) -> Message {
    ask_within(server, question, PATIENCE).await.expect("the server answers")
}

/// Asks over TCP, all on one connection.
pub async fn ask_over_tcp(server: SocketAddr, questions: &[Message]) -> Vec<Message> {
    let mut stream = timeout(PATIENCE, TcpStream::connect(server)).await.expect("in time").expect("it listens");
    let mut replies = Vec::new();
    for question in questions {
        let bytes = question.to_vec().expect("a question has a form");
        write(&mut stream, &bytes).await.expect("it reads");
        let reply = timeout(PATIENCE, read(&mut stream)).await.expect("in time").expect("it answers");
        replies.push(Message::from_vec(&reply).expect("an answer can be read"));
    }
    replies
}

/// What an answer says of itself (RFC 8914): a code, and a text.
pub fn extended_error(reply: &Message) -> Option<(u16, String)> {
    use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
    match reply.edns.as_ref()?.option(EdnsCode::from(15))? {
        EdnsOption::Unknown(15, data) => {
            let (code, text) = data.split_first_chunk::<2>()?;
            Some((u16::from_be_bytes(*code), String::from_utf8_lossy(text).into_owned()))
        }
        _ => None,
    }
}

/// The addresses in an answer.
pub fn addresses_in(reply: &Message) -> Vec<IpAddr> {
    reply.answers.iter().filter_map(|record| record.data.ip_addr()).collect()
}

fn complete(name: &str) -> Name {
    let mut name = Name::from_ascii(name).expect("a name of DNS");
    name.set_fqdn(true);
    name
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> Option<()> {
    let mut framed = u16::try_from(message.len()).ok()?.to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    stream.write_all(&framed).await.ok()
}

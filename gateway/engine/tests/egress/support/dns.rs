//! A name server that says what a test wants, and tells who was asked for.

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// A name server for addresses.
pub(crate) struct Dns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Zone {
    names: HashMap<String, Vec<IpAddr>>,
    asked: Vec<String>,
    is_silent: bool,
}

impl Dns {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone: Arc<Mutex<Zone>> = Arc::default();
        let mut task = JoinSet::new();
        let serving = zone.clone();
        task.spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                if let Some(answer) = answer(&serving, &buffer[..length]) {
                    let _ = socket.send_to(&answer, client).await;
                }
            }
        });
        Self { address, zone, _task: task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// This name leads here from now on; answers hold for no time at all.
    pub(crate) fn say(&self, name: &str, address: Ipv4Addr) {
        self.say_all(name, &[address]);
    }

    /// This name leads to all of them, in this order.
    pub(crate) fn say_all<A: Into<IpAddr> + Copy>(&self, name: &str, addresses: &[A]) {
        let addresses = addresses.iter().map(|address| (*address).into()).collect();
        self.zone.lock().unwrap().names.insert(name.to_owned(), addresses);
    }

    /// Answers nobody any more.
    pub(crate) fn fall_silent(&self) {
        self.zone.lock().unwrap().is_silent = true;
    }

    /// The names that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.zone.lock().unwrap().asked.clone()
    }
}

fn answer(zone: &Mutex<Zone>, question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut zone = zone.lock().unwrap();
    zone.asked.push(name.clone());
    if zone.is_silent {
        return None;
    }
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.add_query(query.clone());
    match zone.names.get(&name) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        Some(addresses) => {
            for address in addresses {
                let data = match (address, query.query_type()) {
                    (IpAddr::V4(address), RecordType::A) => RData::A(A(*address)),
                    (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(AAAA(*address)),
                    _ => continue,
                };
                answer.add_answer(Record::from_rdata(query.name().clone(), 0, data));
            }
        }
    }
    answer.to_vec().ok()
}

//! Questions to DNS, at the resolver listeners of an egress Gateway.

mod told;

use super::guest::asks_filters;
use super::who::Client;
use crate::engine::Engine;
use crate::proxy_protocol::Ends;
use crate::runtime::{Bind, ListenerState, Port};
use lychgate_dns::{Heard, Question, Transport};
use lychgate_egress::Source;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Questions of one socket that are answered at the same time. More are dropped, as datagrams are: clients ask again.
const AT_ONCE: usize = 1024;
/// A question that is longer is none.
const LONGEST: usize = 4096;
/// How long a connection may be silent (RFC 7766 section 6.2.3).
const IDLE: Duration = Duration::from_secs(10);

/// Who asks, and where.
struct Asker<'a> {
    listener: &'a ListenerState,
    client: SocketAddr,
    source: &'a Source,
}

impl Engine {
    /// Answers questions in datagrams until `drain` turns true; those that were read by then are answered. Nothing is read
    /// while `reads` is false.
    pub(crate) async fn serve_questions(
        self: Arc<Self>,
        bind: Bind,
        socket: Arc<UdpSocket>,
        mut reads: watch::Receiver<bool>,
        mut drain: watch::Receiver<bool>,
    ) {
        // One byte more than the longest: what fills it is too long.
        let mut datagram = vec![0; LONGEST + 1];
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        loop {
            let is_read = *reads.borrow_and_update();
            let received = tokio::select! {
                received = socket.recv_from(&mut datagram), if is_read => received,
                // An error means that whoever could say so is gone, and it stays as it is.
                Ok(()) = reads.changed() => continue,
                Some(_) = tasks.join_next() => continue,
                _ = drain.wait_for(|drain| *drain) => break,
            };
            let (length, client) = match received {
                Ok(received) => received,
                // An earlier answer found its client gone; that says nothing of this socket.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => {
                    tracing::warn!(%error, "questions cannot be received");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (Some(message), Ok(place)) = (datagram.get(..length), room.clone().try_acquire_owned()) else {
                continue;
            };
            let Some(listener) = self.port(bind).and_then(|port| port.listeners.for_host("").cloned()) else {
                continue;
            };
            let (engine, socket, message) = (self.clone(), socket.clone(), message.to_vec());
            tasks.spawn(async move {
                let answer = engine.answer(&listener, client, &message, Transport::Datagram).await;
                if let Some(answer) = answer {
                    // A datagram that cannot be sent is lost, as datagrams are.
                    let _ = socket.send_to(&answer, client).await;
                }
                drop(place);
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Answers the questions of one connection, one after the other.
    pub(crate) async fn serve_questions_over_tcp(
        self: &Arc<Self>,
        port: &Port,
        mut tcp: TcpStream,
        ends: Ends,
        mut drain: watch::Receiver<bool>,
    ) {
        let Some(listener) = port.listeners.for_host("").cloned() else { return };
        loop {
            let read = tokio::select! {
                read = tokio::time::timeout(IDLE, read(&mut tcp)) => read,
                _ = drain.wait_for(|drain| *drain) => return,
            };
            let Ok(Ok(Some(message))) = read else { return };
            let answer = self.answer(&listener, ends.source, &message, Transport::Stream).await;
            let Some(answer) = answer else { return };
            let Ok(length) = u16::try_from(answer.len()) else { return };
            let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
            if !matches!(tokio::time::timeout(IDLE, tcp.write_all(&framed)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    async fn answer(
        &self,
        listener: &ListenerState,
        client: SocketAddr,
        message: &[u8],
        transport: Transport,
    ) -> Option<Vec<u8>> {
        let started = Instant::now();
        if asks_filters(listener) {
            tracing::error!(listener = %listener.spec.id, "its filters are for routes, and nobody asks them here");
            return None;
        }
        let runtime = self.runtime();
        let gate = runtime.gates.get(&listener.spec.id.gateway)?.clone();
        let front = match gate.names.front() {
            Ok(front) => front,
            Err(why) => {
                tracing::error!(listener = %listener.spec.id, %why, "no question can be answered");
                return None;
            }
        };
        let source = Client::new(client.ip(), None).source(&runtime, &gate);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let question = Question {
            message,
            transport,
            source: client.ip().to_canonical(),
            unix_seconds: i64::try_from(unix).unwrap_or(i64::MAX),
            now: started,
            draw: rand::random_range(0..100),
        };
        let egress = gate.policies.of(&source);
        let asker = Asker { listener, client, source: &source };
        let answered = match front.read(&question, &egress) {
            Heard::Answered(answered) => *answered,
            // Whoever is asked hears the name: where the log is required, it hears it first.
            Heard::Wanted(wanted) => match self.announce(&asker, &wanted).await {
                Ok(()) => front.ask(*wanted, &egress).await,
                Err(why) => wanted.unrecorded(why),
            },
        };
        self.tell(&asker, &answered, started.elapsed());
        answered.message
    }
}

/// A question, with its length before it; `None` at the end.
async fn read(tcp: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let length = match tcp.read_u16().await {
        Ok(length) => usize::from(length),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > LONGEST {
        return Ok(None);
    }
    let mut message = vec![0; length];
    tcp.read_exact(&mut message).await?;
    Ok(Some(message))
}

//! UDP: every datagram back, or the conformance suite's JSON around it.

use std::net::SocketAddr;

use serde::Serialize;
use tokio::net::UdpSocket;

use crate::config::{EchoIdentity, RawMode};
use crate::server::Shared;

/// The longest datagram that IPv4 carries.
const MAX_DATAGRAM: usize = 65_535;

/// What the suite reads.
#[derive(Serialize)]
struct Answer<'a> {
    request: &'a str,
    #[serde(flatten)]
    identity: &'a EchoIdentity,
}

/// Answers datagrams until the server closes.
pub(crate) async fn serve(server: &Shared, socket: UdpSocket) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    while let Some(received) = server.closing.run_until_cancelled(socket.recv_from(&mut buffer)).await {
        match received {
            Ok((size, client)) => answer(server, &socket, buffer.get(..size).unwrap_or_default(), client).await,
            // An earlier answer that nobody took comes back as an error here (ICMP port unreachable).
            Err(error) => tracing::debug!(%error, "receiving a datagram"),
        }
    }
}

async fn answer(server: &Shared, socket: &UdpSocket, datagram: &[u8], client: SocketAddr) {
    let sent = match server.raw {
        RawMode::Bytes => socket.send_to(datagram, client).await,
        RawMode::Conformance => {
            let request = String::from_utf8_lossy(datagram);
            match serde_json::to_vec(&Answer { request: &request, identity: &server.identity }) {
                Ok(answer) => socket.send_to(&answer, client).await,
                Err(error) => Err(error.into()),
            }
        }
    };
    match sent {
        Ok(_) => server.journal.count(|counts| counts.datagrams += 1),
        Err(error) => tracing::debug!(%error, %client, "answering a datagram"),
    }
}

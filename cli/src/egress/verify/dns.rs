//! Questions to resolvers.

use super::attempt::Found;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// The resolver that this host is told to use.
pub(super) fn of_the_host() -> Option<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok())?;
    Some(SocketAddr::new(server, 53))
}

/// Asks in a datagram.
pub(super) async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Found {
    let Some(question) = question(name, kind) else { return Found::Skipped("the name cannot be asked for".to_owned()) };
    match datagram(server, &question).await {
        Ok(answer) => judged(&answer),
        Err(error) => Found::of_error(&error),
    }
}

/// An address of a name, if the resolver says one.
pub(super) async fn address(server: SocketAddr, name: &str) -> Option<IpAddr> {
    let answer = datagram(server, &question(name, RecordType::A)?).await.ok()?;
    Message::from_vec(&answer).ok()?.answers.iter().find_map(|record| record.data.ip_addr())
}

async fn datagram(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let own: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

/// Asks over TCP.
pub(super) async fn ask_over_tcp(server: SocketAddr, name: &str, kind: RecordType) -> Found {
    let Some(question) = question(name, kind) else { return Found::Skipped("the name cannot be asked for".to_owned()) };
    let asked = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_u16(u16::try_from(question.len()).unwrap_or(u16::MAX)).await?;
        stream.write_all(&question).await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    match asked.await {
        Ok(answer) => judged(&answer),
        Err(error) => Found::of_error(&error),
    }
}

/// That a name does not exist is an answer, too: the question got out.
fn judged(answer: &[u8]) -> Found {
    match Message::from_vec(answer).map(|message| message.metadata.response_code) {
        Ok(code @ (ResponseCode::Refused | ResponseCode::ServFail | ResponseCode::NotImp)) => {
            Found::Stopped(format!("the resolver says {code}"))
        }
        Ok(code) => Found::Through(format!("answered: {code}")),
        Err(_) => Found::Through("something that is no DNS came back".to_owned()),
    }
}

fn question(name: &str, kind: RecordType) -> Option<Vec<u8>> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.queries.push(Query::query(name, kind));
    message.to_vec().ok()
}

/// A name below another that carries 100 bytes or so.
pub(super) fn carrying_data(below: &str) -> String {
    // Letters and digits as base 32 has them; the same each time, because nobody shall receive anything.
    let alphabet = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut state = 0x2545_f491_u32;
    let mut label = || {
        (0..50)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let index = usize::try_from(state >> 27).unwrap_or_default();
                alphabet.get(index).copied().map_or('a', char::from)
            })
            .collect::<String>()
    };
    let (first, second, third) = (label(), label(), label());
    format!("{first}.{second}.{third}.{below}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_carries_data_is_a_name() {
        let name = carrying_data("api.pay.example");
        assert!(question(&name, RecordType::TXT).is_some(), "{name}");
        assert!(name.len() < 253 && name.len() > 150, "{}", name.len());
    }
}

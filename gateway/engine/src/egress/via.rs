//! Through a proxy beyond the gate: CONNECT of HTTP/1.1 (RFC 9110 section 9.3.6) or SOCKS5 (RFC 1928).

use super::dial::{Departure, tcp_among};
use super::gate::Gate;
use super::refused::Refused;
use super::wire::{Begun, Wire};
use crate::limits::Limits;
use base64::Engine as _;
use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Request};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use lychgate_egress::socks5::{self, Command, Login, Method, Offer, Outcome, Read, Reply};
use lychgate_egress::target::{Target, TargetHost};
use lychgate_ir::egress::{UpstreamProxy, UpstreamProxyLogin, UpstreamProxyProtocol};
use lychgate_telemetry::Reason;
use std::io;
use std::net::IpAddr;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// A connection through the proxy. By `address` if that was decided for, else by name.
pub(super) async fn connect(
    gate: &Gate,
    proxy: &UpstreamProxy,
    target: &Target,
    address: Option<IpAddr>,
    departure: Departure<'_>,
    limits: &Limits,
) -> Result<Begun, Refused> {
    let UpstreamProxy { protocol, host, port, login } = proxy;
    let login = match login {
        None => None,
        Some(Err(refusal)) => return Err(Refused::broken(refusal)),
        Some(Ok(login)) => Some(read(gate, login)?),
    };
    let target = match address {
        Some(address) => Target { host: TargetHost::address(address), port: target.port },
        None => target.clone(),
    };
    let name = format!("the proxy {host}:{port}");
    let io = reach(gate, host, *port, departure, limits).await?;
    let asked = async {
        match protocol {
            UpstreamProxyProtocol::Http => http(io, &target, login.as_ref()).await,
            UpstreamProxyProtocol::Socks5 => socks(io, &target, login).await,
        }
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let answered = timeout(limits.connect, asked).await.map_err(late).flatten();
    answered.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => Refused::not_connected(&name, &error),
        _ => Refused::new(Reason::UpstreamError, "the proxy beyond the gate does not let it pass")
            .because(format!("{name}: {error}")),
    })
}

fn read(gate: &Gate, login: &UpstreamProxyLogin) -> Result<Login, Refused> {
    let UpstreamProxyLogin { user, password } = login;
    let text = |id| gate.secret(id).ok_or_else(|| Refused::misconfigured(format!("{id} is not in the snapshot")));
    Ok(Login { user: text(user)?.expose().to_owned(), password: text(password)?.clone() })
}

/// The proxy itself. Whoever writes the rule says that it may be reached.
async fn reach(
    gate: &Gate,
    host: &str,
    port: u16,
    departure: Departure<'_>,
    limits: &Limits,
) -> Result<Begun, Refused> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => {
            let name = lychgate_ir::egress::DnsName::parse(host);
            let name = name.map_err(|error| Refused::misconfigured(format!("a proxy beyond: {error}")))?;
            let found = gate.names.resolve(&name).await.map_err(|why| Refused::unresolved(host, &why))?;
            found.to_vec()
        }
    };
    let nowhere = || Err(Refused::misconfigured(format!("the proxy {host} has no address")));
    let connected = tcp_among(addresses, port, departure, limits).await.unwrap_or_else(nowhere);
    connected.map(|tcp| Begun::new(Wire::Tcp(tcp))).map_err(|mut refused| {
        if matches!(refused.reason, Reason::ConnectTimeout | Reason::UpstreamError) {
            // Of the destination nothing is known.
            refused.said = "the proxy beyond the gate cannot be reached".to_owned();
        }
        refused
    })
}

async fn http(io: Begun, target: &Target, login: Option<&Login>) -> io::Result<Begun> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(io)).await.map_err(io::Error::other)?;
    // It ends with the upgrade, or with the sender.
    tokio::spawn(connection.with_upgrades());
    let authority = target.to_string();
    let mut request = Request::connect(&authority).header(HOST, &authority);
    if let Some(Login { user, password }) = login {
        let pair = lychgate_ir::Redacted::new(format!("{user}:{}", password.expose()));
        let token = base64::engine::general_purpose::STANDARD.encode(pair.expose());
        let mut value = HeaderValue::try_from(format!("Basic {token}")).map_err(io::Error::other)?;
        value.set_sensitive(true);
        request = request.header(PROXY_AUTHORIZATION, value);
    }
    let request = request.body(Empty::new()).map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    if !response.status().is_success() {
        return Err(io::Error::other(format!("it answers {}", response.status())));
    }
    hyper::upgrade::on(response).await.map(Begun::of_upgraded).map_err(io::Error::other)
}

async fn socks(mut io: Begun, target: &Target, login: Option<Login>) -> io::Result<Begun> {
    io.write_all(&Offer { none: login.is_none(), login: login.is_some() }.write()).await?;
    match (message(&mut io, socks5::read_chosen).await?, login) {
        (Some(Method::None), _) => {}
        (Some(Method::Login), Some(login)) => {
            let login = login.write().ok_or_else(|| io::Error::other("a login that SOCKS5 cannot carry"))?;
            io.write_all(&login).await?;
            while io.seen().len() < 2 {
                if io.fill().await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            if io.seen().get(..2) != Some(&socks5::login_verdict(true)[..]) {
                return Err(io::Error::other("it does not take the login"));
            }
            io.take(2);
        }
        (Some(Method::Login) | None, _) => return Err(io::Error::other("it wants another way to log in")),
    }
    let request = socks5::Request { command: Command::Connect, target: target.clone() };
    io.write_all(&request.write()).await?;
    let Reply { outcome, bound: _ } = message(&mut io, Reply::read).await?;
    match outcome {
        Outcome::Succeeded => Ok(io),
        other => Err(io::Error::other(format!("it answers {other:?}"))),
    }
}

/// Reads one message of SOCKS5, and leaves what comes after it.
pub(super) async fn message<T>(
    io: &mut Begun,
    read: impl Fn(&[u8]) -> Result<Read<T>, socks5::BadMessage>,
) -> io::Result<T> {
    loop {
        if !io.seen().is_empty() {
            match read(io.seen()).map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))? {
                Read::Done(message, used) => {
                    io.take(used);
                    return Ok(message);
                }
                Read::More => {}
            }
        }
        if io.fill().await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

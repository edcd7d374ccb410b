//! SOCKS5 (RFC 1928), with a login by name and password if the Gateway knows any (RFC 1929).

use super::guest::Guest;
use super::refused::Refused;
use super::tunnel::Tunnel;
use super::via::message;
use super::who::{self, Client};
use super::wire::Begun;
use lychgate_egress::socks5::{self, BadMessage, Command, Login, Method, Offer, Outcome, Reply, Request};
use lychgate_telemetry::Reason;
use std::io;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};

/// Serves a connection that begins with SOCKS5.
pub(super) async fn serve(guest: Arc<Guest>, mut begun: Begun, deadline: Instant) {
    let greeted = timeout_at(deadline, greet(&guest, &mut begun)).await;
    let (client, request) = match greeted {
        Ok(Ok(greeted)) => greeted,
        Ok(Err(error)) => {
            tracing::debug!(client = %guest.peer, %error, "SOCKS5 came to nothing");
            if let Some(bad) = error.get_ref().and_then(|error| error.downcast_ref::<BadMessage>()) {
                say(&mut begun, bad.outcome()).await;
            }
            return;
        }
        Err(_) => return guest.engine.observe.metrics.refused(Reason::NoRequest),
    };
    let Request { command, target } = request;
    match command {
        Command::Connect => {}
        // Both open a port for somebody else.
        Command::Bind | Command::UdpAssociate => return say(&mut begun, Outcome::CommandNotSupported).await,
    }
    match Tunnel::open(&guest, client, target, "SOCKS5").await {
        Ok(tunnel) => {
            if begun.write_all(&Reply::of(Outcome::Succeeded).write()).await.is_ok() {
                tunnel.run(begun).await;
            }
        }
        Err(refused) => say(&mut begun, refused.outcome()).await,
    }
}

/// Who asks, and what for.
async fn greet(guest: &Guest, begun: &mut Begun) -> io::Result<(Client, Request)> {
    let (_, gate) = guest.gate().map_err(|refused: Refused| io::Error::other(refused.detail))?;
    let Offer { none, login } = message(begun, Offer::read).await?;
    let mut client = guest.client.clone();
    let asks = !gate.spec.logins.is_empty() && client.identity.is_none();
    let method = match () {
        () if login && asks => Some(Method::Login),
        () if none => Some(Method::None),
        // Clients that have a login offer nothing else, and it proves nothing where nobody is known.
        () if login => Some(Method::Login),
        () => None,
    };
    begun.write_all(&socks5::chosen(method)).await?;
    match method {
        Some(Method::None) => {}
        Some(Method::Login) => {
            let login = message(begun, Login::read).await?;
            client.login = if asks { who::knows(&gate, &login) } else { None };
            let is_right = !asks || client.login.is_some();
            begun.write_all(&socks5::login_verdict(is_right)).await?;
            if !is_right {
                guest.engine.observe.metrics.refused(Reason::EgressLogin);
                return Err(io::Error::other("a login that is not known"));
            }
        }
        None => return Err(io::Error::other("no way to log in that both know")),
    }
    Ok((client, message(begun, Request::read).await?))
}

async fn say(begun: &mut Begun, outcome: Outcome) {
    // Whoever does not want to hear it is gone anyway.
    let _ = begun.write_all(&Reply::of(outcome).write()).await;
    let _ = begun.shutdown().await;
}

//! What is sent through a proxy, by the tools of the field where there is one.

mod change;
mod datagrams;
mod h2load;
mod handshakes;
mod idle;
mod steady;
mod tunnels;
mod websocket;
mod wrk;

pub(crate) use change::Change;
pub(crate) use datagrams::{Datagrams, echoes};
pub(crate) use h2load::{Form, H2load};
pub(crate) use handshakes::Handshakes;
pub(crate) use idle::{Idle, Kind};
pub(crate) use steady::{Latency, Steady};
pub(crate) use tunnels::Tunnels;
pub(crate) use websocket::WebSockets;
pub(crate) use wrk::{Spread, Wrk};

use crate::site::Site;
use crate::tools::Tools;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// As much as goes through, from a fixed number of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// HTTP/1.1.
    Wrk(Wrk),
    /// HTTP/2.
    H2load(H2load),
    /// A TLS connection for each request.
    Handshakes(Handshakes),
    /// Bytes in connections that the proxy does not read.
    Tunnels(Tunnels),
    /// Messages, and their echoes.
    WebSockets(WebSockets),
    /// Datagrams, and their echoes.
    Datagrams(Datagrams),
}

/// What became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) count: u64,
    pub(crate) failed: u64,
    pub(crate) took: Duration,
}

impl Load {
    pub(crate) async fn run(&self, tools: &Tools, site: &Site, lasting: Duration) -> anyhow::Result<Done> {
        match self {
            Self::Wrk(wrk) => wrk.run(tools, site, lasting).await,
            Self::H2load(h2load) => h2load.run(tools, site, lasting).await,
            Self::Handshakes(handshakes) => handshakes.run(site, lasting).await,
            Self::Tunnels(tunnels) => tunnels.run(site, lasting).await,
            Self::WebSockets(websockets) => websockets.run(site, lasting).await,
            Self::Datagrams(datagrams) => datagrams.run(site, lasting).await,
        }
    }
}

/// Clients of ours until they end: what each did, and what failed.
async fn all(clients: Vec<JoinHandle<(u64, u64)>>, begun: Instant) -> anyhow::Result<Done> {
    let mut done = Done { count: 0, failed: 0, took: Duration::ZERO };
    for client in clients {
        let (count, failed) = client.await?;
        done.count += count;
        done.failed += failed;
    }
    done.took = begun.elapsed();
    Ok(done)
}

/// Where requests go: by number, so that nothing is resolved and no proxy is chosen by name.
fn url(site: &Site, tls: bool, path: &str) -> String {
    if tls { format!("https://{}{path}", site.https) } else { format!("http://{}{path}", site.http) }
}

/// The number before `word` in a text, as in `12 failed`.
fn before(text: &str, word: &str) -> Option<u64> {
    let (ahead, _) = text.split_once(word)?;
    ahead.split(|character: char| !character.is_ascii_digit()).rfind(|part| !part.is_empty())?.parse().ok()
}

/// A time as wrk and h2load write it: `3.01s`, `999.56ms`, `1.00m`.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|character: char| character.is_ascii_alphabetic())?);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::{before, time};
    use std::time::Duration;

    #[test]
    fn times_have_units() {
        assert_eq!(time("3.01s"), Some(Duration::from_millis(3010)));
        assert_eq!(time("999.56ms"), Some(Duration::from_micros(999_560)));
        assert_eq!(time("1.00m"), Some(Duration::from_secs(60)));
        assert_eq!(time("1.00"), None);
        assert_eq!(time("1.00h"), None);
    }

    #[test]
    fn numbers_stand_before_their_words() {
        let text = "requests: 1200 total, 1201 started, 1199 done, 1198 succeeded, 3 failed, 0 errored";
        assert_eq!(before(text, " succeeded"), Some(1198));
        assert_eq!(before(text, " failed"), Some(3));
        assert_eq!(before(text, " lost"), None);
    }
}

//! Asks the admin port of a running gateway.

use anyhow::{Context, bail};
use http::Uri;
use std::str::FromStr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Whoever takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// No answer is longer.
const LONGEST: u64 = 256 << 20;

/// Where an admin port is: `http://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminUrl {
    host: String,
    port: u16,
}

impl FromStr for AdminUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTS: &str = "wants http://HOST:PORT; the admin port speaks no TLS";
        let uri: Uri = text.parse().map_err(|_| WANTS)?;
        match (uri.scheme_str(), uri.host(), uri.path()) {
            (Some("http"), Some(host), "/" | "") => {
                Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port: uri.port_u16().unwrap_or(80) })
            }
            _ => Err(WANTS.to_owned()),
        }
    }
}

impl std::fmt::Display for AdminUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "http://[{host}]:{port}") } else { write!(f, "http://{host}:{port}") }
    }
}

impl AdminUrl {
    /// The body of an answer.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let asked = tokio::time::timeout(PATIENCE, self.ask(path)).await;
        let hint =
            || format!("{self}{path} cannot be read; is a gateway running, and is this its admin port (--admin)?");
        asked.context("no answer in time").flatten().with_context(hint)
    }

    async fn ask(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // HTTP/1.0: the answer ends with the connection, and is not chunked.
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.host);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        if stream.take(LONGEST + 1).read_to_end(&mut answer).await? as u64 > LONGEST {
            bail!("the answer is too long");
        }
        let answer = String::from_utf8(answer).context("the answer is no text")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
        match head.split_whitespace().nth(1) {
            Some("200") => Ok(body.to_owned()),
            Some(status) => bail!("the answer is {status}"),
            None => bail!("the answer is not HTTP"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_hosts_and_ports() {
        for (text, shown) in [
            ("http://127.0.0.1:9900", "http://127.0.0.1:9900"),
            ("http://gate.example:9900/", "http://gate.example:9900"),
            ("http://[::1]:9900", "http://[::1]:9900"),
        ] {
            assert_eq!(text.parse::<AdminUrl>().unwrap().to_string(), shown);
        }
        for text in ["https://127.0.0.1:9900", "127.0.0.1:9900", "http://127.0.0.1:9900/metrics", ""] {
            assert!(text.parse::<AdminUrl>().is_err(), "{text}");
        }
    }
}

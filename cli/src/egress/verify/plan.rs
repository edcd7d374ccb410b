//! The attempts, one after the other: each is told apart from the rest by whoever watches.

use super::attempt::{Attempt, Found};
use super::{dns, proxy, quic, tls};
use hickory_proto::rr::RecordType;
use http::Uri;
use lychgate_ir::egress::DnsName;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};

/// What is tried.
pub(super) struct Plan {
    pub(super) proxy: Option<ProxyUrl>,
    pub(super) allowed: Option<(DnsName, u16)>,
    pub(super) other: DnsName,
    pub(super) target: IpAddr,
    pub(super) target_v6: IpAddr,
    pub(super) ports: Vec<u16>,
    pub(super) metadata: IpAddr,
    pub(super) metadata_name: Option<DnsName>,
    pub(super) resolver: Option<SocketAddr>,
}

/// `http://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProxyUrl {
    host: String,
    port: u16,
}

impl FromStr for ProxyUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTS: &str = "wants http://HOST:PORT";
        let uri: Uri = text.parse().map_err(|_| WANTS)?;
        match (uri.scheme_str(), uri.host(), uri.port_u16()) {
            (Some("http"), Some(host), Some(port)) => Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port }),
            _ => Err(WANTS.to_owned()),
        }
    }
}

impl ProxyUrl {
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((self.host.as_str(), self.port)).await
    }
}

/// What was tried so far.
struct Tried {
    patience: Duration,
    found: Vec<(Attempt, Found)>,
}

impl Tried {
    async fn attempt(&mut self, name: &'static str, to: impl Into<String>, outcome: impl Future<Output = Found>) {
        let outcome = tokio::time::timeout(self.patience, outcome).await;
        let outcome = outcome.unwrap_or_else(|_| Found::Stopped("no answer in time".to_owned()));
        self.found.push((Attempt { name, to: to.into() }, outcome));
    }
}

impl Plan {
    pub(super) async fn run(&self, patience: Duration) -> Vec<(Attempt, Found)> {
        let mut tried = Tried { patience, found: Vec::new() };
        self.allowed(&mut tried).await;
        self.direct(&mut tried).await;
        self.resolvers(&mut tried).await;
        match &self.proxy {
            Some(proxy) => self.through(proxy, &mut tried).await,
            None => tried.attempt("proxy", "CONNECT and SOCKS5", async { skipped("--proxy") }).await,
        }
        tried.found
    }

    /// Without this, a host without a network would look like one that is well guarded.
    async fn allowed(&self, tried: &mut Tried) {
        let Some((name, port)) = &self.allowed else {
            return tried.attempt("allowed host", "TLS", async { skipped("--allowed") }).await;
        };
        let reached = async {
            let stream = match &self.proxy {
                Some(proxy) => proxy::connect(proxy, &format!("{name}:{port}")).await,
                None => TcpStream::connect((name.as_str(), *port)).await.map_err(|error| Found::of_error(&error)),
            };
            match stream {
                Ok(mut stream) => tls::hello(&mut stream, name.as_str()).await.of_allowed(),
                Err(found) => found.of_allowed(),
            }
        };
        tried.attempt("allowed host", format!("{name}:{port}"), reached).await;
    }

    /// Past the gate.
    async fn direct(&self, tried: &mut Tried) {
        let (target, other) = (self.target, self.other.as_str());
        let to = SocketAddr::new(target, 443);
        tried.attempt("address", format!("TLS to {to}"), hello(to, other)).await;
        let to = SocketAddr::new(target, 80);
        tried.attempt("address", format!("HTTP to {to}"), get(to)).await;
        for port in &self.ports {
            let to = SocketAddr::new(target, *port);
            tried.attempt("other port", format!("HTTP to {to}"), get(to)).await;
        }
        let to = SocketAddr::new(self.target_v6, 443);
        tried.attempt("IPv6", format!("TLS to {to}"), hello(to, other)).await;
        for target in [target, self.target_v6] {
            let to = SocketAddr::new(target, 443);
            tried.attempt("QUIC", format!("datagrams to {to}"), quic::negotiate(to)).await;
        }
        let to = SocketAddr::new(self.metadata, 80);
        tried.attempt("metadata", format!("HTTP to {to}"), get(to)).await;
        match &self.allowed {
            // A name that is allowed, claimed for an address that it does not lead to.
            Some((name, _)) => {
                let to = SocketAddr::new(target, 443);
                tried.attempt("claimed SNI", format!("TLS for {name} to {to}"), hello(to, name.as_str())).await;
                tried.attempt("other SNI", format!("TLS for {other} to {name}"), self.other_sni_direct(name)).await;
            }
            None => tried.attempt("claimed SNI", "TLS", async { skipped("--allowed") }).await,
        }
    }

    /// To the addresses of an allowed host, with another name.
    async fn other_sni_direct(&self, name: &DnsName) -> Found {
        let asked = async { dns::address(self.resolver?, name.as_str()).await };
        let to = match asked.await {
            Some(address) => Some(SocketAddr::new(address, 443)),
            // What the resolver does not say, /etc/hosts may.
            None => lookup_host((name.as_str(), 443)).await.ok().and_then(|mut found| found.next()),
        };
        match to {
            Some(to) => hello(to, self.other.as_str()).await,
            None => Found::Skipped(format!("{name} cannot be resolved here")),
        }
    }

    async fn resolvers(&self, tried: &mut Tried) {
        let other = self.other.as_str();
        let foreign = SocketAddr::new(self.target, 53);
        tried.attempt("other DNS", format!("datagram to {foreign}"), dns::ask(foreign, other, RecordType::A)).await;
        tried.attempt("other DNS", format!("TCP to {foreign}"), dns::ask_over_tcp(foreign, other, RecordType::A)).await;
        let over_tls = SocketAddr::new(self.target, 853);
        tried.attempt("other DNS", format!("TLS to {over_tls}"), hello(over_tls, other)).await;
        let Some(own) = self.resolver else {
            let why = || Found::Skipped("no resolver is known; name it with --resolver".to_owned());
            return tried.attempt("own DNS", "a name", async { why() }).await;
        };
        tried.attempt("own DNS", format!("{other} from {own}"), dns::ask(own, other, RecordType::A)).await;
        let below = self.allowed.as_ref().map_or(other, |(name, _)| name.as_str());
        let name = dns::carrying_data(below);
        let to = format!("{} bytes of name below {below} from {own}", name.len());
        tried.attempt("DNS tunnel", to, dns::ask(own, &name, RecordType::TXT)).await;
        match &self.metadata_name {
            Some(name) => {
                let asked = dns::ask(own, name.as_str(), RecordType::A);
                tried.attempt("metadata name", format!("{name} from {own}"), asked).await;
            }
            None => tried.attempt("metadata name", "from the resolver", async { skipped("--metadata-name") }).await,
        }
    }

    async fn through(&self, proxy: &ProxyUrl, tried: &mut Tried) {
        let (target, other) = (self.target, self.other.as_str());
        let by_connect = async |to: String, name: &str| match proxy::connect(proxy, &to).await {
            Ok(mut stream) => tls::hello(&mut stream, name).await,
            Err(found) => found,
        };
        let to = SocketAddr::new(target, 443).to_string();
        tried.attempt("CONNECT address", to.clone(), by_connect(to, other)).await;
        let to = format!("{other}:443");
        tried.attempt("CONNECT name", to.clone(), by_connect(to, other)).await;
        let by_socks = async {
            match proxy::socks(proxy, other, 443).await {
                Ok(mut stream) => tls::hello(&mut stream, other).await,
                Err(found) => found,
            }
        };
        tried.attempt("SOCKS5 name", format!("{other}:443"), by_socks).await;
        let metadata = SocketAddr::new(self.metadata, 80);
        let by_get = async |host: &str| match proxy.connect().await {
            Ok(mut stream) => tls::request(&mut stream, &format!("http://{host}/"), host).await,
            Err(error) => Found::of_error(&error),
        };
        let host = metadata.to_string();
        tried.attempt("metadata", format!("GET http://{host}/ from the proxy"), by_get(&host)).await;
        match &self.metadata_name {
            Some(name) => {
                let to = format!("GET http://{name}/ from the proxy");
                tried.attempt("metadata name", to, by_get(name.as_str())).await;
            }
            None => tried.attempt("metadata name", "from the proxy", async { skipped("--metadata-name") }).await,
        }
        match &self.allowed {
            Some((name, port)) => {
                let to = SocketAddr::new(target, 443).to_string();
                let text = format!("CONNECT {to}, then TLS for {name}");
                tried.attempt("claimed SNI", text, by_connect(to, name.as_str())).await;
                let to = format!("{name}:{port}");
                let text = format!("CONNECT {to}, then TLS for {other}");
                tried.attempt("other SNI", text, by_connect(to, other)).await;
            }
            None => tried.attempt("other SNI", "CONNECT", async { skipped("--allowed") }).await,
        }
    }
}

async fn hello(to: SocketAddr, name: &str) -> Found {
    match TcpStream::connect(to).await {
        Ok(mut stream) => tls::hello(&mut stream, name).await,
        Err(error) => Found::of_error(&error),
    }
}

async fn get(to: SocketAddr) -> Found {
    match TcpStream::connect(to).await {
        Ok(mut stream) => tls::request(&mut stream, "/", &to.to_string()).await,
        Err(error) => Found::of_error(&error),
    }
}

fn skipped(option: &str) -> Found {
    Found::Skipped(format!("wants {option}"))
}

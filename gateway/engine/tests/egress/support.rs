//! A gateway with one listener for proxies, origins with certificates, and a name server whose answers change.

mod dns;
mod logs;
mod policies;
mod routes;

pub(crate) use dns::Dns;
pub(crate) use logs::{audit_into, audit_required, written};
pub(crate) use policies::*;
pub(crate) use routes::*;

use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_engine::{Bind, Engine, Limits, Observe};
use lychgate_ir::egress::{
    DnsProtocol, DnsUpstream, EgressDns, EgressGateway, EgressMode, EgressPolicy, EgressPolicyId, TrustDomains,
};
use lychgate_ir::{
    Endpoints, GatewayId, HostPattern, Listener, ListenerId, ListenerOwner, ListenerTls, ObjectName, Protocol,
    Snapshot, Transport,
};
use lychgate_telemetry::{AccessFormat, AccessLog, AccessLogOptions, AccessTarget, Metrics, MetricsLimits};
use lychgate_testkit::{Authority, ClientTls, server_tls};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Nothing takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn gateway_id() -> GatewayId {
    GatewayId(ObjectName::new("egress", "out"))
}

/// A gateway that serves.
pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) dns: Dns,
    pub(crate) proxy: SocketAddr,
    pub(crate) drain: watch::Sender<bool>,
    snapshot: Mutex<Snapshot>,
    _tasks: JoinSet<()>,
}

/// How it differs from the usual one.
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<ListenerTls>,
    pub(crate) audit: Option<lychgate_audit::Audit>,
    /// A file for the access log.
    pub(crate) access_log: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        let limits = Limits { resolve: Duration::from_secs(2), ..Limits::default() };
        Self { limits, protocol: Protocol::Proxy, tls: None, audit: None, access_log: None }
    }
}

impl World {
    /// With one policy, enforced for everyone, of these rules; clients on loopback are the service account `shop/cart`.
    pub(crate) async fn allowing(rules: Vec<lychgate_ir::egress::EgressRule>) -> Self {
        Self::with(vec![for_everyone(rules)], |_| {}, Setup::default()).await
    }

    pub(crate) async fn with(policies: Vec<EgressPolicy>, edit: impl FnOnce(&mut Snapshot), setup: Setup) -> Self {
        let Setup { limits, protocol, tls, audit, access_log } = setup;
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let access_log = access_log.map(|file| {
            AccessLog::start(AccessLogOptions::new(AccessTarget::File(file), AccessFormat::Json), metrics.clone())
                .unwrap()
        });
        let mut observe = Arc::into_inner(Observe::metrics(metrics)).unwrap();
        observe.audit = audit;
        observe.access_log = access_log;
        let engine = Engine::new(NonZeroUsize::MIN, limits, Arc::new(observe)).unwrap();
        let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
        let proxy = listener.local_addr().unwrap();
        let dns = Dns::start().await;
        let mut snapshot = snapshot(proxy, &dns, protocol, tls);
        put(&mut snapshot, policies);
        edit(&mut snapshot);
        engine.apply(&Arc::new(snapshot.clone()), &Endpoints::new());
        let (drain, draining) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let serving = engine.clone();
        tasks.spawn(async move {
            let bind = Bind { address: Some(proxy.ip()), port: proxy.port(), transport: Transport::Tcp };
            // Dropped with the task, so that what is left of connections ends with the test.
            let mut connections = JoinSet::new();
            while let Ok((tcp, peer)) = listener.accept().await {
                connections.spawn(serving.clone().serve(bind, tcp, peer, draining.clone()));
            }
        });
        Self { engine, dns, proxy, drain, snapshot: Mutex::new(snapshot), _tasks: tasks }
    }

    /// Serves other policies from now on.
    pub(crate) fn apply(&self, policies: Vec<EgressPolicy>) {
        self.change(|snapshot| put(snapshot, policies));
    }

    /// Serves something else from now on.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = self.snapshot.lock().unwrap();
        change(&mut snapshot);
        self.engine.apply(&Arc::new(snapshot.clone()), &Endpoints::new());
    }

    /// Asks with curl, through the proxy.
    pub(crate) async fn curl(&self, arguments: &[&str]) -> Curl {
        let proxy = format!("http://{}", self.proxy);
        curl(&[&["-x", &proxy][..], arguments].concat()).await
    }

    /// Opens a tunnel by CONNECT.
    pub(crate) async fn tunnel(&self, target: &str) -> (String, TcpStream) {
        let mut stream = TcpStream::connect(self.proxy).await.unwrap();
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        (head(&mut stream).await, stream)
    }

    /// Waits until a metric has this value.
    pub(crate) async fn counted(&self, series: &str, value: u64) {
        let line = format!("{series} {value}");
        let counted = async {
            while !self.engine.metrics().lines().any(|found| found == line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, counted).await.is_err() {
            let metrics = self.engine.metrics();
            let egress: Vec<&str> = metrics.lines().filter(|line| line.starts_with("lychgate_egress")).collect();
            panic!("never {line}:\n{}", egress.join("\n"));
        }
    }
}

fn snapshot(proxy: SocketAddr, dns: &Dns, protocol: Protocol, tls: Option<ListenerTls>) -> Snapshot {
    let gateway = gateway_id();
    let id = ListenerId { gateway: gateway.clone(), owner: ListenerOwner::Gateway, section: "proxy".into() };
    let listener = Listener {
        id: id.clone(),
        addresses: vec![proxy.ip()],
        port: proxy.port(),
        protocol,
        hostname: HostPattern::Any,
        tls,
        upstream_identity: None,
        trusted_hops: 0,
        proxy_protocol_from: vec![],
        filters: vec![],
        leaves: true,
    };
    let upstream =
        DnsUpstream { protocol: DnsProtocol::Udp, address: dns.address().ip(), port: dns.address().port(), name: None };
    let egress = EgressGateway {
        default: EgressMode::Enforce,
        cluster: vec![],
        policies: vec![],
        logins: Default::default(),
        trust_domains: TrustDomains::default(),
        dns: EgressDns { upstreams: vec![upstream], ..EgressDns::default() },
        inspection: None,
    };
    Snapshot {
        listeners: [(id, Arc::new(listener))].into(),
        egress: [(gateway, Arc::new(egress))].into(),
        workloads: [(LOCAL, cart())].into(),
        ..Snapshot::default()
    }
}

fn put(snapshot: &mut Snapshot, policies: Vec<EgressPolicy>) {
    let named = policies
        .into_iter()
        .enumerate()
        .map(|(index, policy)| (EgressPolicyId(ObjectName::new("shop", format!("policy-{index}"))), Arc::new(policy)));
    snapshot.egress_policies = named.collect();
    let ids = snapshot.egress_policies.keys().cloned().collect();
    edit_gateway(snapshot, |gateway| gateway.policies = ids);
}

/// Changes the Gateway.
pub(crate) fn edit_gateway(snapshot: &mut Snapshot, edit: impl FnOnce(&mut EgressGateway)) {
    edit(Arc::make_mut(snapshot.egress.get_mut(&gateway_id()).unwrap()));
}

/// Runs curl: quiet, no settings of the user's, not for ever.
pub(crate) async fn curl(arguments: &[&str]) -> Curl {
    let mut command = std::process::Command::new("curl");
    command.args(["-q", "-sS", "--max-time", "20", "-w", "\n%{http_code} %{http_connect}"]).args(arguments);
    let Output { status: _, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().expect("these tests need curl")).await.unwrap();
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    let (body, codes) = stdout.rsplit_once('\n').unwrap();
    let (code, connect) = codes.split_once(' ').unwrap();
    Curl {
        body: body.to_owned(),
        status: code.parse().unwrap(),
        connect: connect.parse().unwrap(),
        error: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// What curl saw.
#[derive(Debug)]
pub(crate) struct Curl {
    pub(crate) body: String,
    pub(crate) status: u16,
    /// What CONNECT was answered.
    pub(crate) connect: u16,
    pub(crate) error: String,
}

/// Reads the head of a response.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    String::from_utf8(head).unwrap()
}

/// Reads one response of HTTP/1.1 with a length: its head and its body.
pub(crate) async fn response(stream: &mut TcpStream) -> (String, String) {
    let head = head(stream).await;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    soon(stream.read_exact(&mut body)).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wanted).await.expect("it never came")
}

/// An origin that echoes over HTTP, HTTPS and TCP, with a certificate for these names.
pub(crate) struct Origin {
    pub(crate) authority: Authority,
    pub(crate) server: EchoServer,
    _file: tempfile::NamedTempFile,
    pub(crate) ca: String,
}

impl Origin {
    pub(crate) async fn start(names: &[&str]) -> Self {
        let authority = Authority::new("origins");
        let tls = server_tls(&authority.server(names));
        Self::with(authority, tls).await
    }

    /// With other settings of TLS.
    pub(crate) async fn with(authority: Authority, tls: rustls::ServerConfig) -> Self {
        let any = (LOCAL, 0).into();
        let tls = Arc::new(tls);
        let config = EchoConfig::loopback().with_https(any, tls.clone()).with_tls(any, tls).with_tcp(any);
        let server = EchoServer::bind(config).await.unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), authority.pem()).unwrap();
        let ca = file.path().to_str().unwrap().to_owned();
        Self { authority, server, _file: file, ca }
    }

    pub(crate) fn http(&self) -> u16 {
        self.server.local_addr(Port::Http).unwrap().port()
    }

    pub(crate) fn https(&self) -> u16 {
        self.server.local_addr(Port::Https).unwrap().port()
    }

    pub(crate) fn tcp(&self) -> u16 {
        self.server.local_addr(Port::Tcp).unwrap().port()
    }

    /// Whatever comes inside TLS comes back.
    pub(crate) fn sealed(&self) -> u16 {
        self.server.local_addr(Port::Tls).unwrap().port()
    }

    pub(crate) fn tls(&self) -> ClientTls {
        ClientTls::trusting(&self.authority)
    }
}

/// Speaks TLS over a tunnel, naming this server, and asks for `/`.
pub(crate) async fn get_over_tls(stream: TcpStream, tls: &ClientTls, server: &str) -> Result<String, String> {
    let connector = tokio_rustls::TlsConnector::from(tls.config());
    let name = rustls::pki_types::ServerName::try_from(server.to_owned()).unwrap();
    let asked = async {
        let mut stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        let request = format!("GET / HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    soon(asked).await
}

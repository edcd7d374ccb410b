//! `lychgate echo`: the arguments, and a server for each HTTP address.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

use crate::{EchoConfig, EchoIdentity, EchoServer, Port, RawMode};

/// Run an echo server: a backend that answers every protocol and tells what arrived.
///
/// Requests steer the answer: ?status=503, ?delay=200ms, ?size=1048576, ?echo=body, ?trailers=1, ?abort=reset,
/// ?fail=2&key=abc, and more (as query parameters, or as headers such as x-echo-status).
#[derive(Clone, Debug, clap::Args)]
pub struct EchoArgs {
    /// Serve HTTP/1.1, h2c, gRPC and WebSocket here; repeat it for several backends, each a pod of its own.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    pub http: Vec<SocketAddr>,
    /// Serve the same over TLS.
    #[arg(long, value_name = "ADDR", requires_all = ["cert", "key"])]
    pub https: Option<SocketAddr>,
    /// Serve a TCP echo.
    #[arg(long, value_name = "ADDR")]
    pub tcp: Option<SocketAddr>,
    /// Serve a TCP echo under TLS.
    #[arg(long, value_name = "ADDR", requires_all = ["cert", "key"])]
    pub tls: Option<SocketAddr>,
    /// Serve a UDP echo.
    #[arg(long, value_name = "ADDR")]
    pub udp: Option<SocketAddr>,
    /// The certificate chain for --https and --tls, PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Ask clients for a certificate by one of these authorities, PEM; a client without one is served too.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub client_ca: Option<PathBuf>,
    /// Speak the lines of the Gateway API conformance suite on --tcp and --tls, and its JSON on --udp.
    #[arg(long)]
    pub conformance: bool,
    /// Let every connection begin with a header of the PROXY protocol, and tell what it says; others are closed.
    #[arg(long)]
    pub proxy_protocol: bool,
    /// The namespace that answers tell.
    #[arg(long, env = "NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// The ingress controller that answers tell.
    #[arg(long, env = "INGRESS_NAME", default_value = "", hide_default_value = true)]
    pub ingress: String,
    /// The Service that answers tell.
    #[arg(long, env = "SERVICE_NAME", default_value = "echo")]
    pub service: String,
    /// The pod that answers tell; echo-PORT if it is not given.
    #[arg(long, env = "POD_NAME")]
    pub pod: Option<String>,
}

/// Why the echo server does not run.
#[derive(Debug, Error)]
pub enum EchoError {
    /// A port cannot be bound; the text names it.
    #[error("{0}")]
    Bind(std::io::Error),
    /// A file is not what it should be.
    #[error("{}: {why}; it should be {wanted} in PEM", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
        /// What it is not.
        why: String,
    },
    /// The terminal does not take what is printed.
    #[error("cannot print: {0}")]
    Print(std::io::Error),
}

/// Serves until `stop` is done, and prints to `out` what is served and where.
///
/// # Errors
/// A port that cannot be bound, a file that is no certificate or key, an `out` that takes nothing.
pub async fn run(args: EchoArgs, out: &mut impl Write, stop: impl Future<Output = ()>) -> Result<(), EchoError> {
    let configs = configs(args)?;
    let mut servers = Vec::with_capacity(configs.len());
    for config in configs {
        servers.push(EchoServer::bind(config).await.map_err(EchoError::Bind)?);
    }
    print(&servers, out).map_err(EchoError::Print)?;
    stop.await;
    futures::future::join_all(servers.into_iter().map(EchoServer::shutdown)).await;
    Ok(())
}

/// One server for each HTTP address; the other ports belong to the first.
fn configs(args: EchoArgs) -> Result<Vec<EchoConfig>, EchoError> {
    let EchoArgs {
        http,
        https,
        tcp,
        tls,
        udp,
        cert,
        key,
        client_ca,
        conformance,
        proxy_protocol,
        namespace,
        ingress,
        service,
        pod,
    } = args;
    let settings = match (cert, key) {
        (Some(cert), Some(key)) => Some(Arc::new(server_tls(&cert, &key, client_ca.as_deref())?)),
        (Some(_) | None, Some(_) | None) => None,
    };
    let mut base = EchoConfig::default().with_raw(if conformance { RawMode::Conformance } else { RawMode::Bytes });
    if proxy_protocol {
        base = base.with_proxy_protocol();
    }
    let mut configs: Vec<EchoConfig> = http
        .into_iter()
        .map(|addr| {
            let pod = pod.clone().unwrap_or_else(|| format!("{service}-{}", addr.port()));
            let (namespace, ingress, service) = (namespace.clone(), ingress.clone(), service.clone());
            base.clone().with_http(addr).with_identity(EchoIdentity { namespace, ingress, service, pod })
        })
        .collect();
    if let Some(first) = configs.first_mut() {
        let mut config = std::mem::take(first);
        if let (Some(addr), Some(settings)) = (https, &settings) {
            config = config.with_https(addr, Arc::clone(settings));
        }
        if let (Some(addr), Some(settings)) = (tls, &settings) {
            config = config.with_tls(addr, Arc::clone(settings));
        }
        if let Some(addr) = tcp {
            config = config.with_tcp(addr);
        }
        if let Some(addr) = udp {
            config = config.with_udp(addr);
        }
        *first = config;
    }
    Ok(configs)
}

fn print(servers: &[EchoServer], out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "lychgate echo answers on")?;
    for server in servers {
        for (port, addr) in server.local_addrs() {
            let (url, what) = match port {
                Port::Http => (format!("http://{addr}"), "HTTP/1.1, h2c, gRPC, WebSocket"),
                Port::Https => (format!("https://{addr}"), "HTTP/1.1, HTTP/2, gRPC, WebSocket"),
                Port::Tcp => (format!("tcp://{addr}"), "TCP"),
                Port::Tls => (format!("tls://{addr}"), "TCP under TLS"),
                Port::Udp => (format!("udp://{addr}"), "UDP"),
            };
            writeln!(out, "  {url:<28} {what:<36} as {}", server.identity().pod)?;
        }
    }
    out.flush()
}

fn server_tls(cert: &Path, key: &Path, client_ca: Option<&Path>) -> Result<ServerConfig, EchoError> {
    let chain = certificates(cert)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| not(key, "a private key", &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| not(cert, "a certificate", &error))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| not(path, "the certificate of an authority", &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| not(path, "the certificate of an authority", &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder
        .with_single_cert(chain, secret)
        .map_err(|error| not(key, "the private key of the certificate given", &error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, EchoError> {
    let wanted = "a chain of certificates";
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| not(path, wanted, &error))?.collect();
    match chain.map_err(|error| not(path, wanted, &error))? {
        none if none.is_empty() => Err(not(path, wanted, &"it has no certificate")),
        chain => Ok(chain),
    }
}

fn not(path: &Path, wanted: &'static str, why: &dyn std::fmt::Display) -> EchoError {
    EchoError::File { path: path.to_owned(), wanted, why: why.to_string() }
}

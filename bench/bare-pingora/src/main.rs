//! Pingora as its examples use it: every request goes to one address.
//!
//! **Owns**: nothing. It is what Lychgate is measured against, to see what routing, limits and metrics add.
//!
//! **Refuses**: to be tuned. Its allocator, its runtime and its limits are Pingora's own, and it is Pingora as published: a
//! workspace of its own, without the patches that Lychgate has (`third_party/README.md`), built with the same profile.

use async_trait::async_trait;
use clap::Parser;
use pingora_core::listeners::tls::TlsSettings;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::Result;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};
use std::net::SocketAddr;

/// Pingora alone.
#[derive(Debug, Parser)]
struct Args {
    /// Where it serves HTTP/1.1.
    #[arg(long)]
    http: SocketAddr,
    /// Where it serves the same, and HTTP/2, over TLS.
    #[arg(long)]
    https: SocketAddr,
    /// The certificate, PEM.
    #[arg(long)]
    cert: String,
    /// Its key, PEM.
    #[arg(long)]
    key: String,
    /// Where all requests go.
    #[arg(long)]
    backend: SocketAddr,
}

struct Bare {
    backend: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut Self::CTX) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.backend, false, String::new())))
    }
}

fn main() -> anyhow::Result<()> {
    let Args { http, https, cert, key, backend } = Args::parse();
    let mut server = Server::new_with_opt_and_conf(None, ServerConf::default());
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { backend });
    service.add_tcp(&http.to_string());
    let mut tls = TlsSettings::intermediate(&cert, &key).map_err(|error| anyhow::anyhow!("{cert}, {key}: {error}"))?;
    tls.enable_h2();
    service.add_tls_with_settings(&https.to_string(), None, tls);
    server.add_service(service);
    server.run_forever()
}

//! What a hostile or careless client can send, and what becomes of it: it is refused, counted, logged, and no backend
//! and no other client notices.

mod connections;
mod framing;
mod http2;
mod sizes;
mod slow;

use crate::support::{Site, echo, gateway, http_route, service, service_speaking};
use lychgate_echo::EchoServer;
use lychgate_gateway::standalone::Options;
use lychgate_testkit::{Dial, free_addr};
use std::net::SocketAddr;

/// A gateway with an echo server behind every path, and limits of its own.
struct Bed {
    it: EchoServer,
    site: Site,
    at: SocketAddr,
}

async fn bed(edit: impl FnOnce(&mut Options)) -> Bed {
    bed_with("    - backendRefs: [{name: it, port: 80}]\n", edit).await
}

/// The same, with an echo server that is spoken to over this protocol.
async fn speaking(protocol: Option<&str>, edit: impl FnOnce(&mut Options)) -> Bed {
    let (it, address) = echo("it").await;
    let rule = "    - backendRefs: [{name: it, port: 80}]\n";
    with_objects(it, service_speaking("it", protocol, &[address]) + &http_route("it", "[]", rule), edit).await
}

/// The same, with a rule of its own.
async fn bed_with(rule: &str, edit: impl FnOnce(&mut Options)) -> Bed {
    let (it, address) = echo("it").await;
    with_objects(it, service("it", &[address]) + &http_route("it", "[]", rule), edit).await
}

async fn with_objects(it: EchoServer, objects: String, edit: impl FnOnce(&mut Options)) -> Bed {
    let at = free_addr();
    let gateway = gateway(&format!("    - {{name: http, protocol: HTTP, port: {}}}\n", at.port()));
    let files = [("gateway.yaml", gateway.as_str()), ("objects.yaml", objects.as_str())];
    let site = Site::try_serve_with(&files, edit).await.unwrap();
    Bed { it, site, at }
}

impl Bed {
    /// How often something was refused for this reason.
    async fn refused(&self, reason: &str) -> u64 {
        let url = format!("http://{}/metrics", self.site.admin());
        let text = Dial::http1(self.site.admin()).get(&url).await.unwrap().text();
        let name = format!("lychgate_refused_total{{reason=\"{reason}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
    }

    /// How many bytes of responses wait for their clients.
    async fn waiting(&self) -> usize {
        let url = format!("http://{}/metrics", self.site.admin());
        let text = Dial::http1(self.site.admin()).get(&url).await.unwrap().text();
        text.lines().find_map(|line| line.strip_prefix("lychgate_responses_waiting_bytes ")?.parse().ok()).unwrap()
    }

    /// Whether a proper client is served as ever.
    async fn serves(&self) -> bool {
        Dial::http1(self.at).get("http://a.example/").await.is_ok_and(|reply| reply.status == 200)
    }
}

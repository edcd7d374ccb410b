//! nginx as a backend.

use crate::process::{Invocation, Process};
use crate::site::Identity;
use crate::tools::Tools;
use std::net::SocketAddr;
use std::path::Path;

/// What `/large` answers with, and what is sent to `/take`.
pub(crate) const LARGE: usize = 1 << 20;

/// How many addresses there are for one backend.
const MANY: u16 = 1_000;

pub(super) async fn start(
    tools: &Tools,
    dir: &Path,
    at: [SocketAddr; 3],
    identity: &Identity,
) -> anyhow::Result<Process> {
    let dir = dir.join("backend");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("large"), vec![b'x'; LARGE])?;
    let (config, log) = (dir.join("nginx.conf"), dir.join("log"));
    std::fs::write(&config, text(&dir.to_string_lossy(), at, identity))?;
    let invocation = Invocation::new(&tools.find("nginx")?).with(["-e", "stderr", "-c"]).with_path(&config);
    let mut nginx = Process::start(&invocation, &log)?;
    nginx.accepts(at[0], &log).await?;
    Ok(nginx)
}

/// A thousand addresses at which the backend at `at` is as well, for who balances between them.
pub(crate) fn many(at: SocketAddr) -> impl Iterator<Item = SocketAddr> {
    (0..MANY).map(move |number| {
        let [high, low] = number.to_be_bytes();
        SocketAddr::from(([127, 1, high, low], at.port()))
    })
}

/// Connections are kept, however often they are used: how often a proxy opens one is its own matter. `/take` reads a body
/// before it answers.
fn text(dir: &str, [http, https, failing]: [SocketAddr; 3], identity: &Identity) -> String {
    let many: String = many(http).map(|at| format!("    listen {at};\n")).collect();
    let body = "x".repeat(129);
    let (chain, key) = (identity.chain.display(), identity.key.display());
    format!(
        "daemon off;
master_process off;
pid {dir}/pid;
worker_rlimit_nofile 131072;
events {{ worker_connections 65536; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_max_body_size 0;
  client_body_buffer_size 2m;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  scgi_temp_path {dir}/scgi;
  uwsgi_temp_path {dir}/uwsgi;
  sendfile on;
  default_type text/plain;
  server {{
    listen {failing};
    return 503;
  }}
  server {{
{many}    listen {http} backlog=4096;
    listen {https} ssl backlog=4096;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    location / {{ return 200 '{body}'; }}
    location = /large {{ alias {dir}/large; }}
    location = /take {{ proxy_pass http://{http}/taken; proxy_pass_request_body off; proxy_set_header Content-Length ''; }}
  }}
}}
"
    )
}

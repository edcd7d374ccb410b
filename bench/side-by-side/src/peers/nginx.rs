//! nginx: one worker; connections to backends kept, which it does only if it is told to, and those of clients not ended
//! after a thousand requests, which h2load takes for failures.

mod passed;
mod routes;
mod words;

use super::number;
use crate::process::{Invocation, Process};
use crate::scene::Scene;
use crate::site::Site;
use crate::tools::Tools;
use rustix::process::{Signal, geteuid};

pub(super) async fn version(tools: &Tools) -> anyhow::Result<String> {
    Ok(number(&Invocation::new(&tools.find("nginx")?).with(["-v"]).output().await?))
}

pub(super) fn can(scene: Scene) -> bool {
    match scene {
        Scene::Plain
        | Scene::Logged
        | Scene::Routes(_)
        | Scene::Grpc
        | Scene::Passed
        | Scene::Tunnelled
        | Scene::Endpoints(_)
        | Scene::WebSocket
        | Scene::Datagrams
        | Scene::Changing(_) => true,
        Scene::Filtered(filtered) => words::has(filtered),
        Scene::Traced => false,
    }
}

pub(super) fn invocation(tools: &Tools, site: &Site) -> anyhow::Result<Invocation> {
    let unread = matches!(site.scene, Scene::Passed | Scene::Tunnelled | Scene::Datagrams);
    let config = site.write("nginx.conf", &if unread { passed::text(site) } else { text(site, 0)? })?;
    Ok(Invocation::new(&tools.find("nginx")?).with(["-e", "stderr", "-c"]).with_path(&config))
}

pub(super) fn change(site: &Site, process: &Process, version: u32) -> anyhow::Result<()> {
    site.replace("nginx.conf", &text(site, version)?)?;
    process.signal(Signal::HUP)
}

/// All but what is passed through; `version` is that of the route that changes, if one does.
fn text(site: &Site, version: u32) -> anyhow::Result<String> {
    let dir = site.dir.to_string_lossy();
    let log = site.access_log().map_or_else(|| "off".to_owned(), |path| path.to_string_lossy().into_owned());
    let servers = routes::servers(site, version)?;
    let (chain, key) = (site.identity.chain.display(), site.identity.key.display());
    let (process, upstream, before) = (process(site), upstream(site), words::before(site.scene));
    Ok(format!(
        "daemon off;
{process}
worker_processes 1;
pid {dir}/pid;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
  access_log {log};
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  scgi_temp_path {dir}/scgi;
  uwsgi_temp_path {dir}/uwsgi;
  ssl_certificate {chain};
  ssl_certificate_key {key};
  ssl_session_cache shared:tls:16m;
  server_names_hash_max_size 262144;
  server_names_hash_bucket_size 128;
  map_hash_max_size 262144;
  map_hash_bucket_size 128;
  upstream backend {{ {upstream} keepalive 1024; }}
{before}{servers}}}
"
    ))
}

/// Only a master takes a new config; its workers would be nobody, who may not read our folder.
fn process(site: &Site) -> &'static str {
    match site.scene.changing() {
        Some(_) if geteuid().is_root() => "user root;",
        Some(_) => "",
        None => "master_process off;",
    }
}

/// One that failed is asked again, as all others do.
fn upstream(site: &Site) -> String {
    site.endpoints.iter().map(|at| format!("server {at} max_fails=0;")).collect::<Vec<_>>().join(" ")
}

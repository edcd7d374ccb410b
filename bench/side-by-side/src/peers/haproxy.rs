//! HAProxy: one thread; many routes as maps, as its documents say.

mod words;

use super::number;
use crate::process::{Invocation, Process};
use crate::scene::{By, Filtered, Routes, Scene, changed};
use crate::site::{HOST, Site};
use crate::tools::Tools;
use rustix::process::Signal;

pub(super) async fn version(tools: &Tools) -> anyhow::Result<String> {
    Ok(number(&Invocation::new(&tools.find("haproxy")?).with(["-v"]).output().await?))
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
        | Scene::Changing(_) => true,
        Scene::Filtered(filtered) => words::has(filtered),
        Scene::Datagrams | Scene::Traced => false,
    }
}

pub(super) fn invocation(tools: &Tools, site: &Site) -> anyhow::Result<Invocation> {
    let text = if matches!(site.scene, Scene::Passed | Scene::Tunnelled) { passed(site) } else { text(site)? };
    let config = site.write("haproxy.cfg", &text)?;
    let invocation = Invocation::new(&tools.find("haproxy")?);
    // In the foreground; with a process that watches it, and takes a new config, only where that is the question.
    let how = if site.scene.changing().is_some() { "-W" } else { "-db" };
    Ok(invocation.with([how, "-f"]).with_path(&config))
}

pub(super) fn change(site: &Site, process: &Process, version: u32) -> anyhow::Result<()> {
    let Some(count) = site.scene.changing() else { return Ok(()) };
    site.replace(MAP, &map(Routes { by: By::Path, count }, &format!("{} it\n", changed(version))))?;
    process.signal(Signal::USR2)
}

fn servers(endpoints: &[std::net::SocketAddr], more: &str) -> String {
    endpoints.iter().enumerate().map(|(number, at)| format!("  server it{number} {at}{more}\n")).collect()
}

fn passed(site: &Site) -> String {
    let Site { http, https, endpoints, tls_backend, scene: _, connects: _, dir: _, admin: _, identity: _ } = site;
    let clear = servers(endpoints, "");
    format!(
        "global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clear
  bind {http}
  default_backend clear
backend clear
{clear}frontend tls
  bind {https}
  tcp-request inspect-delay 5s
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
  use_backend tls if {{ req.ssl_sni -i {HOST} }}
backend tls
  server it {tls_backend}
"
    )
}

fn text(site: &Site) -> anyhow::Result<String> {
    let (http, https, both) = (site.http, site.https, site.identity.both.display());
    let proto = if site.http2_behind() { " proto h2" } else { "" };
    // Its log goes to standard output, which goes to a file.
    let log = if site.access_log().is_some() { "  log stdout format raw local0\n  option httplog\n" } else { "" };
    let filtered = site.scene.filtered();
    let cookie = if filtered == Some(Filtered::Session) { " cookie it" } else { "" };
    let servers = servers(&site.endpoints, &format!("{proto}{cookie}"));
    let (words, route) = (filtered.map_or("", words::of), route(site)?);
    Ok(format!(
        "global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
frontend it
{log}  bind {http}{proto}
  bind {https} ssl crt {both} alpn h2,http/1.1
  {route}
backend it
  balance roundrobin
{words}{servers}"
    ))
}

const MAP: &str = "routes.map";

fn route(site: &Site) -> anyhow::Result<String> {
    let (routes, more) = match site.scene {
        Scene::Plain
        | Scene::Logged
        | Scene::Grpc
        | Scene::Passed
        | Scene::Tunnelled
        | Scene::Filtered(_)
        | Scene::Endpoints(_)
        | Scene::WebSocket
        | Scene::Datagrams
        | Scene::Traced => return Ok("default_backend it".to_owned()),
        Scene::Routes(routes) => (routes, String::new()),
        Scene::Changing(count) => (Routes { by: By::Path, count }, format!("{} it\n", changed(0))),
    };
    let sample = match routes.by {
        By::Path => "path,map_beg",
        By::Host => "req.hdr(host),map_str",
        By::Header => "req.hdr(x-route),map_str",
        By::Regex => "path,map_reg",
    };
    let map = site.write(MAP, &map(routes, &more))?;
    Ok(format!("use_backend %[{sample}({})]", map.display()))
}

fn map(Routes { by, count }: Routes, more: &str) -> String {
    let key = |route: u32| match by {
        By::Path => format!("/r{route}/"),
        By::Host => format!("h{route}.example.com"),
        By::Header => format!("r{route}"),
        By::Regex => format!("^/r{route}/[0-9]+$"),
    };
    (0..count).map(|route| format!("{} it\n", key(route))).collect::<String>() + more
}

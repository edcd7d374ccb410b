//! HAProxy: one thread; many routes as maps, as its documents say.

use super::number;
use crate::process::Invocation;
use crate::scene::{By, Routes, Scene};
use crate::site::{HOST, Site};
use crate::tools::Tools;

pub(super) async fn version(tools: &Tools) -> anyhow::Result<String> {
    Ok(number(&Invocation::new(&tools.find("haproxy")?).with(["-v"]).output().await?))
}

pub(super) fn invocation(tools: &Tools, site: &Site) -> anyhow::Result<Option<Invocation>> {
    let text = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Routes(_) | Scene::Grpc => text(site)?,
        Scene::Passed => passed(site),
        Scene::Filtered(_) => return Ok(None),
    };
    let config = site.write("haproxy.cfg", &text)?;
    // In the foreground, without a process that watches it.
    Ok(Some(Invocation::new(&tools.find("haproxy")?).with(["-db", "-f"]).with_path(&config)))
}

fn passed(site: &Site) -> String {
    let Site { http, https, backend, tls_backend, scene: _, dir: _, admin: _, grpc: _, identity: _ } = site;
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
  server it {backend}
frontend tls
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
    let proto = if site.scene == Scene::Grpc { " proto h2" } else { "" };
    // Its log goes to standard output, which goes to a file.
    let log = if site.access_log().is_some() { "  log stdout format raw local0\n  option httplog\n" } else { "" };
    let backend = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Routes(_) | Scene::Passed | Scene::Filtered(_) => site.backend,
        Scene::Grpc => site.grpc,
    };
    let route = route(site)?;
    Ok(format!(
        "global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend it
{log}  bind {http}{proto}
  bind {https} ssl crt {both} alpn h2,http/1.1
  {route}
backend it
  server it {backend}{proto}
"
    ))
}

fn route(site: &Site) -> anyhow::Result<String> {
    let Routes { by, count } = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Grpc | Scene::Passed | Scene::Filtered(_) => {
            return Ok("default_backend it".to_owned());
        }
        Scene::Routes(routes) => routes,
    };
    let (sample, key): (_, fn(u32) -> String) = match by {
        By::Path => ("path,map_beg", |route| format!("/r{route}/")),
        By::Host => ("req.hdr(host),map_str", |route| format!("h{route}.example.com")),
        By::Header => ("req.hdr(x-route),map_str", |route| format!("r{route}")),
        By::Regex => ("path,map_reg", |route| format!("^/r{route}/[0-9]+$")),
    };
    let map: String = (0..count).map(|route| format!("{} it\n", key(route))).collect();
    let map = site.write("routes.map", &map)?;
    Ok(format!("use_backend %[{sample}({})]", map.display()))
}

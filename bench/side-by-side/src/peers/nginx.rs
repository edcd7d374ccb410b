//! nginx: one worker; connections to backends kept, which it does only if it is told to, and those of clients not ended
//! after a thousand requests, which h2load takes for failures.

use super::number;
use crate::process::Invocation;
use crate::scene::{By, Routes, Scene};
use crate::site::{HOST, Site};
use crate::tools::Tools;
use std::fmt::Write as _;
use std::path::Path;

pub(super) async fn version(tools: &Tools) -> anyhow::Result<String> {
    Ok(number(&Invocation::new(&tools.find("nginx")?).with(["-v"]).output().await?))
}

/// Where Debian puts what carries connections unread; others build it in.
const STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

pub(super) fn invocation(tools: &Tools, site: &Site) -> anyhow::Result<Option<Invocation>> {
    let text = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Routes(_) | Scene::Grpc => text(site)?,
        Scene::Passed => passed(site),
        Scene::Filtered(_) => return Ok(None),
    };
    let config = site.write("nginx.conf", &text)?;
    Ok(Some(Invocation::new(&tools.find("nginx")?).with(["-e", "stderr", "-c"]).with_path(&config)))
}

fn passed(site: &Site) -> String {
    let Site { http, https, backend, tls_backend, dir, scene: _, admin: _, grpc: _, identity: _ } = site;
    let dir = dir.display();
    let load = if Path::new(STREAM).exists() { format!("load_module {STREAM};") } else { String::new() };
    format!(
        "{load}
daemon off;
master_process off;
pid {dir}/pid;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
stream {{
  map $ssl_preread_server_name $to {{ {HOST} {tls_backend}; }}
  server {{ listen {http}; proxy_pass {backend}; }}
  server {{ listen {https}; ssl_preread on; proxy_pass $to; }}
}}
"
    )
}

fn text(site: &Site) -> anyhow::Result<String> {
    let dir = site.dir.to_string_lossy();
    let log = site.access_log().map_or_else(|| "off".to_owned(), |path| path.to_string_lossy().into_owned());
    let servers = servers(site)?;
    let (backend, grpc) = (site.backend, site.grpc);
    let (chain, key) = (site.identity.chain.display(), site.identity.key.display());
    Ok(format!(
        "daemon off;
master_process off;
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
  upstream backend {{ server {backend}; keepalive 256; }}
  upstream grpc {{ server {grpc}; keepalive 256; }}
{servers}}}
"
    ))
}

fn servers(site: &Site) -> anyhow::Result<String> {
    let (http, https) = (site.http, site.https);
    let listen = |more: &str| format!("listen {http} {more}; listen {https} ssl http2;");
    // Without these, a connection for each request is what nginx opens.
    let pass = "proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection '';";
    let Routes { by, count } = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Passed | Scene::Filtered(_) => {
            return Ok(format!("  server {{ {} location / {{ {pass} }} }}\n", listen("backlog=4096")));
        }
        Scene::Grpc => {
            let pass = "grpc_pass grpc://grpc;";
            return Ok(format!("  server {{ {} location / {{ {pass} }} }}\n", listen("http2")));
        }
        Scene::Routes(routes) => routes,
    };
    let mut text = String::new();
    match by {
        By::Path => {
            writeln!(text, "  server {{ {}", listen(""))?;
            for route in 0..count {
                writeln!(text, "    location /r{route}/ {{ {pass} }}")?;
            }
            text += "    location / { return 404; }\n  }\n";
        }
        By::Regex => {
            writeln!(text, "  server {{ {}", listen(""))?;
            for route in 0..count {
                writeln!(text, "    location ~ ^/r{route}/[0-9]+$ {{ {pass} }}")?;
            }
            text += "    location / { return 404; }\n  }\n";
        }
        By::Host => {
            writeln!(text, "  server {{ {} return 404; }}", listen("default_server"))?;
            // In the clear alone: each server that listens with TLS takes settings of its own, and memory for them.
            for route in 0..count {
                writeln!(
                    text,
                    "  server {{ listen {http}; server_name h{route}.example.com; location / {{ {pass} }} }}"
                )?;
            }
        }
        By::Header => {
            text += "  map $http_x_route $route {\n    default '';\n";
            for route in 0..count {
                writeln!(text, "    r{route} backend;")?;
            }
            let pass = pass.replace("http://backend", "http://$route");
            writeln!(
                text,
                "  }}\n  server {{ {} location / {{ if ($route = '') {{ return 404; }} {pass} }} }}",
                listen("")
            )?;
        }
    }
    Ok(text)
}

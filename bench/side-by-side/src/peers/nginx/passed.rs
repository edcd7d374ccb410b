//! What nginx does not read: connections and datagrams.

use crate::scene::Scene;
use crate::site::{HOST, Site};
use std::path::Path;

/// Where Debian puts what does this; others build it in.
const STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

pub(super) fn text(site: &Site) -> String {
    let Site { http, https, endpoints, tls_backend, dir, scene, connects: _, admin: _, identity: _ } = site;
    let dir = dir.display();
    let load = if Path::new(STREAM).exists() { format!("load_module {STREAM};") } else { String::new() };
    let backend: String = endpoints.iter().map(|at| format!("server {at}; ")).collect();
    let servers = if *scene == Scene::Datagrams {
        format!("  server {{ listen {http} udp; proxy_pass backend; }}")
    } else {
        format!(
            "  map $ssl_preread_server_name $to {{ {HOST} {tls_backend}; }}
  server {{ listen {http}; proxy_pass backend; }}
  server {{ listen {https}; ssl_preread on; proxy_pass $to; }}"
        )
    };
    format!(
        "{load}
daemon off;
master_process off;
pid {dir}/pid;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
stream {{
  upstream backend {{ {backend}}}
{servers}
}}
"
    )
}

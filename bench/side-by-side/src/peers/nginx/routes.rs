//! Where requests go.

use super::words;
use crate::scene::{By, Filtered, Routes, Scene, changed};
use crate::site::Site;
use std::fmt::Write as _;

/// Without these, a connection for each request is what nginx opens.
const PASS: &str = "proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection '';";

pub(super) fn servers(site: &Site, version: u32) -> anyhow::Result<String> {
    match site.scene {
        Scene::Plain
        | Scene::Logged
        | Scene::Passed
        | Scene::Tunnelled
        | Scene::Endpoints(_)
        | Scene::Datagrams
        | Scene::Traced => Ok(one(site, "backlog=4096", PASS)),
        Scene::Filtered(filtered) => {
            let pass = format!("{} {PASS}", words::of(filtered));
            // The copy is asked for by a name of its own.
            let copy = "} location = /mirrored { internal; proxy_pass http://backend$request_uri; proxy_http_version 1.1; \
                        proxy_set_header Connection '';";
            let pass = if filtered == Filtered::Mirror { format!("{pass} {copy}") } else { pass };
            Ok(one(site, "", &pass))
        }
        Scene::Grpc => Ok(one(site, "http2", "grpc_pass grpc://backend;")),
        Scene::WebSocket => {
            let pass = PASS.replace("Connection ''", "Connection upgrade; proxy_set_header Upgrade $http_upgrade");
            Ok(one(site, "", &pass))
        }
        Scene::Changing(count) => paths(site, count, &format!("    location {} {{ {PASS} }}\n", changed(version))),
        Scene::Routes(Routes { by, count }) => match by {
            By::Path => paths(site, count, ""),
            By::Regex => regexes(site, count),
            By::Host => hosts(site, count),
            By::Header => headers(site, count),
        },
    }
}

fn listen(site: &Site, more: &str) -> String {
    format!("listen {} {more}; listen {} ssl http2;", site.http, site.https)
}

fn one(site: &Site, more: &str, pass: &str) -> String {
    format!("  server {{ {} location / {{ {pass} }} }}\n", listen(site, more))
}

fn paths(site: &Site, count: u32, more: &str) -> anyhow::Result<String> {
    let mut text = format!("  server {{ {}\n{more}", listen(site, ""));
    for route in 0..count {
        writeln!(text, "    location /r{route}/ {{ {PASS} }}")?;
    }
    Ok(text + "    location / { return 404; }\n  }\n")
}

fn regexes(site: &Site, count: u32) -> anyhow::Result<String> {
    let mut text = format!("  server {{ {}\n", listen(site, ""));
    for route in 0..count {
        writeln!(text, "    location ~ ^/r{route}/[0-9]+$ {{ {PASS} }}")?;
    }
    Ok(text + "    location / { return 404; }\n  }\n")
}

/// In the clear alone: each server that listens with TLS takes settings of its own, and memory for them.
fn hosts(site: &Site, count: u32) -> anyhow::Result<String> {
    let mut text = format!("  server {{ {} return 404; }}\n", listen(site, "default_server"));
    for route in 0..count {
        let http = site.http;
        writeln!(text, "  server {{ listen {http}; server_name h{route}.example.com; location / {{ {PASS} }} }}")?;
    }
    Ok(text)
}

fn headers(site: &Site, count: u32) -> anyhow::Result<String> {
    let mut text = "  map $http_x_route $route {\n    default '';\n".to_owned();
    for route in 0..count {
        writeln!(text, "    r{route} backend;")?;
    }
    let pass = PASS.replace("http://backend", "http://$route");
    let listen = listen(site, "");
    writeln!(text, "  }}\n  server {{ {listen} location / {{ if ($route = '') {{ return 404; }} {pass} }} }}")?;
    Ok(text)
}

//! Lychgate, from a directory, with its defaults.

mod objects;

use super::number;
use crate::process::Invocation;
use crate::scene::{By, Filtered, Routes, Scene, changed};
use crate::site::{HOST, Site};
use crate::tools::Tools;
use objects::{Backend, route};
use std::fmt::Write as _;
use std::path::Path;

/// Routes in one file: a file has at most 8 MiB.
const IN_A_FILE: u32 = 5_000;

pub(super) async fn version(program: &Path) -> anyhow::Result<String> {
    Ok(number(&Invocation::new(&Tools::built(program)?).with(["--version"]).output().await?))
}

pub(super) fn invocation(program: &Path, site: &Site) -> anyhow::Result<Invocation> {
    let folder = site.dir.join("config");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("gateway.yaml"), objects::gateway(site))?;
    std::fs::write(folder.join("certificate.yaml"), &site.identity.secret)?;
    routes(site, &folder)?;
    let admin = site.admin.to_string();
    let flags = ["run", "--log", "error", "--drain", "1", "--admin", &admin, "--config"];
    let invocation = Invocation::new(&Tools::built(program)?).with(flags).with_path(&folder);
    // Of one in none at all a record goes to a collector, which is not there.
    let traced = ["--trace-otlp", "http://127.0.0.1:9", "--trace-sample", "0"];
    let invocation = if site.scene == Scene::Traced { invocation.with(traced) } else { invocation };
    Ok(match site.access_log() {
        None => invocation,
        Some(log) => invocation.with(["--access-log"]).with_path(&log),
    })
}

pub(super) fn change(site: &Site, version: u32) -> anyhow::Result<()> {
    let path = format!("matches: [{{path: {{type: PathPrefix, value: {}}}}}], ", changed(version));
    site.replace("config/changed.yaml", &route("HTTPRoute", "changed", "", &path, Backend::Clear))
}

fn routes(site: &Site, folder: &Path) -> anyhow::Result<()> {
    let write = |text: String| Ok(std::fs::write(folder.join("routes.yaml"), text)?);
    let Routes { by, count } = match site.scene {
        Scene::Plain | Scene::Logged | Scene::Endpoints(_) | Scene::WebSocket | Scene::Traced => {
            return write(route("HTTPRoute", "it", "", "", Backend::Clear));
        }
        Scene::Datagrams => return write(route("UDPRoute", "it", "", "", Backend::Clear)),
        Scene::Grpc => return write(route("GRPCRoute", "it", "", "", Backend::Clear)),
        // What leaves has policies in the place of routes.
        Scene::Tunnelled => return Ok(()),
        Scene::Passed => {
            let clear = route("TCPRoute", "clear", "", "", Backend::Clear);
            let tls = route("TLSRoute", "tls", &format!("  hostnames: [{HOST}]\n"), "", Backend::Tls);
            return write(format!("{clear}---\n{tls}"));
        }
        Scene::Filtered(filtered) => return write(route("HTTPRoute", "it", "", rule(filtered), Backend::Clear)),
        Scene::Routes(routes) => routes,
        Scene::Changing(count) => {
            change(site, 0)?;
            Routes { by: By::Path, count }
        }
    };
    for from in (0..count).step_by(IN_A_FILE as usize) {
        let mut text = String::new();
        for number in from..count.min(from + IN_A_FILE) {
            writeln!(text, "---\n{}", numbered(by, number))?;
        }
        std::fs::write(folder.join(format!("routes-{from}.yaml")), text)?;
    }
    Ok(())
}

/// What is in a rule beside its backend.
fn rule(filtered: Filtered) -> &'static str {
    match filtered {
        Filtered::Headers => {
            "filters: [{type: RequestHeaderModifier, requestHeaderModifier: \
             {set: [{name: x-a, value: a}, {name: x-b, value: b}], add: [{name: x-c, value: c}], remove: [x-d]}}, \
             {type: ResponseHeaderModifier, responseHeaderModifier: \
             {set: [{name: x-a, value: a}, {name: x-b, value: b}], add: [{name: x-c, value: c}], remove: [x-d]}}], "
        }
        Filtered::Rewrite => {
            "filters: [{type: URLRewrite, urlRewrite: \
             {hostname: other.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /other}}}], "
        }
        Filtered::Cors => {
            "filters: [{type: CORS, cors: {allowOrigins: [\"https://*.shop.example\"], allowMethods: [GET, PUT], \
             exposeHeaders: [x-a], allowCredentials: true}}], "
        }
        Filtered::Session => "sessionPersistence: {type: Cookie, cookie: {lifetimeType: Session}}, ",
        Filtered::Retry | Filtered::Retried => {
            "timeouts: {request: 1s}, retry: {codes: [503], attempts: 2, backoff: 10ms}, "
        }
        Filtered::Mirror => "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: clear, port: 80}}}], ",
    }
}

fn numbered(by: By, number: u32) -> String {
    let name = format!("r{number}");
    let path = |kind: &str, value: String| format!("matches: [{{path: {{type: {kind}, value: \"{value}\"}}}}], ");
    let (hosts, matches) = match by {
        By::Path => (String::new(), path("PathPrefix", format!("/r{number}/"))),
        By::Host => (format!("  hostnames: [h{number}.example.com]\n"), String::new()),
        By::Header => (String::new(), format!("matches: [{{headers: [{{name: x-route, value: r{number}}}]}}], ")),
        By::Regex => (String::new(), path("RegularExpression", format!("/r{number}/[0-9]+"))),
    };
    route("HTTPRoute", &name, &hosts, &matches, Backend::Clear)
}

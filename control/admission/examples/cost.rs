//! What admission costs: `cargo run --release -p lychgate-admission --example cost [routes]`.

use std::fmt::Write as _;
use std::time::Instant;

use lychgate_admission::{Reader, admit, read_text};
use serde_json::json;

fn main() {
    let routes: u32 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let route = |n: u32| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": format!("route-{n}"), "namespace": "shop", "labels": {"app": "shop"}},
            "spec": {
                "parentRefs": [{"name": "gate", "sectionName": "https"}],
                "hostnames": [format!("shop-{n}.example.com")],
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/api"}, "method": "GET"}, {"path": {"value": "/v2"}}],
                        "filters": [{
                            "type": "RequestHeaderModifier",
                            "requestHeaderModifier": {"set": [{"name": "x-shop", "value": "1"}], "remove": ["x-old"]},
                        }],
                        "backendRefs": [{"name": "api", "port": 8080, "weight": 9}, {"name": "api-next", "port": 8080}],
                        "timeouts": {"request": "10s", "backendRequest": "2s"},
                    },
                    {"backendRefs": [{"name": "web", "port": 80}]},
                ],
            },
        })
    };
    let values: Vec<_> = (0..routes).map(route).collect();
    let mut text = String::new();
    for value in &values {
        let _ = writeln!(text, "---\n{value}");
    }
    let cold = Instant::now();
    let _ = admit(route(0));
    println!("first object (reads the CRD, compiles its rules): {:?}", cold.elapsed());

    let start = Instant::now();
    let refused = values.into_iter().map(admit).filter(Result::is_err).count();
    report("admit", start, routes, refused);

    let start = Instant::now();
    let admitted = read_text("routes.yaml", &text);
    report("read_text (YAML flow style)", start, routes, admitted.refused.len());

    if let Err(error) = reload(routes, &text) {
        println!("{error}");
    }
}

/// A directory with one file, read first, again, and with one object changed.
fn reload(routes: u32, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("routes.yaml");
    let mut reader = Reader::default();
    let changed = text.replacen("shop-0.example.com", "changed.example.com", 1);
    for (what, text) in [("read_dir, first", text), ("read_dir, unchanged", text), ("read_dir, one changed", &changed)]
    {
        std::fs::write(&file, text)?;
        let start = Instant::now();
        let admitted = reader.read_dir(dir.path())?;
        report(what, start, routes, admitted.refused.len());
    }
    Ok(())
}

fn report(what: &str, start: Instant, objects: u32, refused: usize) {
    let elapsed = start.elapsed();
    println!("{what}: {objects} objects in {elapsed:?}, {:?} each, {refused} refused", elapsed / objects.max(1));
}

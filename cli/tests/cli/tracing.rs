//! Traces, as the command sends them. `make test-tracing` brings a real Jaeger and a real Zipkin here.

use crate::support::{PATIENCE, Running, dir, free_ports, lychgate, run, run_to, text as path, until};
use crate::yaml::{backed, gateway};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The span of the caller in all of these.
const CALLER: &str = "b7ad6b7169203331";

#[test]
fn collectors_are_verified_by_the_host_s_anchors() {
    // The collector is an echo server behind a gateway that ends TLS: it takes everything.
    let [echo, tls, plain] = free_ports();
    let backend = Running::start(lychgate(&["echo", "--http", &format!("127.0.0.1:{echo}")]), &echo.to_string());
    let (certificates, others) = (dir(&[]), dir(&[]));
    for made in [&certificates, &others] {
        run_to(0, &["certs", path(made.path()), "--secret", "default/pair"]);
    }
    let secret = std::fs::read_to_string(certificates.path().join("secret.yaml")).unwrap();
    let collector = gateway("gw", &[("https", "HTTPS", tls)]) + &backed("it", "gw", echo) + &secret;
    let collector = dir(&[("site.yaml", &collector)]);
    let collector = Running::gateway(collector.path(), &[]);

    let site = dir(&[("site.yaml", &(gateway("gw", &[("http", "HTTP", plain)]) + &backed("it", "gw", echo)))]);
    let headers = dir(&[("headers", "Authorization: Bearer hush")]);
    for (anchors, result) in [(&certificates, "exported"), (&others, "failed")] {
        let mut command = lychgate(&["run", "--admin", "127.0.0.1:0", "--config", path(site.path())]);
        command.args(["--trace-zipkin", &format!("https://localhost:{tls}"), "--log-format", "json"]);
        command.args(["--collector-headers", path(&headers.path().join("headers"))]);
        command.env("SSL_CERT_FILE", anchors.path().join("ca.crt")).env_remove("SSL_CERT_DIR");
        let gate = Running::start(command, "/livez");
        assert_eq!(ask(([127, 0, 0, 1], plain).into(), "/", &"a".repeat(32), "01"), Some(200));
        let series = format!("lychgate_trace_spans_total{{result=\"{result}\"}} 2");
        until(&series, || gate.ask("/metrics").1.contains(&series));
        let ended = gate.end();
        assert!(!format!("{ended:?}").contains("hush"), "{ended:#?}");
        assert_eq!(ended.stderr.contains("invalid peer certificate"), result == "failed", "{}", ended.stderr);
    }
    collector.end();
    backend.end();
}

#[test]
fn what_cannot_be_traced_is_said() {
    let secret = dir(&[("headers", "no header but hush\n")]);
    let headers = secret.path().join("headers");
    for (code, arguments, says) in [
        (2, vec!["--trace-otlp", "collector:4317"], "http://"),
        (2, vec!["--trace-zipkin", "http://me:hush@zipkin"], "no user and password"),
        (2, vec!["--trace-sample", "2"], "from 0 (none) to 1 (all)"),
        (2, vec!["--trace-propagate", "jaeger"], "w3c"),
        (2, vec!["--access-log", "-", "--access-log-otlp", "http://collector"], "cannot be used with"),
        (1, vec!["--trace-otlp", "http://collector", "--collector-headers", path(&headers)], "line 1"),
        (1, vec!["--trace-otlp", "http://collector", "--collector-headers", "/nowhere"], "/nowhere"),
    ] {
        let ended = run(&[&["run", "--config", path(secret.path())], &arguments[..]].concat());
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:#?}");
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
        // What was written on the command line is shown again by who reads it; what is in a file is not.
        assert!(code == 2 || !ended.stderr.contains("hush"), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "needs a Jaeger and a Zipkin: make test-tracing"]
fn jaeger_and_zipkin_show_requests_and_their_attempts() {
    let home = dir(&[]);
    let (jaeger, zipkin) = (Jaeger::start(home.path()), Zipkin::start(home.path()));
    let [echo] = free_ports();
    let backend = Running::start(lychgate(&["echo", "--http", &format!("127.0.0.1:{echo}")]), &echo.to_string());

    for (protocol, to, digit) in [("http", jaeger.http, 'a'), ("grpc", jaeger.grpc, 'b')] {
        let [port] = free_ports();
        let site = dir(&[("site.yaml", &site(port, echo))]);
        let (otlp, zip) = (format!("http://{to}"), format!("http://{}", zipkin.address));
        let arguments = ["--trace-otlp", &otlp, "--otlp-protocol", protocol, "--trace-zipkin", &zip];
        let gate = Running::gateway(site.path(), &[&arguments[..], &["--trace-propagate", "w3c,b3"]].concat());
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        let [retried, failed, unsampled] = ["1", "2", "3"].map(|end| digit.to_string().repeat(31) + end);
        assert_eq!(ask(at, &format!("/x?status=503&fail=2&key={digit}"), &retried, "01"), Some(200));
        assert_eq!(ask(at, &format!("/x?status=503&fail=9&key={digit}2"), &failed, "01"), Some(503));
        assert_eq!(ask(at, "/x", &unsampled, "00"), Some(200));
        // What waits is sent at the end.
        assert_eq!(gate.end().code, Some(0));

        for (name, trace) in [("Jaeger", jaeger.trace(&retried)), ("Zipkin", zipkin.trace(&retried))] {
            println!("{name}, after OTLP over {protocol}: {retried}");
            hold(&trace, &[Some("503"), Some("503"), None], None);
        }
        for trace in [jaeger.trace(&failed), zipkin.trace(&failed)] {
            hold(&trace, &[Some("503"), Some("503"), Some("503")], Some("503"));
        }
        assert!(jaeger.ask(&unsampled).is_none() && zipkin.ask(&unsampled).is_none(), "nobody recorded it");
    }
    backend.end();
}

fn site(port: u16, echo: u16) -> String {
    gateway("gw", &[("http", "HTTP", port)])
        + &format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: it}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n---\n\
             apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: it-1, labels: \
             {{kubernetes.io/service-name: it}}}}\naddressType: IPv4\nendpoints: [{{addresses: [127.0.0.1]}}]\nports: \
             [{{name: http, port: {echo}}}]\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: \
             {{name: it}}\nspec:\n  parentRefs: [{{name: gw}}]\n  rules: [{{name: all, retry: {{codes: [503], attempts: 2, \
             backoff: 1ms}}, backendRefs: [{{name: it, port: 80}}]}}]\n"
        )
}

/// A span, as either of the two shows it.
#[derive(Clone, Debug)]
struct Span {
    id: String,
    parent: Option<String>,
    name: String,
    kind: String,
    start: u64,
    tags: BTreeMap<String, String>,
}

/// Holds a trace to what was asked: a request, and attempts under it with these errors.
fn hold(trace: &[Span], attempts: &[Option<&str>], failed: Option<&str>) {
    let tag = |span: &Span, name: &str| span.tags.get(name).cloned();
    let (requests, mut tries): (Vec<&Span>, Vec<&Span>) = trace.iter().partition(|span| span.kind == "server");
    let [request] = requests[..] else { panic!("not one request: {trace:#?}") };
    assert_eq!(request.parent.as_deref(), Some(CALLER), "{request:#?}");
    assert_eq!(request.name.to_lowercase(), "get httproute/default/it", "{request:#?}");
    assert_eq!(tag(request, "lychgate.rule").as_deref(), Some("HTTPRoute/default/it#0(all)@1"), "{request:#?}");
    assert_eq!(tag(request, "error.type").as_deref(), failed, "{request:#?}");
    println!("  {} {}", request.id, request.name);
    tries.sort_by_key(|span| span.start);
    for span in &tries {
        println!("    {} {} {:?}", span.id, span.name, tag(span, "http.response.status_code").unwrap_or_default());
        assert_eq!((span.parent.as_ref(), &*span.kind), (Some(&request.id), "client"), "{span:#?}");
    }
    let errors: Vec<Option<String>> = tries.iter().map(|span| tag(span, "error.type")).collect();
    assert_eq!(errors.iter().map(Option::as_deref).collect::<Vec<_>>(), attempts, "{tries:#?}");
}

/// A request in a trace, and what it was answered.
fn ask(at: SocketAddr, path: &str, trace: &str, flags: &str) -> Option<u16> {
    get(at, path, &format!("traceparent: 00-{trace}-{CALLER}-{flags}\r\n")).map(|(status, _)| status)
}

/// One request on a connection of its own: status and body, if somebody listens.
fn get(at: SocketAddr, path: &str, headers: &str) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Of version 1.0, so that the end of the connection is the end of the body.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {at}\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    Some((head.split_whitespace().nth(1)?.parse().ok()?, answer[end + 4..].to_vec()))
}

fn json(at: SocketAddr, path: &str) -> Option<Value> {
    let (status, body) = get(at, path, "")?;
    (status == 200).then(|| serde_json::from_slice(&body).unwrap())
}

/// A server that takes its time to start, and is gone with this.
struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    fn start(mut command: Command, log: PathBuf, at: SocketAddr, path: &str) -> Self {
        let out = std::fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        let mut server = Self { child: command.spawn().unwrap(), log };
        // A virtual machine starts slowly where others work.
        server.until("it answers", || json(at, path));
        server
    }

    fn until<T>(&mut self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || begun.elapsed() > PATIENCE * 4 {
                panic!("never: {what}; {ended:?}\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
            }
            std::thread::park_timeout(PATIENCE / 300);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no program: make test-tracing does"))
}

/// Texts of what JSON has as anything.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

struct Jaeger {
    _server: Server,
    query: SocketAddr,
    http: SocketAddr,
    grpc: SocketAddr,
}

impl Jaeger {
    fn start(home: &Path) -> Self {
        let [query, unused, http, grpc] = free_ports::<4>().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let config = home.join("jaeger.yaml");
        let text = format!(
            "service:\n  extensions: [jaeger_storage, jaeger_query]\n  pipelines:\n    traces: {{receivers: [otlp], exporters: \
             [jaeger_storage_exporter]}}\n  telemetry: {{metrics: {{level: none}}}}\nextensions:\n  jaeger_storage: \
             {{backends: {{memory: {{memory: {{max_traces: 1000}}}}}}}}\n  jaeger_query:\n    storage: {{traces: memory}}\n    \
             http: {{endpoint: '{query}'}}\n    grpc: {{endpoint: '{unused}'}}\nreceivers:\n  otlp: {{protocols: {{http: \
             {{endpoint: '{http}'}}, grpc: {{endpoint: '{grpc}'}}}}}}\nexporters:\n  jaeger_storage_exporter: {{trace_storage: \
             memory}}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program("JAEGER"));
        command.arg("--config").arg(format!("file:{}", config.display()));
        let _server = Server::start(command, home.join("jaeger.log"), query, "/api/services");
        Self { _server, query, http, grpc }
    }

    fn ask(&self, trace: &str) -> Option<Vec<Span>> {
        let answer = json(self.query, &format!("/api/traces/{trace}"))?;
        let spans = answer["data"][0]["spans"].as_array().unwrap();
        Some(spans.iter().map(Self::span).collect())
    }

    /// What it took is there at once, because nothing is batched in it.
    fn trace(&self, trace: &str) -> Vec<Span> {
        self.ask(trace).unwrap_or_else(|| panic!("Jaeger has no trace {trace}"))
    }

    fn span(span: &Value) -> Span {
        let tags = span["tags"].as_array().unwrap().iter().map(|tag| (text(&tag["key"]), text(&tag["value"])));
        let tags: BTreeMap<String, String> = tags.collect();
        let above = span["references"].as_array().unwrap().iter().find(|above| above["refType"] == "CHILD_OF");
        Span {
            id: text(&span["spanID"]),
            parent: above.map(|above| text(&above["spanID"])),
            name: text(&span["operationName"]),
            kind: tags["span.kind"].clone(),
            start: span["startTime"].as_u64().unwrap(),
            tags,
        }
    }
}

struct Zipkin {
    server: std::cell::RefCell<Server>,
    address: SocketAddr,
}

impl Zipkin {
    fn start(home: &Path) -> Self {
        let [port] = free_ports();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-jar", &program("ZIPKIN"), "--armeria.ports[0].ip=127.0.0.1"]);
        command.args([&format!("--armeria.ports[0].port={port}"), "--armeria.ports[0].protocols[0]=http"]);
        let server = Server::start(command, home.join("zipkin.log"), address, "/health");
        Self { server: server.into(), address }
    }

    fn ask(&self, trace: &str) -> Option<Vec<Span>> {
        let answer = json(self.address, &format!("/api/v2/trace/{trace}"))?;
        Some(answer.as_array().unwrap().iter().map(Self::span).collect())
    }

    /// It answers 202 and stores what it took a moment later.
    fn trace(&self, trace: &str) -> Vec<Span> {
        self.server.borrow_mut().until("Zipkin has the trace", || self.ask(trace))
    }

    fn span(span: &Value) -> Span {
        let tags = span["tags"].as_object().unwrap().iter().map(|(key, value)| (key.clone(), text(value)));
        Span {
            id: text(&span["id"]),
            parent: span.get("parentId").map(text),
            name: text(&span["name"]),
            kind: text(&span["kind"]).to_lowercase(),
            start: span["timestamp"].as_u64().unwrap(),
            tags: tags.collect(),
        }
    }
}

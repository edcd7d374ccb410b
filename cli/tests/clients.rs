//! Clients that are not ours and not in Rust. They have to be fetched first: `make test-clients`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;
use std::process::Command;
use support::{Ended, Running, free_ports, lychgate, repository, run_to, text};
use tempfile::TempDir;

/// A gateway over TLS and without, in front of an echo server.
struct Site {
    dir: TempDir,
    plain: u16,
    sealed: u16,
    _echo: Running,
    _gateway: Running,
}

/// A Service with its one endpoint.
fn service(name: &str, protocol: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec: {{ports: [{{name: it, port: \
         80{protocol}}}]}}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}, namespace: \
         default, labels: {{kubernetes.io/service-name: {name}}}}}\naddressType: IPv4\nendpoints: [{{addresses: \
         [127.0.0.1]}}]\nports: [{{name: it, port: {port}}}]\n---\n"
    )
}

impl Site {
    /// Serves these routes, whose backends are `it` and `dead`.
    fn serve(protocol: &str, routes: &str) -> Self {
        let [plain, sealed, backend, nobody] = free_ports();
        let dir = tempfile::tempdir().unwrap();
        let certs = dir.path().join("certs");
        run_to(0, &["certs", text(&certs), "--secret", "default/cert"]);
        let config = dir.path().join("config");
        std::fs::create_dir(&config).unwrap();
        let gateway = format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: default}}\nspec:\n  \
             gatewayClassName: lychgate\n  addresses: [{{type: IPAddress, value: 127.0.0.1}}]\n  listeners:\n    - {{name: \
             http, protocol: HTTP, port: {plain}}}\n    - {{name: https, protocol: HTTPS, port: {sealed}, tls: \
             {{certificateRefs: [{{name: cert}}]}}}}\n---\n"
        );
        let all = gateway + &service("it", protocol, backend) + &service("dead", "", nobody) + routes;
        std::fs::write(config.join("all.yaml"), all).unwrap();
        std::fs::copy(certs.join("secret.yaml"), config.join("secret.yaml")).unwrap();
        let echo = Running::start(lychgate(&["echo", "--http", &format!("127.0.0.1:{backend}")]), " as ");
        let gateway = Running::gateway(&config, &[]);
        Self { dir, plain, sealed, _echo: echo, _gateway: gateway }
    }

    fn ca(&self) -> String {
        text(&self.dir.path().join("certs/ca.crt")).to_owned()
    }
}

const CALLS: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls, namespace: default}
spec:
  parentRefs: [{name: gw}]
  rules:
    - matches: [{method: {service: lychgate.echo.v1.Echo}}]
      filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-by, value: rule}]}}]
      backendRefs: [{name: it, port: 80}]
    - matches: [{method: {service: lychgate.echo.v1.Dead}}]
      backendRefs: [{name: dead, port: 80}]
";

/// A client that `make test-clients` has fetched.
fn client(variable: &str) -> Command {
    let program = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run make test-clients"));
    let mut command = Command::new(program);
    command.current_dir(repository());
    command
}

fn grpcurl(arguments: &[&str]) -> Ended {
    let mut command = client("LYCHGATE_GRPCURL");
    command.args(["-import-path", "hack/clients", "-proto", "echo.proto", "-max-time", "20"]).args(arguments);
    command.output().unwrap().into()
}

fn python(script: &str, arguments: &[&str]) {
    let path = Path::new("hack/clients").join(script);
    let ended: Ended = client("LYCHGATE_PYTHON").arg(path).args(arguments).output().unwrap().into();
    assert_eq!(ended.code, Some(0), "{script} {arguments:?}: {ended:#?}");
}

#[test]
#[ignore = "fetches grpcurl: make test-clients"]
fn grpcurl_calls_in_all_four_ways_and_understands_our_errors() {
    let site = Site::serve("", CALLS);
    let (plain, sealed, ca) = (format!("127.0.0.1:{}", site.plain), format!("localhost:{}", site.sealed), site.ca());
    for target in [&["-plaintext"][..], &["-cacert", &ca]] {
        let address = if target.len() == 1 { &plain } else { &sealed };
        let call = |data: &str, method: &str| {
            let method = format!("lychgate.echo.v1.{method}");
            grpcurl(&[target, &["-d", data, address, &method]].concat())
        };
        let texts = |ended: &Ended| ended.stdout.matches("\"text\"").count();
        for (method, data, answers) in [
            ("Echo/Unary", "{\"text\": \"hello\"}", 1),
            ("Echo/Collect", "{\"text\": \"a\"} {\"text\": \"hello\"}", 1),
            ("Echo/Repeat", "{\"text\": \"hello\"}", 3),
            ("Echo/Stream", "{\"text\": \"a\"} {\"text\": \"hello\"}", 2),
        ] {
            let ended = call(data, method);
            assert_eq!((ended.code, texts(&ended)), (Some(0), answers), "{method}: {ended:#?}");
            assert!(ended.stdout.contains("\"hello\""), "{method}: {ended:#?}");
        }
        // Its exit code is 64 and the status.
        for (method, code) in [("Dead/Unary", 14), ("Nowhere/Unary", 12)] {
            let ended = call("{}", method);
            assert_eq!(ended.code, Some(64 + code), "{method}: {ended:#?}");
        }
    }
}

#[test]
#[ignore = "fetches grpcio: make test-clients"]
fn grpcio_calls_in_all_four_ways_and_understands_our_errors() {
    let site = Site::serve("", CALLS);
    python("calls.py", &[&format!("127.0.0.1:{}", site.plain)]);
    python("calls.py", &[&format!("localhost:{}", site.sealed), &site.ca()]);
}

#[test]
#[ignore = "fetches websockets: make test-clients"]
fn websockets_of_python_pass() {
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: chat, namespace: \
                 default}\nspec: {parentRefs: [{name: gw}], rules: [{backendRefs: [{name: it, port: 80}]}]}\n";
    let site = Site::serve(", appProtocol: kubernetes.io/ws", route);
    python("websocket.py", &[&format!("ws://127.0.0.1:{}/chat", site.plain)]);
}

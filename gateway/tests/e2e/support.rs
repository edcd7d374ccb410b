//! A gateway on a directory of its own, and the YAML that most tests need.

use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer, Port};
use lychgate_gateway::standalone::{Options, Report, Standalone, StartError};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// No test waits longer for anything; nothing is expected to take so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway and its directory.
pub(crate) struct Site {
    /// Holds the directory, and is gone with this.
    _home: TempDir,
    dir: PathBuf,
    standalone: Standalone,
}

impl Site {
    /// Serves these files.
    pub(crate) async fn serve(files: &[(&str, &str)]) -> Self {
        Self::serve_with(files, |_| {}).await
    }

    /// Serves these files with other options.
    pub(crate) async fn serve_with(files: &[(&str, &str)], edit: impl FnOnce(&mut Options)) -> Self {
        match Self::try_serve_with(files, edit).await {
            Ok(site) => site,
            Err(StartError::Nothing { report, .. }) => {
                panic!("nothing can be served:\n{:#?}\n{:#}", report.diagnostics, report.to_value())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The same with one worker, so that all clients share connections to backends, and what is done for one request is done
    /// before the next.
    pub(crate) async fn serve_alone(files: &[(&str, &str)]) -> Self {
        Self::serve_with(files, alone).await
    }

    /// Serves these files, or tells why not.
    pub(crate) async fn try_serve(files: &[(&str, &str)]) -> Result<Self, StartError> {
        Self::try_serve_with(files, |_| {}).await
    }

    /// Serves these files with other options, or tells why not.
    pub(crate) async fn try_serve_with(
        files: &[(&str, &str)],
        edit: impl FnOnce(&mut Options),
    ) -> Result<Self, StartError> {
        let home = tempfile::tempdir().unwrap();
        // A folder of its own, so that a test may take it away.
        let dir = home.path().join("config");
        std::fs::create_dir(&dir).unwrap();
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let mut options = options(&dir);
        edit(&mut options);
        let standalone = Standalone::start(options).await?;
        Ok(Self { _home: home, dir, standalone })
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What became of the directory, as of now.
    pub(crate) fn report(&self) -> Arc<Report> {
        self.standalone.reports().borrow().clone()
    }

    /// The admin port.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.standalone.admin().unwrap()
    }

    /// Writes a file, and waits until a report says that it holds what is asked for.
    pub(crate) async fn write_until(&self, name: &str, text: &str, holds: impl Fn(&Report) -> bool) -> Arc<Report> {
        let before = self.report().reload;
        std::fs::write(self.dir().join(name), text).unwrap();
        self.until(|report| report.reload > before && holds(report)).await
    }

    /// Writes a file, and waits until it counts as a whole.
    pub(crate) async fn write(&self, name: &str, text: &str) -> Arc<Report> {
        self.write_until(name, text, |report| report.kept.is_empty()).await
    }

    /// Removes a file, and waits until nothing of it counts any more.
    pub(crate) async fn remove(&self, name: &str) -> Arc<Report> {
        let before = self.report().reload;
        std::fs::remove_file(self.dir().join(name)).unwrap();
        self.until(|report| report.reload > before && report.kept.is_empty()).await
    }

    /// Waits until a report says that something holds.
    pub(crate) async fn until(&self, holds: impl Fn(&Report) -> bool) -> Arc<Report> {
        let mut reports = self.standalone.reports();
        let report = tokio::time::timeout(PATIENCE, reports.wait_for(|report| holds(report))).await;
        match report {
            Ok(report) => report.unwrap().clone(),
            Err(_) => panic!("it never held; the last report was {:#}", self.report().to_value()),
        }
    }

    /// Opens the access log anew.
    pub(crate) fn reopen_access_log(&self) {
        self.standalone.reopen_access_log();
    }

    /// Ends the gateway. Tells how many connections were cut.
    pub(crate) async fn stop(self) -> usize {
        self.standalone.stop().await
    }
}

/// One worker alone.
pub(crate) fn alone(options: &mut Options) {
    options.workers = NonZeroUsize::MIN;
}

/// One worker alone, and what else is edited.
pub(crate) fn alone_and(edit: impl FnOnce(&mut Options)) -> impl FnOnce(&mut Options) {
    |options| {
        alone(options);
        edit(options);
    }
}

/// Options for tests: ports from the kernel, and two workers.
pub(crate) fn options(dir: &Path) -> Options {
    let mut options = Options::new(dir.to_owned());
    options.admin = Some(([127, 0, 0, 1], 0).into());
    options.workers = NonZeroUsize::new(2).unwrap();
    options.drain = Duration::from_secs(5);
    options
}

/// An echo server, and the address of its HTTP port.
pub(crate) async fn echo(pod: &str) -> (EchoServer, SocketAddr) {
    let config = EchoConfig::loopback().with_identity(EchoIdentity::pod(pod));
    let server = EchoServer::bind(config).await.unwrap();
    let address = server.local_addr(Port::Http).unwrap();
    (server, address)
}

/// The same with an annotation on every Service and XBackend of this YAML.
pub(crate) fn annotated(yaml: &str, annotation: &str) -> String {
    let annotate = |document: &str| match document.contains("kind: Service\n") || document.contains("kind: XBackend\n")
    {
        true => document.replacen("metadata: {", &format!("metadata: {{annotations: {{{annotation}}}, "), 1),
        false => document.to_owned(),
    };
    yaml.split_inclusive("---\n").map(annotate).collect()
}

/// A Gateway `default/gw` on loopback with one HTTP listener `http`.
pub(crate) fn http_gateway(port: u16) -> String {
    gateway(&format!("    - {{name: http, protocol: HTTP, port: {port}}}\n"))
}

/// A Gateway `default/gw` on loopback with these listeners (YAML list items, indented by four).
pub(crate) fn gateway(listeners: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: gw, namespace: default}}\nspec:\n  \
         gatewayClassName: lychgate\n  addresses: [{{type: IPAddress, value: 127.0.0.1}}]\n  listeners:\n{listeners}---\n"
    )
}

/// A Service of this name, port 80, with these endpoints, each with an EndpointSlice of its own.
pub(crate) fn service(name: &str, endpoints: &[SocketAddr]) -> String {
    service_speaking(name, None, endpoints)
}

/// The same, with an `appProtocol`.
pub(crate) fn service_speaking(name: &str, protocol: Option<&str>, endpoints: &[SocketAddr]) -> String {
    let protocol = protocol.map(|protocol| format!(", appProtocol: {protocol}")).unwrap_or_default();
    let mut yaml = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: default}}\nspec:\n  ports:\n    - {{name: \
         http, port: 80{protocol}}}\n---\n"
    );
    for (index, endpoint) in endpoints.iter().enumerate() {
        yaml += &format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}-{index}\n  namespace: \
             default\n  labels: {{kubernetes.io/service-name: {name}}}\naddressType: IPv4\nendpoints:\n  - addresses: \
             [{}]\nports:\n  - {{name: http, port: {}}}\n---\n",
            endpoint.ip(),
            endpoint.port()
        );
    }
    yaml
}

/// An HTTPRoute of Gateway `gw` with these hosts (YAML, `[]` for all) and rules (YAML list items, indented by four).
pub(crate) fn http_route(name: &str, hostnames: &str, rules: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: \
         default}}\nspec:\n  parentRefs: [{{name: gw}}]\n  hostnames: {hostnames}\n  rules:\n{rules}---\n"
    )
}

/// Waits for something, but not for ever.
pub(crate) async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wanted).await.expect("it never came")
}

/// Waits until something holds that tells nobody when it changes.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < patience, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

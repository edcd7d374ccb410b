//! Programs that workloads run, behind an egress gateway that they know from `HTTPS_PROXY` alone: what a policy allows
//! just works, and what it does not is refused. They are not fetched, only called: `make test-clients`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::{Ended, Running, free_ports, repository, run_to, text};
use tempfile::TempDir;

/// A gateway, and a registry behind it that is called `registry.test`, and also `elsewhere.test`, which no rule allows.
struct Site {
    dir: TempDir,
    proxy: u16,
    registry: u16,
    _registry: Running,
    _gateway: Running,
}

fn clients() -> PathBuf {
    repository().join("hack/clients/egress")
}

fn called(mut command: Command) -> Ended {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}")).into()
}

impl Site {
    /// Serves what `fill` puts into a folder; it is told under which URL.
    fn serve() -> Self {
        let [proxy] = free_ports();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let certs = at("certs");
        run_to(0, &["certs", text(&certs), "--name", "registry.test", "--name", "elsewhere.test"]);
        let files = at("files");
        std::fs::create_dir(&files).unwrap();
        let mut python = Command::new("python3");
        python.arg(clients().join("registry.py")).arg(&files).args([certs.join("tls.crt"), certs.join("tls.key")]);
        let running = Running::start(python, "ready ");
        let ports: Vec<u16> = running.printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let &[registry, dns] = ports.as_slice() else { panic!("{}", running.printed) };
        let config = at("config");
        std::fs::create_dir(&config).unwrap();
        std::fs::write(config.join("all.yaml"), policy(proxy, registry, dns)).unwrap();
        let gateway = Running::gateway(&config, &[]);
        Self { dir, proxy, registry, _registry: running, _gateway: gateway }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ca(&self) -> String {
        text(&self.path("certs/ca.crt")).to_owned()
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path("files").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}/{path}", self.registry)
    }

    /// A client in a folder of its own, that knows of the proxy what every client does.
    fn client(&self, program: &str) -> Command {
        let home = self.path("home");
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(program);
        command.current_dir(&home);
        let proxy = format!("http://127.0.0.1:{}", self.proxy);
        for name in ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"] {
            command.env(name, &proxy);
        }
        // Other proxies and other authorities, if whoever runs this has them.
        let others = ["no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
        for name in others.into_iter().chain(["SSL_CERT_FILE", "SSL_CERT_DIR"]) {
            command.env_remove(name);
        }
        command
    }

    /// Calls it for a host that is allowed, which works, and for one that is not, which does not.
    fn is_let_out_to_one(&self, client: impl Fn(&str) -> Command, says: &str) {
        let ended = called(client("registry.test"));
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(ended.stdout.contains(says) || ended.stderr.contains(says), "{ended:#?}");
        let ended = called(client("elsewhere.test"));
        assert_ne!(ended.code, Some(0), "{ended:#?}");
    }
}

fn policy(proxy: u16, registry: u16, dns: u16) -> String {
    format!(
        r#"apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: lychgate-egress}}
spec: {{controllerName: lychgate.dev/egress-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: out, namespace: egress}}
spec:
  gatewayClassName: lychgate-egress
  infrastructure: {{parametersRef: {{group: lychgate.dev, kind: GatewayParameters, name: out}}}}
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: proxy, port: {proxy}, protocol: lychgate.dev/Proxy}}]
---
apiVersion: lychgate.dev/v1alpha1
kind: GatewayParameters
metadata: {{name: out, namespace: egress}}
spec: {{egress: {{dns: {{upstreams: [{{protocol: UDP, address: 127.0.0.1, port: {dns}}}]}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: build, namespace: shop}}
spec: {{serviceAccountName: build}}
status: {{podIP: 127.0.0.1, podIPs: [{{ip: 127.0.0.1}}]}}
---
apiVersion: lychgate.dev/v1alpha1
kind: EgressPolicy
metadata: {{name: build, namespace: shop}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: out, namespace: egress}}]
  subjects: [{{serviceAccount: build}}]
  rules:
    - name: packages
      action: Allow
      to: {{hosts: [registry.test], within: [127.0.0.0/8]}}
      ports: ["{registry}"]
      protocols: [{{type: TLS}}]
"#
    )
}

#[test]
#[ignore = "calls curl: make test-clients"]
fn curl_is_let_out() {
    let site = Site::serve();
    site.put("it.txt", "it is there");
    let ca = site.ca();
    let with = |more: &[&str], host: &str| {
        let mut command = site.client("curl");
        command.args(["--silent", "--show-error", "--fail", "--max-time", "20", "--cacert", &ca]).args(more);
        command.arg(site.url(host, "it.txt"));
        command
    };
    site.is_let_out_to_one(|host| with(&[], host), "it is there");
    let socks = format!("socks5h://127.0.0.1:{}", site.proxy);
    site.is_let_out_to_one(|host| with(&["--proxy", &socks], host), "it is there");
}

#[test]
#[ignore = "calls pip: make test-clients"]
fn pip_is_let_out() {
    let site = Site::serve();
    let wheel = "lychprobe-1.0-py3-none-any.whl";
    let make = format!(
        "import zipfile\nwith zipfile.ZipFile({:?}, 'w') as wheel:\n  wheel.writestr('lychprobe.py', '')\n  \
         wheel.writestr('lychprobe-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: lychprobe\\nVersion: 1.0\\n')\n  \
         wheel.writestr('lychprobe-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n  \
         wheel.writestr('lychprobe-1.0.dist-info/RECORD', '')\n",
        text(&site.path("files").join(wheel))
    );
    assert!(Command::new("python3").args(["-c", &make]).status().unwrap().success());
    site.put("simple/lychprobe/index.html", format!("<a href=\"/{wheel}\">{wheel}</a>"));
    let ca = site.ca();
    let pip = |host: &str| {
        let mut command = site.client("python3");
        command.args(["-m", "pip", "--isolated", "download", "--no-deps", "--no-cache-dir", "--retries", "0"]);
        // What is isolated does not look at the environment for its own options; the proxy is the requests library's.
        command.args(["--timeout", "10", "--cert", &ca, "--dest", "wheels", "--index-url", &site.url(host, "simple")]);
        command.arg("lychprobe");
        command
    };
    site.is_let_out_to_one(pip, "lychprobe");
}

#[test]
#[ignore = "calls npm: make test-clients"]
fn npm_is_let_out() {
    let site = Site::serve();
    site.put("pack/package.json", r#"{"name": "lychprobe", "version": "1.0.0"}"#);
    let pack = Command::new("npm").args(["pack", "--silent"]).current_dir(site.path("files/pack")).output().unwrap();
    assert!(pack.status.success(), "{pack:?}");
    let ca = site.ca();
    let npm = |host: &str| {
        let tarball = site.url(host, "pack/lychprobe-1.0.0.tgz");
        let versions = format!(
            r#"{{"name": "lychprobe", "dist-tags": {{"latest": "1.0.0"}}, "versions": {{"1.0.0": {{"name": "lychprobe",
            "version": "1.0.0", "dist": {{"tarball": "{tarball}"}}}}}}}}"#
        );
        site.put("lychprobe", versions);
        let mut command = site.client("npm");
        let (cache, registry) = (site.path(&format!("npm-{host}")), site.url(host, ""));
        command.args(["install", "lychprobe", "--no-audit", "--no-fund", "--fetch-retries=0", "--registry", &registry]);
        command.args(["--cafile", &ca, "--cache", text(&cache), "--userconfig", "/dev/null", "--fetch-timeout=10000"]);
        command
    };
    site.is_let_out_to_one(npm, "added 1 package");
}

#[test]
#[ignore = "calls cargo: make test-clients"]
fn cargo_is_let_out() {
    let site = Site::serve();
    let source = site.path("lychprobe-1.0.0");
    std::fs::create_dir_all(source.join("src")).unwrap();
    std::fs::write(source.join("Cargo.toml"), "[package]\nname = \"lychprobe\"\nversion = \"1.0.0\"\n").unwrap();
    std::fs::write(source.join("src/lib.rs"), "").unwrap();
    let archive = site.path("files/lychprobe-1.0.0.crate");
    let tar =
        Command::new("tar").args(["-czf", text(&archive), "-C", text(site.dir.path()), "lychprobe-1.0.0"]).status();
    assert!(tar.unwrap().success());
    let sum = Command::new("sha256sum").arg(&archive).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap();
    let sum = sum.split_whitespace().next().unwrap();
    let line = format!(
        r#"{{"name": "lychprobe", "vers": "1.0.0", "deps": [], "cksum": "{sum}", "features": {{}}, "yanked": false}}"#
    );
    site.put("index/ly/ch/lychprobe", line.replace('\n', "") + "\n");
    let ca = site.ca();
    let cargo = |host: &str| {
        let archives = site.url(host, "{crate}-{version}.crate");
        site.put("index/config.json", format!(r#"{{"dl": "{archives}"}}"#));
        let uses = site.path(&format!("uses-{host}"));
        std::fs::create_dir_all(uses.join("src")).unwrap();
        std::fs::write(uses.join("src/lib.rs"), "").unwrap();
        let depends = "[dependencies]\nlychprobe = {version = \"1\", registry = \"gate\"}\n[workspace]\n";
        let manifest = format!("[package]\nname = \"uses\"\nversion = \"0.0.0\"\nedition = \"2024\"\n{depends}");
        std::fs::write(uses.join("Cargo.toml"), manifest).unwrap();
        let mut command = site.client("cargo");
        command.args(["fetch", "--manifest-path", text(&uses.join("Cargo.toml"))]);
        command.env("CARGO_REGISTRIES_GATE_INDEX", format!("sparse+{}", site.url(host, "index/")));
        command.env("CARGO_HTTP_CAINFO", &ca).env("CARGO_NET_RETRY", "0");
        // Nothing of whoever runs this: neither where else crates come from nor what was fetched before.
        command.env("CARGO_HOME", site.path(&format!("cargo-{host}")));
        command
    };
    site.is_let_out_to_one(cargo, "Downloaded lychprobe");
}

#[test]
#[ignore = "calls apt-get: make test-clients"]
fn apt_is_let_out() {
    let site = Site::serve();
    site.put("apt/Packages", "Package: lychprobe\nVersion: 1.0\nArchitecture: all\nDescription: nothing\n");
    let ca = site.ca();
    let apt = |host: &str| {
        let own = site.path(&format!("apt-{host}"));
        for folder in ["lists/partial", "cache/archives/partial", "none"] {
            std::fs::create_dir_all(own.join(folder)).unwrap();
        }
        let sources = own.join("sources.list");
        std::fs::write(&sources, format!("deb [trusted=yes] {} ./\n", site.url(host, "apt"))).unwrap();
        let at = |name: &str| text(&own.join(name)).to_owned();
        let mut options = vec![
            ("Acquire::https::CaInfo", ca.clone()),
            ("Acquire::Retries", "0".to_owned()),
            ("APT::Sandbox::User", String::new()),
            // What cannot be fetched is an error, not a warning.
            ("APT::Update::Error-Mode", "any".to_owned()),
            ("Dir::Etc::sourcelist", text(&sources).to_owned()),
            ("Dir::Etc::sourceparts", at("none")),
            ("Dir::Etc::parts", at("none")),
        ];
        options.push(("Dir::State::lists", at("lists")));
        options.push(("Dir::Cache", at("cache")));
        let mut command = site.client("apt-get");
        for (name, value) in options {
            command.args(["-o", &format!("{name}={value}")]);
        }
        command.arg("update");
        command
    };
    site.is_let_out_to_one(apt, "Packages");
}

/// A program of hack/clients/egress that is built first.
fn built(mut build: Command) {
    let ended: Ended = build.output().unwrap().into();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
#[ignore = "builds with Go: make test-clients"]
fn a_go_program_is_let_out() {
    let site = Site::serve();
    site.put("it.txt", "it is there");
    let program = site.path("get");
    let mut build = Command::new("go");
    build.args(["build", "-o", text(&program), "."]).current_dir(clients().join("get"));
    built(build);
    let ca = site.ca();
    let get = |host: &str| {
        let mut command = site.client(text(&program));
        command.args([&ca, &site.url(host, "it.txt")]);
        command
    };
    site.is_let_out_to_one(get, "200 it is there");
}

#[test]
#[ignore = "needs Java: make test-clients"]
fn a_java_program_is_let_out() {
    let site = Site::serve();
    site.put("it.txt", "it is there");
    let classes = site.path("classes");
    let mut build = Command::new("javac");
    build.args(["-d", text(&classes)]).arg(clients().join("Get.java"));
    built(build);
    let (ca, port) = (site.ca(), site.proxy.to_string());
    let get = |host: &str| {
        let mut command = site.client("java");
        command.args(["-cp", text(&classes), "Get", &port, &ca, &site.url(host, "it.txt")]);
        command
    };
    site.is_let_out_to_one(get, "200 it is there");
}

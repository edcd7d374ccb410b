//! ExternalAuth (GEP-1494) and filters of listeners (GEP-5224): a real service is asked before anything passes.

mod bodies;
mod failures;
mod grpc;
mod http;
mod listeners;
mod service;

use crate::support::{Site, alone_and, echo, http_gateway, http_route, service as service_yaml, service_speaking};
use ::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use lychgate_echo::EchoServer;
use lychgate_gateway::standalone::Options;
use lychgate_testkit::{Dial, Reply, free_addr};
use service::{Asked, AuthService, Says};
use std::net::SocketAddr;

/// A gateway whose rule asks a service, in front of an echo server.
struct Bed {
    site: Site,
    at: SocketAddr,
    it: EchoServer,
    auth: AuthService,
}

impl Bed {
    /// A rule with these settings of `externalAuth`, but for the service; it judges by this.
    async fn new(settings: &str, says: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        Self::with(settings, "", says, |_| {}).await
    }

    /// The same with more fields of the rule (YAML, indented by six), and other options.
    async fn with(
        settings: &str,
        fields: &str,
        says: impl Fn(&Asked) -> Says + Send + Sync + 'static,
        edit: impl FnOnce(&mut Options),
    ) -> Self {
        let auth = AuthService::start(says).await;
        let (it, backend) = echo("it").await;
        let at = free_addr();
        let objects = http_gateway(at.port())
            + &service_yaml("it", &[backend])
            + &auth.service()
            + &http_route("it", "[]", &rule(settings, fields));
        let site = Site::serve_with(&[("all.yaml", &objects)], alone_and(edit)).await;
        assert!(site.report().is_clean(), "{:#}", site.report().to_value());
        Self { site, at, it, auth }
    }

    async fn get(&self, headers: &[(&str, &str)]) -> Reply {
        get(self.at, "/", headers).await
    }
}

/// A rule that asks the Service `auth`.
fn rule(settings: &str, fields: &str) -> String {
    format!(
        "    - filters:\n        - {{type: ExternalAuth, externalAuth: {{{settings}, backendRef: {{name: auth, port: \
         80}}}}}}\n      backendRefs: [{{name: it, port: 80}}]\n{fields}"
    )
}

const HTTP: &str = "protocol: HTTP, http: {}";

async fn get(at: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Reply {
    send(&Dial::http1(at), "GET", path, headers, Bytes::new()).await
}

async fn send(dial: &Dial, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
    let mut request = ::http::Request::builder().method(method).uri(format!("http://a.example{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    dial.send(request.body(body).unwrap()).await.unwrap()
}

/// An answer over HTTP.
fn answer(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Says {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Says::Http(response.body(Bytes::from_static(body.as_bytes())).unwrap())
}

/// All values of a name.
fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let name: HeaderName = name.parse().unwrap();
    headers.get_all(name).iter().map(|value: &HeaderValue| value.to_str().unwrap().to_owned()).collect()
}

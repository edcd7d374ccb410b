//! Collectors: where they are, what they are told besides, and how they are reached.

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig, WithTonicConfig};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);

/// Where a collector listens: `http://` or `https://`, with a host.
#[derive(Clone, PartialEq, Eq)]
pub struct Collector {
    uri: Uri,
    /// Sent along with everything.
    headers: CollectorHeaders,
}

/// Why this is no collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorError(String);

impl fmt::Display for CollectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for CollectorError {}

impl FromStr for Collector {
    type Err = CollectorError;

    fn from_str(text: &str) -> Result<Self, CollectorError> {
        let uri: Uri = text.parse().map_err(|error| CollectorError(format!("not a URL: {error}")))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
                // It would be shown wherever the URL is.
                Err(CollectorError("no user and password in the URL; send a header instead".to_owned()))
            }
            (Some("http" | "https"), Some(_)) => Ok(Self { uri, headers: CollectorHeaders::default() }),
            (_, _) => Err(CollectorError("a URL with http:// or https:// and a host".to_owned())),
        }
    }
}

impl Collector {
    /// The same, told these headers.
    pub fn with_headers(self, headers: CollectorHeaders) -> Self {
        Self { headers, ..self }
    }

    /// The URL of one kind of telemetry: a URL without a path gets the usual one.
    pub(crate) fn url(&self, usual: &str) -> Result<Uri, CollectorError> {
        if !matches!(self.uri.path(), "" | "/") || self.uri.query().is_some() {
            return Ok(self.uri.clone());
        }
        let mut parts = self.uri.clone().into_parts();
        let bad = |error: &dyn fmt::Display| CollectorError(format!("not a URL: {error}"));
        parts.path_and_query = Some(usual.parse().map_err(|error: http::uri::InvalidUri| bad(&error))?);
        Uri::from_parts(parts).map_err(|error| bad(&error))
    }

    /// A client that reaches it.
    pub(crate) fn client(&self) -> Result<Client, CollectorError> {
        Client::new(self.is_tls())
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers.0
    }

    fn is_tls(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }
}

/// No more of it than where: headers are secrets, and so may be a path.
impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("authority", &self.uri.authority()).finish_non_exhaustive()
    }
}

/// Headers for a collector. They carry tokens, so they are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CollectorHeaders(HeaderMap);

impl fmt::Debug for CollectorHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl FromStr for CollectorHeaders {
    type Err = CollectorError;

    /// `name: value`, a line each; empty lines and those that begin with `#` mean nothing.
    fn from_str(text: &str) -> Result<Self, CollectorError> {
        let mut headers = HeaderMap::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The line itself is a secret, and stays out of the error.
            let bad = || CollectorError(format!("line {number} is not `name: value`"));
            let (name, value) = line.split_once(':').ok_or_else(bad)?;
            let name: HeaderName = name.trim().parse().map_err(|_| bad())?;
            let mut value: HeaderValue = value.trim().parse().map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self(headers))
    }
}

/// What carries OTLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf over HTTP/1.1.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}

/// A collector that speaks OTLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpTarget {
    /// Where.
    pub collector: Collector,
    /// How.
    pub protocol: OtlpProtocol,
}

impl OtlpTarget {
    pub(crate) fn spans(&self) -> Result<SpanExporter, CollectorError> {
        let built = match self.protocol {
            OtlpProtocol::Http => self.over_http(SpanExporter::builder().with_http(), "/v1/traces")?.build(),
            OtlpProtocol::Grpc => self.over_grpc(SpanExporter::builder().with_tonic()).build(),
        };
        built.map_err(|error| CollectorError(error.to_string()))
    }

    pub(crate) fn logs(&self) -> Result<LogExporter, CollectorError> {
        let built = match self.protocol {
            OtlpProtocol::Http => self.over_http(LogExporter::builder().with_http(), "/v1/logs")?.build(),
            OtlpProtocol::Grpc => self.over_grpc(LogExporter::builder().with_tonic()).build(),
        };
        built.map_err(|error| CollectorError(error.to_string()))
    }

    fn over_http<B: WithExportConfig + WithHttpConfig>(&self, builder: B, path: &str) -> Result<B, CollectorError> {
        let texts = self.collector.headers.0.iter();
        let headers: HashMap<String, String> = texts
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        Ok(builder
            .with_endpoint(self.collector.url(path)?.to_string())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(TRY)
            .with_http_client(self.collector.client()?)
            .with_headers(headers))
    }

    fn over_grpc<B: WithExportConfig + WithTonicConfig>(&self, builder: B) -> B {
        let builder = builder
            .with_endpoint(self.collector.uri.to_string())
            .with_timeout(TRY)
            .with_metadata(MetadataMap::from_headers(self.collector.headers.0.clone()));
        match self.collector.is_tls() {
            true => builder.with_tls_config(ClientTlsConfig::new().with_native_roots()),
            false => builder,
        }
    }
}

/// An HTTP client that tells why a collector cannot be reached; exporters say no more than that it cannot.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: HyperClient<HttpsConnector<HttpConnector>>,
    /// Told once, not with every try.
    failing: Arc<AtomicBool>,
}

impl Client {
    /// A client; one that never meets TLS reads no trust anchors.
    fn new(is_tls: bool) -> Result<Self, CollectorError> {
        let bad = |error: &dyn fmt::Display| CollectorError(format!("TLS cannot be set up: {error}"));
        let mut roots = rustls::RootCertStore::empty();
        if is_tls {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(bad(&"the host has no trust anchors"));
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        Ok(Self { http: HyperClient::new(connector, TRY, None), failing: Arc::default() })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let to = request.uri().authority().map(ToString::to_string);
        let sent = self.http.send_bytes(request).await;
        match &sent {
            Ok(_) => self.failing.store(false, Ordering::Relaxed),
            Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(to, error = causes(&**error), "a collector cannot be reached");
            }
            Err(_) => {}
        }
        sent
    }
}

/// An error and what caused it, down to what helps.
fn causes(error: &(dyn Error + 'static)) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls_without_a_path_get_the_usual_one() {
        let url = |text: &str| text.parse::<Collector>().unwrap().url("/v1/traces").unwrap().to_string();
        assert_eq!(url("http://collector:4318"), "http://collector:4318/v1/traces");
        assert_eq!(url("https://collector/"), "https://collector/v1/traces");
        assert_eq!(url("https://collector/of/ours"), "https://collector/of/ours");
    }

    #[test]
    fn what_is_no_collector_is_said() {
        for text in ["", "collector:4318", "grpc://collector", "/v1/traces", "http://user:secret@collector"] {
            let error = text.parse::<Collector>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn headers_are_read_and_never_shown() {
        let headers: CollectorHeaders = "# ours\n\nAuthorization: Bearer secret\nx-team:a\n".parse().unwrap();
        assert_eq!((headers.0.len(), &headers.0["authorization"]), (2, &HeaderValue::from_static("Bearer secret")));
        let collector = "http://collector".parse::<Collector>().unwrap().with_headers(headers);
        assert!(!format!("{collector:?}").contains("secret"));
        let error = "x: y\nsecret\n".parse::<CollectorHeaders>().unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
    }
}

//! The messages of the conformance suite's echo service, field by field as its clients read them.

use crate::report::{EchoReport, TlsReport};

/// What a client sends: nothing.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct EchoRequest {}

/// What it gets.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EchoResponse {
    /// The call as it arrived.
    #[prost(message, optional, tag = "1")]
    pub assertions: Option<Assertions>,
    /// The request.
    #[prost(message, optional, tag = "2")]
    pub request: Option<EchoRequest>,
}

/// A call as it arrived.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Assertions {
    /// `/package.Service/Method`.
    #[prost(string, tag = "1")]
    pub fully_qualified_method: String,
    /// The metadata, one entry a value.
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<Header>,
    /// `:authority`.
    #[prost(string, tag = "3")]
    pub authority: String,
    /// Who answers.
    #[prost(message, optional, tag = "4")]
    pub context: Option<Context>,
    /// The TLS connection, if it is one.
    #[prost(message, optional, tag = "5")]
    pub tls_assertions: Option<TlsAssertions>,
}

/// One value of one metadata key, the key in lower case.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Header {
    /// The key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Who answers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Context {
    /// The namespace of the pod.
    #[prost(string, tag = "1")]
    pub namespace: String,
    /// The ingress controller under test.
    #[prost(string, tag = "2")]
    pub ingress: String,
    /// The Service in front of the pod.
    #[prost(string, tag = "3")]
    pub service_name: String,
    /// The pod.
    #[prost(string, tag = "4")]
    pub pod: String,
}

/// A TLS connection.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TlsAssertions {
    /// `TLSv1.2` or `TLSv1.3`.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The protocol agreed on.
    #[prost(string, tag = "2")]
    pub negotiated_protocol: String,
    /// The server name that the client sent.
    #[prost(string, tag = "3")]
    pub server_name: String,
    /// The cipher suite.
    #[prost(string, tag = "4")]
    pub cipher_suite: String,
    /// The client's certificates as PEM.
    #[prost(string, repeated, tag = "5")]
    pub peer_certificates: Vec<String>,
}

impl EchoResponse {
    pub(super) fn new(report: &EchoReport, request: EchoRequest) -> Self {
        let mut headers: Vec<Header> = report
            .headers
            .iter()
            .flat_map(|(key, values)| values.iter().map(move |value| (key, value)))
            .map(|(key, value)| Header { key: key.to_ascii_lowercase(), value: value.clone() })
            .collect();
        headers.push(Header { key: ":authority".to_owned(), value: report.host.clone() });
        let identity = &report.identity;
        let assertions = Assertions {
            fully_qualified_method: report.path.split('?').next().unwrap_or_default().to_owned(),
            headers,
            authority: report.host.clone(),
            context: Some(Context {
                namespace: identity.namespace.clone(),
                ingress: identity.ingress.clone(),
                service_name: identity.service.clone(),
                pod: identity.pod.clone(),
            }),
            tls_assertions: report.tls.as_ref().map(TlsAssertions::new),
        };
        Self { assertions: Some(assertions), request: Some(request) }
    }
}

impl TlsAssertions {
    fn new(report: &TlsReport) -> Self {
        Self {
            version: report.version.clone(),
            negotiated_protocol: report.negotiated_protocol.clone(),
            server_name: report.server_name.clone(),
            cipher_suite: report.cipher_suite.clone(),
            peer_certificates: report.peer_certificates.clone(),
        }
    }
}

//! What a server knows of a TLS connection, in words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

use crate::report::TlsReport;

impl TlsReport {
    pub(crate) fn of(connection: &ServerConnection) -> Self {
        Self {
            version: connection.protocol_version().map(version).unwrap_or_default(),
            server_name: connection.server_name().unwrap_or_default().to_owned(),
            negotiated_protocol: connection
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .unwrap_or_default(),
            cipher_suite: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .map(iana_name)
                .unwrap_or_default(),
            peer_certificates: connection.peer_certificates().unwrap_or_default().iter().map(pem).collect(),
            key_exchange: connection
                .negotiated_key_exchange_group()
                .map(|group| format!("{:?}", group.name()))
                .unwrap_or_default(),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

fn version(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        // rustls speaks no other.
        other => format!("{other:?}"),
    }
}

/// rustls writes `TLS13_AES_128_GCM_SHA256` where the registry says `TLS_AES_128_GCM_SHA256` (RFC 8446, B.4).
fn iana_name(suite: &str) -> String {
    suite.replacen("TLS13_", "TLS_", 1)
}

/// A certificate as PEM (RFC 7468).
fn pem(certificate: &CertificateDer<'_>) -> String {
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for (place, c) in STANDARD.encode(certificate).chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push_str("\n-----END CERTIFICATE-----\n");
    out
}

use super::*;
use crate::tls::{CIPHER_SUITES, roots_from_pem};
use lychgate_ir::{CertificateId, ObjectName, Redacted};
use lychgate_testkit::Authority;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::{TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256};
use rustls::server::Acceptor;
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, HandshakeKind, SupportedCipherSuite};
use std::io::Write;

/// A listener's settings, and whom its clients trust.
struct Servers {
    authority: Authority,
    tls: ServerTls,
}

impl Servers {
    fn new() -> Self {
        let authority = Authority::new("gates");
        let leaf = authority.server(&["a.example"]);
        let certificate = Certificate {
            id: CertificateId(ObjectName::new("default", "a")),
            chain_pem: leaf.chain_pem().into(),
            key_pem: Redacted::new(leaf.key_pem()),
        };
        let presentable = Arc::new(Presentable::new(&certificate).unwrap());
        let tls = ServerTls::new(vec![presentable], TlsVersion::V1_2, None, &[]).unwrap();
        Self { authority, tls }
    }

    fn client(&self, cipher_suites: &[SupportedCipherSuite]) -> Arc<ClientConfig> {
        let provider = CryptoProvider { cipher_suites: cipher_suites.to_vec(), ..(*provider()).clone() };
        let config =
            ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions().unwrap();
        let roots = roots_from_pem(&[self.authority.pem().into()]).unwrap();
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    }

    /// What a client gets, and whether it was known.
    fn meet(&self, config: &Arc<ClientConfig>) -> (CipherSuite, HandshakeKind) {
        let mut client = ClientConnection::new(config.clone(), "a.example".try_into().unwrap()).unwrap();
        let mut acceptor = Acceptor::default();
        let mut said = Vec::new();
        client.write_tls(&mut said).unwrap();
        acceptor.read_tls(&mut &said[..]).unwrap();
        let accepted = acceptor.accept().unwrap().unwrap();
        let config = self.tls.config(&accepted.client_hello());
        let mut server = accepted.into_connection(config).unwrap();
        server.writer().write_all(b"done").unwrap();
        while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
            tell(&mut server, &mut client);
            tell(&mut client, &mut server);
        }
        let suite = client.negotiated_cipher_suite().unwrap().suite();
        (suite, client.handshake_kind().unwrap())
    }
}

/// What one says, the other hears.
fn tell<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets().unwrap();
    }
}

#[test]
fn ciphers_come_in_our_order_unless_the_client_has_no_aes() {
    let servers = Servers::new();
    let mut dearest_first = CIPHER_SUITES.to_vec();
    dearest_first.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_256_GCM_SHA384);
    let mut without_aes = CIPHER_SUITES.to_vec();
    without_aes.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    let cases = [
        (&dearest_first[..], CipherSuite::TLS13_AES_128_GCM_SHA256),
        (&without_aes, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
        (&[TLS13_AES_256_GCM_SHA384], CipherSuite::TLS13_AES_256_GCM_SHA384),
        (&[TLS13_CHACHA20_POLY1305_SHA256], CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ];
    for (offered, expected) in cases {
        let client = servers.client(offered);
        // One that comes back is known, whichever settings it was met with.
        assert_eq!(servers.meet(&client), (expected, HandshakeKind::Full));
        assert_eq!(servers.meet(&client), (expected, HandshakeKind::Resumed));
    }
}

#[test]
fn what_browsers_put_in_front_is_no_cipher() {
    for first in [0x0a0a, 0x5a5a, 0xfafa] {
        assert!(is_grease(first.into()), "{first:#x}");
    }
    for suite in CIPHER_SUITES {
        assert!(!is_grease(suite.suite()), "{suite:?}");
    }
}

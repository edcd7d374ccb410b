//! What a TLS client says first.

use lychgate_testkit::ClientTls;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::sync::LazyLock;

/// The record with a ClientHello for `a.example` (RFC 8446 section 4.1.2), as a real client sends it.
pub(crate) fn client_hello() -> Vec<u8> {
    // One for all: the server cannot know, and making one costs the attacker more than it costs the server.
    static HELLO: LazyLock<Vec<u8>> = LazyLock::new(|| record().unwrap_or_default());
    HELLO.clone()
}

fn record() -> Option<Vec<u8>> {
    let name = ServerName::try_from("a.example").ok()?;
    let mut client = ClientConnection::new(ClientTls::trusting_anybody().config(), name).ok()?;
    let mut record = Vec::new();
    client.write_tls(&mut record).ok()?;
    Some(record)
}

//! The PROXY protocol, in from proxies that are trusted and out to backends that ask for it.

mod incoming;
mod outgoing;

use crate::support::{Site, gateway};
use lychgate_testkit::Dial;
use proxy_header::{ProxiedAddress, ProxyHeader, Tlv};

/// A Gateway `gw` with these listeners that believes connections from these addresses.
fn believing(proxies: &str, listeners: &str) -> String {
    let annotation = format!("namespace: default, annotations: {{lychgate.dev/proxy-protocol-from: '{proxies}'}}}}");
    gateway(listeners).replacen("namespace: default}", &annotation, 1)
}

/// A header of version 1, as text.
const V1: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";

/// A header of version 2, as another implementation writes it, with what load balancers add.
fn v2() -> Vec<u8> {
    let ends = ProxiedAddress::stream("[2001:db8::7]:4711".parse().unwrap(), "[2001:db8::1]:443".parse().unwrap());
    let mut header = ProxyHeader::with_address(ends);
    header.append_tlv(Tlv::UniqueId(b"0123456789".into()));
    header.append_tlv(Tlv::Custom(0xea, b"\x01vpce-0123456789".into()));
    let mut bytes = Vec::new();
    header.encode_v2(&mut bytes).unwrap();
    bytes
}

/// Waits until a series of `/metrics` has this value.
async fn until_counted(site: &Site, line: &str) {
    crate::support::eventually(line, async || {
        let metrics = Dial::http1(site.admin()).get("http://admin/metrics").await.unwrap().text();
        metrics.lines().any(|each| each == line)
    })
    .await;
}

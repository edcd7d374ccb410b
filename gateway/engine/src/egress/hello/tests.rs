use super::*;
use crate::tls;
use rustls::client::{EchGreaseConfig, EchMode};
use rustls::crypto::aws_lc_rs::hpke::ALL_SUPPORTED_SUITES;
use rustls::pki_types::ServerName as TlsName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::sync::Arc;

/// What a real client says first.
fn client(name: &str, grease: bool, edit: impl FnOnce(&mut ClientConfig)) -> Vec<u8> {
    let builder = ClientConfig::builder_with_provider(tls::provider());
    let builder = match grease {
        true => {
            let suite = *ALL_SUPPORTED_SUITES.first().unwrap();
            let (key, _) = suite.generate_key_pair().unwrap();
            builder.with_ech(EchMode::Grease(EchGreaseConfig::new(suite, key))).unwrap()
        }
        false => builder.with_safe_default_protocol_versions().unwrap(),
    };
    let mut config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    edit(&mut config);
    let mut client = ClientConnection::new(Arc::new(config), TlsName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn hello(bytes: &[u8]) -> SeenHello {
    match read(bytes) {
        Opening::Hello(hello) => hello,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_real_hello_is_read_and_only_as_a_whole() {
    let bytes = client("Api.Example.com", false, |config| config.alpn_protocols = vec![b"h2".to_vec(), b"x".to_vec()]);
    let expected = SeenHello {
        server_name: SeenName::Name(DnsName::parse("api.example.com").unwrap()),
        encrypted: false,
        alpn: vec![b"h2".to_vec(), b"x".to_vec()],
    };
    assert_eq!(hello(&bytes), expected);
    for cut in 0..bytes.len() {
        assert_eq!(read(bytes.get(..cut).unwrap()), Opening::More, "{cut}");
    }
    // What comes after it does not matter.
    assert_eq!(hello(&[&bytes[..], b"more"].concat()), expected);
}

#[test]
fn a_name_that_is_none_and_one_that_is_missing_are_told_apart() {
    assert_eq!(hello(&client("192.0.2.1", false, |_| {})).server_name, SeenName::Missing);
    assert_eq!(hello(&client("a.example", false, |config| config.enable_sni = false)).server_name, SeenName::Missing);
}

#[test]
fn an_encrypted_hello_is_seen_also_if_it_means_nothing() {
    let hello = hello(&client("a.example", true, |_| {}));
    assert!(hello.encrypted, "{hello:?}");
    assert_eq!(hello.name(), Some(&DnsName::parse("a.example").unwrap()));
}

#[test]
fn a_hello_in_small_records_is_read_as_one() {
    let bytes = client("a.example", false, |_| {});
    let message = bytes.get(5..).unwrap();
    let records: Vec<u8> = message
        .chunks(7)
        .flat_map(|part| [&[22, 3, 1, 0, u8::try_from(part.len()).unwrap()][..], part].concat())
        .collect();
    assert_eq!(hello(&records), hello(&bytes));
}

#[test]
fn what_is_not_well_formed_has_no_name_that_can_be_read() {
    let bytes = client("a.example", false, |_| {});
    let at = bytes.windows(9).position(|window| window == b"a.example").unwrap();
    // A name with a character that no name has.
    let mut odd = bytes.clone();
    *odd.get_mut(at).unwrap() = b' ';
    assert_eq!(hello(&odd).server_name, SeenName::Unreadable);
    // The name's length goes beyond its extension.
    let mut long = bytes.clone();
    *long.get_mut(at - 1).unwrap() += 1;
    assert_eq!(hello(&long).server_name, SeenName::Unreadable);
    // Another message of the handshake.
    let mut other = bytes;
    *other.get_mut(5).unwrap() = 2;
    assert_eq!(hello(&other).server_name, SeenName::Unreadable);
    assert_eq!(read(b"GET / HTTP/1.1\r\n"), Opening::NotTls);
    assert_eq!(read(&[22, 9]), Opening::NotTls);
    assert_eq!(read(&[]), Opening::More);
}

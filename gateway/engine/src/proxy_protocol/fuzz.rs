//! Any beginning of a connection of a proxy: read in one way, whatever pieces it comes in, and as others read it.
#![allow(clippy::unwrap_used)]

use super::{Ends, LONGEST, Progress, Said, parse};
use proxy_header::{ParseConfig, ProxyHeader};

fn holds(bytes: &[u8]) {
    let whole = parse(bytes);
    for cut in 0..bytes.len().min(LONGEST) {
        match parse(&bytes[..cut]) {
            Ok(Progress::Part) => {}
            Ok(Progress::Whole(length, said)) => {
                assert!(length <= cut);
                assert_eq!(whole, Ok(Progress::Whole(length, said)), "more bytes change what was said");
            }
            Err(_) => assert!(whole.is_err(), "more bytes mend what was broken"),
        }
    }
    match whole {
        Ok(Progress::Whole(length, Said::Ends(ends))) => {
            let (theirs, taken) = ProxyHeader::parse(bytes, ParseConfig::default()).unwrap();
            let address = theirs.proxied_address().unwrap();
            assert_eq!((taken, Ends::new(address.source, address.destination)), (length, ends));
        }
        Ok(Progress::Whole(length, Said::Nothing)) => assert!(length <= LONGEST),
        Ok(Progress::Part) => assert!(bytes.len() < LONGEST, "it is waited for for ever"),
        Err(_) => {}
    }
}

#[test]
fn fuzz_proxy_protocol() {
    bolero::check!(name = "proxy_protocol").for_each(holds);
}

/// Put together from what headers are made of.
#[test]
fn fuzz_proxy_protocol_pieces() {
    const PIECES: [&[u8]; 16] = [
        b"PROXY ",
        b"TCP4 ",
        b"TCP6 ",
        b"UNKNOWN",
        b"192.0.2.1 ",
        b"::1 ",
        b"65535 ",
        b"0",
        b" ",
        b"\r\n",
        b"\r\n\r\n\0\r\nQUIT\n",
        b"\x21\x11",
        b"\x21\x21",
        b"\x20\0",
        b"\0\x0c",
        b"\0\x24\x20\x01\x0d\xb8",
    ];
    bolero::check!().with_max_len(16).for_each(|choices: &[u8]| {
        let pieces = choices.iter().map(|choice| PIECES[usize::from(*choice) % PIECES.len()]);
        holds(&pieces.collect::<Vec<_>>().concat());
    });
}

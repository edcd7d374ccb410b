//! Any bytes: nothing panics, what is read has one form, and that form is read as the same.

use lychgate_egress::socks5::{BadMessage, Login, Offer, Read, Reply, Request, chosen, read_chosen};
use lychgate_egress::target::{AbsoluteTarget, Target, TargetHost};
use lychgate_ir::egress::{DnsName, EgressHost};

const PIECES: &[&str] = &[
    "a",
    "example",
    ".",
    "..",
    "com",
    "*",
    "**.",
    "-",
    "_",
    "127",
    "0x7f",
    "0177",
    "1",
    ":",
    ":443",
    ":0",
    "[",
    "]",
    "::1",
    "::ffff:10.0.0.1",
    "%",
    "%25",
    "@",
    "/",
    "?",
    "#",
    "http://",
    "HTTPS://",
    "xn--",
    "é",
    "\\",
    " ",
    "\0",
    "A",
];

fn pieces(choices: &[u8]) -> String {
    choices.iter().map(|choice| PIECES[usize::from(*choice) % PIECES.len()]).collect()
}

fn text_holds(text: &str) {
    if let Ok(host) = EgressHost::parse(text) {
        assert_eq!(EgressHost::parse(&host.to_string()).unwrap(), host, "{text:?}");
    }
    if let Ok(name) = DnsName::parse(text) {
        assert_eq!(DnsName::parse(name.as_str()).unwrap(), name, "{text:?}");
        assert!(name.as_str().len() <= 253 && !name.as_str().bytes().any(|byte| byte.is_ascii_uppercase()));
        // What resolvers take for an address is none of our names.
        assert!(name.as_str().parse::<std::net::IpAddr>().is_err(), "{text:?}");
    }
    if let Ok(target) = Target::of_connect(text) {
        target_holds(&target, text);
    }
    if let Ok(absolute) = AbsoluteTarget::parse(text) {
        target_holds(&absolute.target, text);
        assert!(absolute.path_and_query.starts_with('/'), "{text:?}");
        let scheme = if absolute.is_https { "https" } else { "http" };
        let again = format!("{scheme}://{}{}", absolute.target, absolute.path_and_query);
        assert_eq!(AbsoluteTarget::parse(&again).unwrap(), absolute, "{text:?}");
        // What another reads as the host is what we read as the host.
        let uri: http::Uri = again.parse().unwrap();
        assert_eq!(uri.authority().unwrap().as_str(), absolute.target.to_string());
    }
}

fn target_holds(target: &Target, text: &str) {
    assert_eq!(Target::of_connect(&target.to_string()).as_ref(), Ok(target), "{text:?}");
    assert_ne!(target.port, 0);
}

/// A message that is read is read from no more bytes than it has, and from no fewer.
fn message_holds<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    read: fn(&[u8]) -> Result<Read<T>, BadMessage>,
    write: impl Fn(&T) -> Option<Vec<u8>>,
) {
    let Ok(Read::Done(message, used)) = read(bytes) else { return };
    assert!(used <= bytes.len() && used <= 515);
    assert_eq!(read(&bytes[..used - 1]), Ok(Read::More), "it ends where it says");
    if let Some(form) = write(&message) {
        assert_eq!(read(&form), Ok(Read::Done(message, form.len())));
    }
}

#[test]
fn fuzz_hosts_and_targets() {
    bolero::check!(name = "target").for_each(|bytes| text_holds(&String::from_utf8_lossy(bytes)));
}

#[test]
fn fuzz_hosts_and_targets_of_pieces() {
    bolero::check!().with_max_len(12).for_each(|choices: &[u8]| text_holds(&pieces(choices)));
}

#[test]
fn fuzz_socks5() {
    bolero::check!(name = "socks5").with_max_len(600).for_each(|bytes: &[u8]| {
        message_holds(bytes, Offer::read, |offer| (offer.none || offer.login).then(|| offer.write()));
        message_holds(bytes, Login::read, Login::write);
        message_holds(bytes, Request::read, |request| Some(request.write()));
        message_holds(bytes, Reply::read, |reply| Some(reply.write()));
        message_holds(bytes, read_chosen, |method| Some(chosen(*method).to_vec()));
    });
}

/// As above, behind the bytes that messages begin with.
#[test]
fn fuzz_socks5_requests() {
    bolero::check!().with_max_len(300).for_each(|bytes: &[u8]| {
        for start in [&[5, 1, 0, 1][..], &[5, 1, 0, 3], &[5, 1, 0, 4], &[5, 3, 0, 3, 9], &[1, 4], &[5, 2]] {
            let bytes = [start, bytes].concat();
            message_holds(&bytes, Request::read, |request| Some(request.write()));
            message_holds(&bytes, Login::read, Login::write);
            message_holds(&bytes, Offer::read, |offer| (offer.none || offer.login).then(|| offer.write()));
        }
    });
}

#[test]
fn names_over_socks5_are_those_of_targets() {
    let request = |name: &str| [&[5, 1, 0, 3, u8::try_from(name.len()).unwrap()], name.as_bytes(), &[1, 187]].concat();
    let Ok(Read::Done(read, _)) = Request::read(&request("Example.com.")) else { panic!("no request") };
    assert_eq!(read.target, Target::of_connect("example.com:443").unwrap());
    let Ok(Read::Done(read, _)) = Request::read(&request("::ffff:169.254.169.254")) else { panic!("no request") };
    assert_eq!(read.target.host, TargetHost::Address([169, 254, 169, 254].into()));
    for bad in ["", "127.1", "a b", "a\0b", "user@example.com"] {
        assert!(Request::read(&request(bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn passwords_are_not_printed() {
    let Ok(Read::Done(login, 9)) = Login::read(b"\x01\x03bob\x03pwd") else { panic!("no login") };
    assert_eq!(login.password.expose(), "pwd");
    assert!(!format!("{login:?}").contains("pwd"));
}

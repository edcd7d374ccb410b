//! Any cookie: it is the session that we gave, or it is none.
#![allow(clippy::unwrap_used)]

use super::{Session, cookie};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

const PIECES: &[&str] = &[
    "lychgate",
    "=",
    "; ",
    ";",
    "\"",
    "-",
    "00000000000000ff",
    "5f5e100",
    "ffffffffffffffff",
    "+1",
    " ",
    ",",
    "é",
    "g",
];

#[test]
fn fuzz_session() {
    bolero::check!(name = "session").for_each(holds);
}

#[test]
fn fuzz_session_of_pieces() {
    bolero::check!().with_max_len(12).for_each(|choices: &[u8]| holds(pieces(choices).as_bytes()));
}

fn holds(line: &[u8]) {
    if let Some(session) = std::str::from_utf8(line).ok().and_then(Session::parse) {
        survives(session);
    }
    let Ok(value) = HeaderValue::from_bytes(line) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, value);
    if let Some(session) = cookie(&headers, "lychgate").and_then(Session::parse) {
        survives(session);
        // Beside the cookies of others it is the same.
        let among = format!("a=b; lychgate={session}; lychgate=0-0");
        headers.insert(COOKIE, among.parse().unwrap());
        assert_eq!(cookie(&headers, "lychgate").and_then(Session::parse), Some(session));
    }
}

/// Written and read once more it is itself.
fn survives(session: Session) {
    assert_eq!(Session::parse(&session.to_string()), Some(session));
}

fn pieces(choices: &[u8]) -> String {
    choices.iter().map(|choice| PIECES[usize::from(*choice) % PIECES.len()]).collect()
}

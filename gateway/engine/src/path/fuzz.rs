//! Any path: it has one form, with no way up, and the form means what was written.
#![allow(clippy::unwrap_used)]

use super::normalize;

const PIECES: &[&str] = &[
    "/", "//", ".", "..", "/.", "/..", "/./", "/../", "a", "b", "%2e", "%2E", "%2f", "%2F", "%5c", "%61", "%c3%a4",
    "%00", "%", "%4", "%zz", "\\", ";", "~", "é", "*", "%25", "%252e",
];

#[test]
fn fuzz_path() {
    bolero::check!(name = "path").for_each(|bytes| holds(&String::from_utf8_lossy(bytes)));
}

#[test]
fn fuzz_path_of_pieces() {
    bolero::check!().with_max_len(16).for_each(|choices: &[u8]| {
        holds(&pieces(choices));
        holds(&format!("/{}", pieces(choices)));
    });
}

fn holds(path: &str) {
    let Ok(form) = normalize(path) else { return };
    assert_eq!(normalize(&form).unwrap(), form, "{path:?}: the form is its own form");
    if path == "*" {
        assert_eq!(form, path);
        return;
    }
    assert!(form.starts_with('/'), "{path:?} -> {form:?}");
    for segment in form.split('/') {
        assert!(!matches!(&*decoded(segment), b"." | b".."), "{path:?} -> {form:?}: a way up");
    }
    assert_eq!(segments(&form), resolved(path), "{path:?} -> {form:?}: another path");
}

/// What was written, decoded and resolved after it was taken apart: by another way than the code takes.
fn resolved(path: &str) -> Vec<Vec<u8>> {
    let all = segments(path);
    let mut kept = Vec::new();
    for (index, segment) in all.iter().enumerate() {
        let is_last = index + 1 == all.len();
        match &**segment {
            b"." => {}
            b".." => drop(kept.pop()),
            _ => kept.push(segment.clone()),
        }
        if is_last && matches!(&**segment, b"." | b"..") {
            kept.push(Vec::new());
        }
    }
    kept
}

/// The segments after the first slash, decoded.
fn segments(path: &str) -> Vec<Vec<u8>> {
    path.split('/').skip(1).map(decoded).collect()
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let code = [bytes.next().unwrap(), bytes.next().unwrap()].map(|digit| char::from(digit).to_digit(16).unwrap());
        decoded.push(u8::try_from(code[0] * 16 + code[1]).unwrap());
    }
    decoded
}

fn pieces(choices: &[u8]) -> String {
    choices.iter().map(|choice| PIECES[usize::from(*choice) % PIECES.len()]).collect()
}

//! Any target and any host: what rules see is what a backend gets.

use super::{authority, check, head, normalize};
use http::header::HOST;
use http::{Method, Uri, Version};
use lychgate_router::normalize_host;
use pingora_http::RequestHeader;

const PIECES: &[&str] = &[
    "/", "..", ".", "%2e", "%2f", "a", "?", "#", "&q=1", "http://", "https://", "a.com", "b.com", ":80", "@", "*",
    "\\", " ", "é", "%zz", "//", "[::1]",
];

#[test]
fn fuzz_target() {
    bolero::check!(name = "target").for_each(of_http1);
}

#[test]
fn fuzz_target_of_pieces() {
    bolero::check!().with_max_len(12).for_each(|choices: &[u8]| {
        let text = pieces(choices);
        of_http1(text.as_bytes());
        of_http2(&text);
    });
}

fn of_http1(target: &[u8]) {
    let Ok(mut request) = RequestHeader::build("GET", target, None) else { return };
    request.set_version(Version::HTTP_11);
    if request.insert_header(HOST, "a.com").is_ok() {
        holds(request);
    }
}

fn of_http2(target: &str) {
    let uri = Uri::builder().scheme("https").authority("a.com").path_and_query(target);
    let Ok(uri) = uri.build() else { return };
    let Ok(mut request) = RequestHeader::build_no_case(Method::GET, b"/", None) else { return };
    request.set_version(Version::HTTP_2);
    request.set_uri(uri);
    holds(request);
}

fn holds(mut request: RequestHeader) {
    let written = String::from_utf8_lossy(request.raw_path()).into_owned();
    let Ok(()) = check(&request) else { return };
    let Ok(()) = head::to_origin_form(&mut request) else { return };
    let query = request.uri.query().map(ToOwned::to_owned);
    let Ok(()) = normalize(&mut request) else { return };
    let sent = String::from_utf8_lossy(request.raw_path()).into_owned();
    let (path, sent_query) = sent.split_once('?').map_or((&*sent, None), |(path, query)| (path, Some(query)));
    assert_eq!(path, request.uri.path(), "{written:?}: matched and forwarded differ");
    assert_eq!(sent_query, query.as_deref(), "{written:?}: the query is the client's own");
    assert!(!sent.contains(['#', ' ', '\r', '\n']), "{written:?} -> {sent:?}");
    let host = authority(&request).map(normalize_host);
    assert!(host.is_some_and(|host| !host.contains(['/', '@', '?'])), "{written:?}");
}

fn pieces(choices: &[u8]) -> String {
    choices.iter().map(|choice| PIECES[usize::from(*choice) % PIECES.len()]).collect()
}

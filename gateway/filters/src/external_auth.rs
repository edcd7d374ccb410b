//! External authorization (GEP-1494): what a service is told of a request, and what its answer does to it. The question
//! itself is asked by the engine, which waits for the answer.

mod answer;
mod grant;
mod question;

pub use answer::{Answer, Denial, http_answer};
pub use grant::{Edit, EditKind, Grant, ResponseEdits};
pub use question::{Question, seen};

use http::HeaderName;
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use lychgate_ir::filter::NOT_GIVEN;

/// What frames a message or belongs to one connection (RFC 9110 section 7.6.1). It is neither told nor taken.
fn is_framing(name: &HeaderName) -> bool {
    const FRAMING: [HeaderName; 9] = [
        CONNECTION,
        CONTENT_LENGTH,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("http2-settings"),
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    FRAMING.contains(name)
}

fn is_protected(name: &HeaderName) -> bool {
    NOT_GIVEN.contains(&name.as_str())
}

//! Any bytes from a service: nothing panics, and nothing moves the request elsewhere.

use super::super::frame;
use super::super::message::CheckResponse;
use super::{Answer, read};
use http::Request;
use lychgate_filters::RequestHead;
use prost::Message;

#[test]
fn fuzz_authorization() {
    bolero::check!(name = "authorization").for_each(|bytes: &[u8]| {
        let framed = frame::read(bytes).unwrap_or_default();
        for message in [bytes, &framed] {
            if let Ok(Ok(answer)) = CheckResponse::decode(message).map(read) {
                holds(answer);
            }
        }
    });
}

fn holds(answer: Answer) {
    let request = Request::builder().uri("/a?b=c").header("host", "a.example").header("content-length", "1");
    let Ok(request) = request.body(()) else { return };
    let mut head = request.into_parts().0;
    match answer {
        Answer::Granted(grant) => {
            // A target that is too long is refused.
            let _ = grant.apply(&mut head);
            assert_eq!((RequestHead::host(&head), head.uri.path()), (Some("a.example"), "/a"));
            assert_eq!(head.headers.get_all("content-length").iter().count(), 1);
        }
        Answer::Denied(denial) => assert!(!denial.status.is_success() && !denial.status.is_informational()),
        Answer::Failed(_) => {}
    }
}

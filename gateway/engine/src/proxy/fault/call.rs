//! Faults of gRPC calls.

use super::Fault;
use crate::proxy::request_id::REQUEST_ID;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use lychgate_telemetry::Blame;
use pingora_error::Result;
use pingora_http::ResponseHeader;

/// Whether a request is a gRPC call (gRPC over HTTP/2, "Requests"), whose client reads no status but gRPC's.
pub(in crate::proxy) fn is_call(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = media_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

impl Fault {
    /// The status of a call, as gRPC maps statuses of HTTP, save that config which cannot be done is UNAVAILABLE
    /// (GRPCRoute `backendRefs`), as is what a new connection would cure.
    fn code(&self) -> Code {
        match (self.reason.blame(), self.status.as_u16()) {
            (Blame::Config, _) => Code::Unavailable,
            (_, 400 | 500) => Code::Internal,
            (_, 401) => Code::Unauthenticated,
            (_, 403) => Code::PermissionDenied,
            (_, 404 | 501) => Code::Unimplemented,
            (_, 408 | 504) => Code::DeadlineExceeded,
            (_, 421 | 429 | 502 | 503) => Code::Unavailable,
            _ => Code::Unknown,
        }
    }

    /// The answer to a call: trailers only.
    pub(super) fn to_call(&self, id: &str, header: Option<&HeaderValue>, framed: bool) -> Result<ResponseHeader> {
        let mut head = ResponseHeader::build(StatusCode::OK, Some(8))?;
        head.insert_header(CONTENT_TYPE, "application/grpc")?;
        head.insert_header("grpc-status", (self.code() as u8).to_string())?;
        let said = self.said.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
        head.insert_header("grpc-message", encoded(&format!("{}{said}, request {id}", self.reason)))?;
        if let Some(seconds) = self.retry_after {
            // gRFC A6, "Pushback".
            head.insert_header("grpc-retry-pushback-ms", seconds.saturating_mul(1000))?;
        }
        head.insert_header(CACHE_CONTROL, "no-store")?;
        if framed {
            head.insert_header(CONTENT_LENGTH, 0)?;
        }
        if let Some(id) = header {
            head.insert_header(REQUEST_ID, id.clone())?;
        }
        Ok(head)
    }
}

/// A message as it is sent (gRPC over HTTP/2, "Responses": Percent-Encoded).
fn encoded(message: &str) -> String {
    let encode = |byte: u8| match byte {
        b'%' => "%25".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    message.bytes().map(encode).collect()
}

/// Statuses of calls (gRPC, "Status codes and their use").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Unknown = 2,
    DeadlineExceeded = 4,
    PermissionDenied = 7,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_ir::Refusal;

    #[test]
    fn calls_are_told_from_requests() {
        let is = |media_type: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
            is_call(&headers)
        };
        assert!(is("application/grpc") && is("application/grpc+proto") && is("application/grpc; charset=x"));
        assert!(!is("application/grpc-web") && !is("application/json") && !is_call(&HeaderMap::new()));
    }

    #[test]
    fn calls_are_told_what_others_are_told() {
        let said = Some("100 % für alle".to_owned());
        let fault = Fault { said, retry_after: Some(7), ..Fault::timeout() };
        let head = fault.to_call("42", None, false).unwrap();
        assert_eq!(head.headers["grpc-message"], "timeout: 100 %25 f%C3%BCr alle, request 42");
        assert_eq!(head.headers["grpc-retry-pushback-ms"], "7000");
    }

    #[test]
    fn calls_are_told_their_own_statuses() {
        let refusal = Refusal::internal(lychgate_ir::RefusalReason::BackendNotFound, "secret-name");
        let faults = [
            (Fault::no_route(), "12"),
            (Fault::no_endpoint(), "14"),
            (Fault::timeout(), "4"),
            (Fault::refused(&refusal), "14"),
            (Fault::no_backend(), "14"),
            (Fault::bad_request("x"), "13"),
            (Fault::bug("x"), "13"),
            (Fault::misdirected(), "14"),
        ];
        for (fault, code) in faults {
            let head = fault.to_call("42", None, false).unwrap();
            assert_eq!((head.status.as_u16(), head.headers["grpc-status"].to_str().unwrap()), (200, code));
            let message = head.headers["grpc-message"].to_str().unwrap();
            assert!(message.contains("request 42") && !message.contains("secret"), "{message}");
        }
    }
}

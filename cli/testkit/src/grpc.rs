//! gRPC calls, message by message, with nothing generated.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};

use crate::client::{ClientError, Connected, Payload, Reply};

/// The answer to a call.
#[derive(Clone, Debug)]
pub struct GrpcReply {
    /// The HTTP status: 200, unless something on the way answered in its own words.
    pub http_status: StatusCode,
    /// `grpc-status`, from the trailers or, in an answer of trailers only, from the header; `None` if there is none.
    pub status: Option<u16>,
    /// `grpc-message` as sent.
    pub message: String,
    /// Header fields.
    pub headers: HeaderMap,
    /// Trailers.
    pub trailers: HeaderMap,
    /// The messages, without their frames.
    pub messages: Vec<Bytes>,
}

/// A message with its frame: not compressed.
pub fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(5 + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).expect("test messages are short"));
    out.put_slice(message);
    out.freeze()
}

/// The messages of a body. Panics on half a message.
pub fn unframed(mut body: Bytes) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while !body.is_empty() {
        assert!(body.len() >= 5, "half a frame: {body:?}");
        body.advance(1);
        let size = body.get_u32() as usize;
        assert!(body.len() >= size, "half a message: {size} bytes announced, {} there", body.len());
        messages.push(body.split_to(size));
    }
    messages
}

/// A request for `method`, such as `http://host/package.Service/Method`.
///
/// # Errors
/// `method` is no URL.
pub fn request<B: Into<Payload>>(method: &str, body: B) -> Result<Request<Payload>, ClientError> {
    Request::post(method)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body.into())
        .map_err(|error| ClientError::Request(format!("{method}: {error}")))
}

/// Makes a unary call, with metadata.
///
/// # Errors
/// Whatever keeps the answer from being whole. A gRPC status other than OK is an answer.
pub async fn call(
    connection: &mut Connected,
    method: &str,
    metadata: &[(&str, &str)],
    message: &[u8],
) -> Result<GrpcReply, ClientError> {
    let mut request = request(method, framed(message))?;
    for (name, value) in metadata {
        let name = http::HeaderName::try_from(*name).map_err(|error| ClientError::Request(error.to_string()))?;
        let value = http::HeaderValue::try_from(*value).map_err(|error| ClientError::Request(error.to_string()))?;
        request.headers_mut().append(name, value);
    }
    Ok(GrpcReply::from(connection.send(request).await?))
}

impl From<Reply> for GrpcReply {
    fn from(reply: Reply) -> Self {
        let Reply { status: http_status, version: _, headers, body, trailers, tls: _ } = reply;
        let text = |name| trailers.get(name).or_else(|| headers.get(name)).and_then(|value| value.to_str().ok());
        let status = text("grpc-status").and_then(|status| status.parse().ok());
        let message = text("grpc-message").unwrap_or_default().to_owned();
        let is_grpc = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        let messages = if is_grpc { unframed(body) } else { Vec::new() };
        Self { http_status, status, message, headers, trailers, messages }
    }
}

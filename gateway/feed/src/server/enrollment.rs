//! Hands out certificates.

use super::listen::Server;
use crate::enroll::{EnrollError, Enrolled};
use crate::wire::{EnrollReply, EnrollRequest};
use lychgate_ir::Redacted;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;
use tonic::server::UnaryService;
use tonic::{Request, Response, Status};

/// The longest token that is looked at.
const LONGEST_TOKEN: usize = 16 << 10;

pub(super) struct Enrollment(pub(super) Arc<Server>);

impl UnaryService<EnrollRequest> for Enrollment {
    type Response = EnrollReply;
    type Future = Pin<Box<dyn Future<Output = Result<Response<EnrollReply>, Status>> + Send>>;

    fn call(&mut self, request: Request<EnrollRequest>) -> Self::Future {
        let server = self.0.clone();
        Box::pin(async move { enroll(&server, request.into_inner()).await.map(Response::new) })
    }
}

async fn enroll(server: &Server, request: EnrollRequest) -> Result<EnrollReply, Status> {
    let EnrollRequest { token, csr } = request;
    let token = Redacted::new(token);
    if token.expose().is_empty() || token.expose().len() > LONGEST_TOKEN {
        return Err(Status::unauthenticated("the token of a ServiceAccount is needed"));
    }
    let enrolled = tokio::time::timeout(server.options.patience, server.enroller.enroll(&token, &csr)).await;
    match enrolled.unwrap_or_else(|_| Err(EnrollError::Unavailable("it takes too long".to_owned()))) {
        Ok(Enrolled { chain_pem, roots_pem, not_after }) => {
            let since = not_after.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let not_after = i64::try_from(since).unwrap_or(i64::MAX);
            Ok(EnrollReply { chain: chain_pem, roots: roots_pem, not_after })
        }
        Err(error) => {
            tracing::warn!(%error, "a data plane was not given a certificate");
            Err(match &error {
                EnrollError::Refused(_) => Status::permission_denied(error.to_string()),
                EnrollError::Malformed(_) => Status::invalid_argument(error.to_string()),
                EnrollError::Unavailable(_) => Status::unavailable(error.to_string()),
            })
        }
    }
}

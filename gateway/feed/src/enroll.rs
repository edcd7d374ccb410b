//! How a data plane comes by its certificate: it shows the token of its ServiceAccount, and asks for a key of its own to be
//! signed.

use async_trait::async_trait;
use lychgate_ir::Redacted;
use std::time::SystemTime;

/// Signs keys of data planes that prove who they are.
#[async_trait]
pub trait Enroller: Send + Sync + 'static {
    /// Whose token it is decides what the certificate says, never what the request asks for.
    ///
    /// # Errors
    /// With [`EnrollError`], whose text the data plane is told.
    async fn enroll(&self, token: &Redacted, csr_der: &[u8]) -> Result<Enrolled, EnrollError>;
}

/// What a data plane gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// PEM, leaf first.
    pub chain_pem: String,
    /// PEM: the authorities that it shall believe, those to come included.
    pub roots_pem: String,
    /// When the certificate ends.
    pub not_after: SystemTime,
}

/// Why a data plane gets none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrollError {
    /// The token proves nothing, or nobody who may ask.
    #[error("refused: {0}")]
    Refused(String),
    /// The request is none.
    #[error("the request cannot be signed: {0}")]
    Malformed(String),
    /// It cannot be told now; it is worth asking again.
    #[error("not now: {0}")]
    Unavailable(String),
}

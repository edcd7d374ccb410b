//! The side of the control plane: publishes, and serves what was published to whom it is for.

mod enrollment;
mod feed;
mod fleet;
mod follow;
mod group;
mod identity;
mod listen;
mod quota;

pub use crate::tls::TlsError;
pub use feed::Feed;
pub use fleet::{Client, ClientId, Fleet};
pub use identity::Identity;
pub use listen::{Options, serve};

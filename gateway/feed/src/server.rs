//! The side of the control plane: publishes, and serves what was published to whom it is for.

mod board;
mod enrollment;
mod feed;
mod fleet;
mod follow;
mod group;
mod identity;
mod listen;
mod options;
mod quota;
mod relay;

pub use crate::tls::TlsError;
pub use feed::Feed;
pub use fleet::{Client, ClientId, Fleet, Known, Relayed};
pub use identity::Identity;
pub use listen::serve;
pub use options::Options;

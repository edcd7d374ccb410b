//! Gateway API v1.7.0, experimental channel: one file a kind, and [`shared`] for what several kinds use.
//!
//! Field meanings are those of <https://gateway-api.sigs.k8s.io/reference/api-spec/1.7/spec/>; the comments here say what
//! a reader of our code needs.

pub mod backendtlspolicy;
pub mod filter;
#[expect(clippy::module_inception, reason = "the kind is called as its API is")]
pub mod gateway;
pub mod gatewayclass;
pub mod grpcroute;
pub mod httproute;
pub mod listener;
pub mod listenerset;
pub mod referencegrant;
pub mod shared;
pub mod tcproute;
pub mod tlsroute;
pub mod udproute;
pub mod xbackend;

pub use backendtlspolicy::*;
pub use filter::*;
pub use gateway::*;
pub use gatewayclass::*;
pub use grpcroute::*;
pub use httproute::*;
pub use listener::*;
pub use listenerset::*;
pub use referencegrant::*;
pub use shared::*;
pub use tcproute::*;
pub use tlsroute::*;
pub use udproute::*;
pub use xbackend::*;

//! Kinds of our own, `lychgate.dev`: one file a kind.
//!
//! Their CRDs are written by hand in `charts/lychgate/crds`, with the texts that `kubectl explain` shows. A test in
//! `lychgate-admission` holds these types to them, field by field.

pub mod egresspolicy;
pub mod gatewayparameters;

pub use egresspolicy::*;
pub use gatewayparameters::*;

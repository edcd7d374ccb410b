//! Filters, tested through [`lychgate_filters::Chain`] with no network. The tables of the Gateway API conformance suite
//! are cases here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cors;
mod external_auth;
mod header_modifier;
mod mirror;
mod order;
mod properties;
mod redirect;
mod refused;
mod rewrite;
mod support;

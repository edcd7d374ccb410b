//! The audit log on a real disk: every change is found, crashes are told, a full disk is an error or a count.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crash;
mod full;
mod support;
mod tamper;
mod writer;

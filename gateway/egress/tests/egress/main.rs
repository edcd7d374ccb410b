//! What may leave: by example, against a plain evaluator, and with any bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod decisions;
mod fuzz;
mod reference;
mod support;

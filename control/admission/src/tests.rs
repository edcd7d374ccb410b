//! Tests that look into the embedded schemas.

#![allow(clippy::panic)]

mod drift;
mod embedded;
mod reference;
mod sample;

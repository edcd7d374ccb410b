//! Questions over a real resolver, answered for sources with policies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod front;
mod support;
mod upstream;

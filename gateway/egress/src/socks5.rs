//! SOCKS5 (RFC 1928) and its login by name and password (RFC 1929), as bytes: both ends, because a proxy may have a proxy
//! before it.
//!
//! ```text
//! client: Offer ──> server: chosen method ──> (client: Login ──> server: verdict) ──> client: Request ──> server: Reply
//! ```
//!
//! Messages are at most 515 bytes, and what is longer than its own length says belongs to the next message. Names are
//! resolved by the gate, never by the client, so that a rule by name is one about what is reached.

mod login;
mod message;
mod offer;
mod reply;
mod request;

pub use login::{Login, login_verdict};
pub use message::{BadMessage, Read};
pub use offer::{Method, Offer, chosen, read_chosen};
pub use reply::{Outcome, Reply};
pub use request::{Command, Request};

//! The certificate authority of the feed.
//!
//! **Owns** the keys by which control plane and data planes know each other: the authority in a Secret, the certificate that
//! the feed's server presents, and those that data planes get for the token of their ServiceAccount.
//!
//! **Refuses** to believe what a request says of itself: the API server says whose token it is, and that is the name in the
//! certificate.
//!
//! ```text
//! Secret ──keep──> Authority ──┬─ server ──> Identity of the feed
//!                    ^ rotate  ├─ bundle ──> what data planes trust
//!                    └─────────┴─ issue <── Enroller <── token, TokenReview
//! ```

mod authority;
mod enroller;
mod keep;
mod root;

pub use authority::{Authority, LEAF_LIFE, NotIssued};
pub use enroller::{Elsewhere, TokenEnroller};
pub use keep::{Keeper, Kept};
pub use root::{BadRoot, Root};

/// For whom tokens of data planes are made.
pub const AUDIENCE: &str = "lychgate";

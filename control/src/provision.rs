//! What Gateways need in the cluster: pods, a Service, and what belongs to them.
//!
//! **Owns** which objects there shall be for each group of Gateways, that they are there and stay as they shall be, and
//! what Services say of addresses.
//!
//! **Refuses** to delete on a guess. A Gateway that is gone takes its objects along through owner references; we delete
//! only what bears our mark and whose Gateways are seen to want it no more.
//!
//! ```text
//! Objects, Translation ──groups──> Groups ──desired──> objects ──apply──> API server
//!                                    └──obsolete <── what is there <──watch──┘
//!                         Statuses <── addresses <──┘
//! ```
//!
//! Everything but `apply` and `watch` is pure.

mod addresses;
mod apply;
mod desired;
mod drift;
mod group;
mod live;
mod marks;
mod names;
mod obsolete;
mod run;
#[cfg(test)]
mod tests;
mod watch;

pub use addresses::addresses;
pub use desired::{Context, desired};
pub use group::{Group, Groups, Remote, Wish, groups};
pub use live::{Live, LiveKey, LiveKind};
pub use marks::{GROUP, REMOTE, REVISION, SHARE};
pub use names::group as group_of;
pub use obsolete::obsolete;
pub use run::{Provisioner, View};

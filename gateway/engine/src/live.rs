//! The only hot-swap type.

use arc_swap::ArcSwap;
use std::sync::Arc;

/// A value that is replaced as a whole while others read it. Readers take their own `Arc` and keep it for as long as
/// they need one consistent picture; nobody holds a guard over an await.
#[derive(Debug)]
pub(crate) struct Live<T>(ArcSwap<T>);

impl<T> Live<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(ArcSwap::new(value))
    }

    /// The value of this moment.
    pub(crate) fn pin(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Replaces the value for everyone who pins from now on.
    pub(crate) fn set(&self, value: Arc<T>) {
        self.0.store(value);
    }
}

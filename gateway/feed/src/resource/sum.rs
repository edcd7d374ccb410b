//! What many resources say as a whole, kept up to date with every one that comes and goes.

use super::{Hash, Name};

/// The sum of what each says under its name: the order does not matter, and a change costs no more for many than for few.
/// It tells whether two sides have the same; against those who forge there is TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sum(u128);

impl Sum {
    pub(crate) fn add(&mut self, name: &Name, hash: Hash) {
        self.0 = self.0.wrapping_add(said(name, hash));
    }

    pub(crate) fn take(&mut self, name: &Name, hash: Hash) {
        self.0 = self.0.wrapping_sub(said(name, hash));
    }

    pub(crate) fn digest(self) -> Hash {
        Hash(self.0.to_be_bytes())
    }
}

impl Default for Sum {
    /// Of no resource, which is not the same as the digest of nothing that there is.
    fn default() -> Self {
        Self(1)
    }
}

impl<'a> FromIterator<(&'a Name, Hash)> for Sum {
    fn from_iter<T: IntoIterator<Item = (&'a Name, Hash)>>(all: T) -> Self {
        let mut sum = Self::default();
        all.into_iter().for_each(|(name, hash)| sum.add(name, hash));
        sum
    }
}

fn said(name: &Name, hash: Hash) -> u128 {
    let Hash(bytes) = Hash::of([name.kind.as_str().as_bytes(), name.name.as_bytes(), hash.as_ref()]);
    u128::from_be_bytes(bytes)
}

//! What a translation remembers for the next one.

use crate::certificate::Verdicts;
use crate::egress;
use crate::route::alike::Alike;
use crate::route::parents::Parents;
use crate::route::usage::Usage;
use crate::{Options, route};
use lychgate_api::{ObjectRef, Objects};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Inputs and what they led to. Holding the inputs costs little: they are shared with whoever reads them.
#[derive(Debug)]
pub(crate) struct Memo {
    pub(crate) objects: Objects,
    pub(crate) options: Options,
    pub(crate) verdicts: Arc<Verdicts>,
    pub(crate) parents: Arc<Parents>,
    pub(crate) routes: route::Memory,
    pub(crate) alike: Arc<Alike>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) policies: Arc<egress::Memory>,
    /// The objects that are no routes and of which something is said.
    pub(crate) others: Arc<BTreeSet<Arc<ObjectRef>>>,
}

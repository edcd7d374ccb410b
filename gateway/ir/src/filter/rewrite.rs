use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Changes the request before it is forwarded (HTTPRoute `urlRewrite`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlRewrite {
    /// The new Host.
    pub hostname: Option<Arc<str>>,
    /// The new path.
    pub path: Option<PathRewrite>,
}

/// How a path is changed. The query stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathRewrite {
    /// This path instead.
    Full(Arc<str>),
    /// This instead of the prefix that the rule matched (only with a prefix match).
    Prefix(Arc<str>),
}

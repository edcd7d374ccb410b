//! What a running gateway says of the object that decided: which generation of it is served now.

use super::verdict::Decided;
use crate::admin::AdminUrl;
use anyhow::Context;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::{self, Display};

/// The generations of all objects that a gateway serves, by `Kind/namespace/name`.
pub(super) struct Running(HashMap<String, i64>);

/// How the generation that decided stands to the one that is served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// It is still served.
    Same,
    /// Another one is.
    Other {
        /// The generation of now.
        now: i64,
    },
    /// The object is not served any more.
    Gone,
}

impl Running {
    pub(super) fn ask(admin: &AdminUrl) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let status = runtime.block_on(admin.get("/status"))?;
        let status: Value = serde_json::from_str(&status).with_context(|| format!("{admin}/status is no JSON"))?;
        Ok(Self(status["objects"].as_array().into_iter().flatten().filter_map(generation).collect()))
    }

    /// How what decided stands; `None` where that has no generation.
    pub(super) fn served(&self, decided: &Decided) -> Option<Served> {
        let Decided::Rule(rule) = decided else { return None };
        Some(match self.0.get(&rule.route.to_string()) {
            Some(now) if *now == rule.generation => Served::Same,
            Some(now) => Served::Other { now: *now },
            None => Served::Gone,
        })
    }
}

fn generation(object: &Value) -> Option<(String, i64)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let metadata = &object["metadata"];
    let (kind, name) = (text(&object["kind"])?, text(&metadata["name"])?);
    let namespace = text(&metadata["namespace"]).unwrap_or_default();
    Some((format!("{kind}/{namespace}/{name}"), metadata["generation"].as_i64()?))
}

impl Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("The gateway still serves this generation."),
            Self::Other { now } => write!(f, "The gateway serves generation {now} now."),
            Self::Gone => f.write_str("The gateway does not have the object any more."),
        }
    }
}

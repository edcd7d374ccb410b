//! Maps from key to base64, as Secrets and ConfigMaps have them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

/// Decodes each value; an error names the key and never shows the value.
pub(super) fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<u8>>, D::Error> {
    let texts = Option::<BTreeMap<String, Option<String>>>::deserialize(deserializer)?.unwrap_or_default();
    texts
        .into_iter()
        .map(|(key, text)| {
            let text = zeroize::Zeroizing::new(text.unwrap_or_default());
            match STANDARD.decode(text.as_bytes()) {
                Ok(bytes) => Ok((key, bytes)),
                Err(_) => Err(serde::de::Error::custom(format!("the value of key {key:?} is not base64"))),
            }
        })
        .collect()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

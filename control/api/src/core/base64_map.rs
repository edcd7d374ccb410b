//! Maps from key to base64, as Secrets and ConfigMaps have them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// Decodes each value; an error names the key and never shows the value.
pub(super) fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<u8>>, D::Error> {
    let texts = Option::<BTreeMap<String, Option<String>>>::deserialize(deserializer)?.unwrap_or_default();
    texts
        .into_iter()
        .map(|(key, text)| {
            let text = Zeroizing::new(text.unwrap_or_default());
            match decode_base64(&text) {
                Some(bytes) => Ok((key, bytes)),
                None => Err(serde::de::Error::custom(format!("the value of key {key:?} is not base64"))),
            }
        })
        .collect()
}

/// Decodes base64 as Kubernetes does: padded, and line breaks do not count.
#[must_use]
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let compact: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|b| !matches!(b, b'\r' | b'\n')).collect());
    STANDARD.decode(compact.as_slice()).ok()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

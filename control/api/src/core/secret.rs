//! Secret. Its contents print as `[redacted]`, are not serialised, and are overwritten when dropped.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::base64_map;
use crate::meta::{ObjectMeta, StringMap};
use crate::words::open_words;

/// Bytes by key that nobody may see.
///
/// Decodes from `data` (base64) and `stringData` (text, which wins), as the API server merges them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What the keys are.
    pub r#type: SecretType,
    /// The contents.
    pub data: BTreeMap<String, SecretBytes>,
}

open_words! {
    /// What the keys of a Secret are.
    #[derive(Default)]
    pub enum SecretType {
        #[default]
        Opaque = "Opaque",
        /// `tls.crt` and `tls.key`.
        Tls = "kubernetes.io/tls",
    }
}

impl Secret {
    /// What is under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&SecretBytes> {
        self.data.get(key)
    }
}

/// Bytes that print as `[redacted]` and are overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves. Never log them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

const REDACTED: &str = "[redacted]";

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Encoded {
    metadata: ObjectMeta,
    #[serde(default)]
    r#type: SecretType,
    #[serde(default, deserialize_with = "base64_map::decode")]
    data: BTreeMap<String, Vec<u8>>,
    #[serde(default)]
    string_data: Option<StringMap>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Encoded { metadata, r#type, data, string_data } = Encoded::deserialize(deserializer)?;
        let texts = string_data.unwrap_or_default().into_iter().map(|(key, text)| (key, text.into_bytes()));
        let data = data.into_iter().chain(texts).map(|(key, bytes)| (key, SecretBytes::new(bytes))).collect();
        Ok(Self { metadata, r#type, data })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Secret, SecretType};

    #[test]
    fn decodes_and_never_tells() {
        let secret: Secret = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "s"}, "type": "kubernetes.io/tls",
            "data": {"tls.crt": "aHVudGVyMg==", "tls.key": "b2xk"}, "stringData": {"tls.key": "hunter3"},
        }))
        .unwrap();
        assert_eq!(secret.r#type, SecretType::Tls);
        assert_eq!(secret.get("tls.crt").unwrap().expose(), b"hunter2");
        assert_eq!(secret.get("tls.key").unwrap().expose(), b"hunter3");
        let shown = format!("{secret:?} {}", serde_json::to_string(&secret).unwrap());
        assert!(!shown.contains("hunter") && !shown.contains("aHVu"), "{shown}");
        assert!(shown.contains("[redacted]"));
    }

    #[test]
    fn an_error_shows_no_value() {
        let json = serde_json::json!({"metadata": {"name": "s"}, "data": {"k": "hunter2!"}});
        let error = serde_json::from_value::<Secret>(json).unwrap_err().to_string();
        assert!(error.contains("\"k\"") && !error.contains("hunter2"), "{error}");
    }
}

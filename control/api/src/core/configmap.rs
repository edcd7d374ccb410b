//! ConfigMap.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::base64_map;
use crate::meta::{ObjectMeta, StringMap};

/// Text and bytes by key; we read CA certificates from `ca.crt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMap {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Text by key.
    #[serde(default, skip_serializing_if = "StringMap::is_empty")]
    pub data: StringMap,
    /// Bytes by key; base64 in the object.
    #[serde(
        default,
        deserialize_with = "base64_map::decode",
        serialize_with = "encode",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub binary_data: BTreeMap<String, Vec<u8>>,
}

fn encode<S: Serializer>(map: &BTreeMap<String, Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().map(|(key, bytes)| (key, base64_map::encode(bytes))))
}

impl ConfigMap {
    /// What is under `key`, in either map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.data.get(key).map(String::as_bytes).or_else(|| self.binary_data.get(key).map(Vec::as_slice))
    }
}

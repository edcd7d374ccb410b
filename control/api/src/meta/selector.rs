//! Label selectors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StringMap;
use crate::words::open_words;

/// Selects objects by label: all of `matchLabels` and all of `matchExpressions` must hold. Empty selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must be there with exactly these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: StringMap,
    /// Further requirements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelectorRequirement {
    /// The label's key.
    pub key: String,
    /// How values relate to the label.
    pub operator: LabelSelectorOperator,
    /// For `In` and `NotIn`; empty otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

open_words! {
    /// How a requirement's values relate to a label. The CRDs do not close the set.
    pub enum LabelSelectorOperator {
        In = "In",
        NotIn = "NotIn",
        Exists = "Exists",
        DoesNotExist = "DoesNotExist",
    }
}

/// A selector of labels and exact values only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MatchLabels {
    /// Labels that must be there with exactly these values.
    pub match_labels: StringMap,
}

fn all_present(wanted: &StringMap, labels: &StringMap) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

impl MatchLabels {
    /// Whether an object with these labels is selected.
    #[must_use]
    pub fn matches(&self, labels: &StringMap) -> bool {
        all_present(&self.match_labels, labels)
    }
}

impl LabelSelector {
    /// Whether an object with these labels is selected. A selector with a [problem](Self::problem) selects nothing.
    #[must_use]
    pub fn matches(&self, labels: &StringMap) -> bool {
        all_present(&self.match_labels, labels)
            && self.problem().is_none()
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }

    /// What makes this selector meaningless, if anything: the CRDs let such selectors pass.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.match_expressions.iter().find_map(LabelSelectorRequirement::problem)
    }
}

impl LabelSelectorRequirement {
    fn matches(&self, labels: &StringMap) -> bool {
        let value = labels.get(&self.key);
        match &self.operator {
            LabelSelectorOperator::In => value.is_some_and(|value| self.values.contains(value)),
            LabelSelectorOperator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            LabelSelectorOperator::Exists => value.is_some(),
            LabelSelectorOperator::DoesNotExist => value.is_none(),
            LabelSelectorOperator::Other(_) => false,
        }
    }

    fn problem(&self) -> Option<String> {
        let key = &self.key;
        match &self.operator {
            LabelSelectorOperator::In | LabelSelectorOperator::NotIn => self
                .values
                .is_empty()
                .then(|| format!("the requirement on {key:?} with operator {} needs values", self.operator)),
            LabelSelectorOperator::Exists | LabelSelectorOperator::DoesNotExist => (!self.values.is_empty())
                .then(|| format!("the requirement on {key:?} with operator {} takes no values", self.operator)),
            LabelSelectorOperator::Other(word) => Some(format!(
                "the requirement on {key:?} has operator {word:?}, which is none of In, NotIn, Exists, DoesNotExist"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{LabelSelector, StringMap};

    fn selector(json: serde_json::Value) -> LabelSelector {
        serde_json::from_value(json).unwrap()
    }

    fn labels() -> StringMap {
        [("app".to_owned(), "shop".to_owned())].into()
    }

    #[test]
    fn matches_as_kubernetes_does() {
        let yes = [
            serde_json::json!({}),
            serde_json::json!({"matchLabels": {"app": "shop"}}),
            serde_json::json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop", "x"]}]}),
            serde_json::json!({"matchExpressions": [{"key": "no", "operator": "NotIn", "values": ["shop"]}]}),
            serde_json::json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            serde_json::json!({"matchExpressions": [{"key": "no", "operator": "DoesNotExist"}]}),
        ];
        for json in yes {
            assert!(selector(json.clone()).matches(&labels()), "{json}");
        }
        let no = [
            serde_json::json!({"matchLabels": {"app": "shop", "tier": "1"}}),
            serde_json::json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["shop"]}]}),
            serde_json::json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}),
        ];
        for json in no {
            assert!(!selector(json.clone()).matches(&labels()), "{json}");
        }
    }

    #[test]
    fn a_meaningless_selector_selects_nothing() {
        for json in [
            serde_json::json!({"matchExpressions": [{"key": "app", "operator": "Like", "values": ["s*"]}]}),
            serde_json::json!({"matchExpressions": [{"key": "no", "operator": "NotIn"}]}),
            serde_json::json!({"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["shop"]}]}),
        ] {
            let selector = selector(json);
            assert!(selector.problem().is_some());
            assert!(!selector.matches(&labels()));
        }
    }
}

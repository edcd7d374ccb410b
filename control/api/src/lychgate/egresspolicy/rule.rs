//! What a rule fits, and what follows.

use serde::{Deserialize, Serialize};

use super::{EgressPolicyLimits, EgressPolicyTls, EgressRuleCredential, EgressVia};
use crate::words::closed_words;

/// One thing that may leave, or may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressPolicyRule {
    /// What it is called in logs and metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What follows when it matches.
    pub action: EgressRuleAction,
    /// Where to; anywhere where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<EgressTo>,
    /// Ports, or ranges of them; any where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// What is spoken; anything where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<EgressRuleProtocol>,
    /// When; always where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<EgressWindow>,
    /// What it lets pass although it is not certain where it goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<EgressException>,
    /// What a client is told that it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What becomes of TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<EgressPolicyTls>,
    /// A header that is put on requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<EgressRuleCredential>,
    /// The proxy through which it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<EgressVia>,
    /// Addresses that it leaves from, and networks of such: each replica has its own of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_addresses: Vec<String>,
    /// How much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<EgressPolicyLimits>,
}

closed_words! {
    /// What follows when a rule matches.
    pub enum EgressRuleAction {
        Allow = "Allow",
        Deny = "Deny",
    }
}

/// Where to: by name, or by address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EgressTo {
    /// Names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Where their addresses have to lie.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<String>,
    /// Networks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
}

/// What is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressRuleProtocol {
    /// The protocol.
    pub r#type: EgressProtocolType,
    /// Which requests, for HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<EgressHttp>,
}

closed_words! {
    /// What is spoken.
    pub enum EgressProtocolType {
        Tls = "TLS",
        Http = "HTTP",
        Tcp = "TCP",
        Dns = "DNS",
    }
}

/// Which requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EgressHttp {
    /// Methods; any where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Paths; any where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<EgressPathMatch>,
}

/// A condition on a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressPathMatch {
    /// How it is compared.
    #[serde(default)]
    pub r#type: EgressPathType,
    /// The path.
    pub value: String,
}

closed_words! {
    /// How a path is compared.
    #[derive(Default)]
    pub enum EgressPathType {
        Exact = "Exact",
        #[default]
        PathPrefix = "PathPrefix",
    }
}

/// On some days, from one time to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressWindow {
    /// Days on which it begins; every day where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<EgressWeekday>,
    /// When it begins, `HH:MM`.
    pub from: String,
    /// When it ends, `HH:MM` or `24:00`.
    pub to: String,
    /// Of which clock.
    #[serde(default = "utc")]
    pub utc_offset: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

closed_words! {
    /// A day of the week.
    pub enum EgressWeekday {
        Monday = "Mon",
        Tuesday = "Tue",
        Wednesday = "Wed",
        Thursday = "Thu",
        Friday = "Fri",
        Saturday = "Sat",
        Sunday = "Sun",
    }
}

closed_words! {
    /// What an allowing rule by name lets pass although it is not certain where it goes.
    pub enum EgressException {
        MissingSni = "MissingSNI",
        EncryptedClientHello = "EncryptedClientHello",
        OtherSni = "OtherSNI",
        OtherHost = "OtherHost",
        UnverifiedName = "UnverifiedName",
    }
}

//! Who asks, as a command is told.

use anyhow::bail;
use clap::Args;
use lychgate_egress::Source;
use lychgate_ir::Snapshot;
use lychgate_ir::egress::{EgressGateway, Workload};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Who asks. Without any of these, nobody knows who it is.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhoArgs {
    /// Who wants to leave, as the control plane would know it.
    #[arg(long = "as", value_name = "NAMESPACE/SERVICEACCOUNT", conflicts_with = "from")]
    as_account: Option<Account>,
    /// Who wants to leave, by its SPIFFE ID.
    #[arg(long, value_name = "SPIFFE_ID")]
    identity: Option<String>,
    /// A label of who wants to leave; may repeat.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label, requires = "as_account")]
    labels: Vec<(String, String)>,
    /// Whoever has this address wants to leave.
    #[arg(long, value_name = "IP")]
    from: Option<IpAddr>,
}

/// `NAMESPACE/SERVICEACCOUNT`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    namespace: String,
    name: String,
}

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("wants NAMESPACE/SERVICEACCOUNT".to_owned()),
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("wants KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl WhoArgs {
    /// Whether anything is said of who it is.
    pub(crate) fn is_said(&self) -> bool {
        let Self { as_account, identity, labels, from } = self;
        as_account.is_some() || identity.is_some() || !labels.is_empty() || from.is_some()
    }

    /// Who that is at a Gateway.
    pub(super) fn source(&self, snapshot: &Snapshot, gateway: &EgressGateway) -> anyhow::Result<Source> {
        let Self { as_account, identity, labels, from } = self;
        if let Some(address) = from {
            let Some(workload) = snapshot.workloads.get(&address.to_canonical()) else {
                if identity.is_some() {
                    bail!(
                        "{address} is no address of a workload; leave --from out, and name it with --as and --identity"
                    );
                }
                return Ok(Source::Unknown);
            };
            return Ok(Source::Workload(workload.clone()));
        }
        let proven = identity.as_deref().map(|identity| gateway.trust_domains.workload(&identity.into()));
        let Some(account) = as_account else {
            return Ok(proven.map_or(Source::Unknown, |workload| Source::Workload(Arc::new(workload))));
        };
        let labels: BTreeMap<Arc<str>, Arc<str>> =
            labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect();
        // Labels that nobody names are those of the workload, if it is there: policies may ask for them.
        let is_it = |workload: &&Arc<Workload>| {
            workload.namespace.as_deref() == Some(&account.namespace)
                && workload.service_account.as_deref() == Some(&account.name)
        };
        let known = snapshot.workloads.values().find(|workload| labels.is_empty() && is_it(workload));
        Ok(Source::Workload(Arc::new(Workload {
            identity: proven.and_then(|workload| workload.identity),
            namespace: Some(account.namespace.as_str().into()),
            service_account: Some(account.name.as_str().into()),
            labels: known.map_or(labels, |workload| workload.labels.clone()),
        })))
    }
}

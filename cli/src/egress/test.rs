//! `lychgate egress test --as NAMESPACE/SERVICEACCOUNT URL`

mod answer;
mod wish;

use super::policies;
use crate::admin::AdminUrl;
use crate::cluster::{ClusterArgs, GatewayName};
use crate::terminal::{Output, print};
use answer::Answer;
use anyhow::bail;
use clap::Args;
use http::Method;
use lychgate_dns::Upstream;
use lychgate_egress::Source;
use lychgate_ir::Snapshot;
use lychgate_ir::egress::Workload;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use wish::Wish;

const EXAMPLES: &str = "\
Examples:
  May the cart reach this?
    lychgate egress test --config DIR --as shop/cart https://api.pay.example/v1
  May whoever has this address, at the gateway that runs?
    lychgate egress test --from 10.0.3.7 --admin http://127.0.0.1:9900 https://api.pay.example
  A database, and a question to DNS:
    lychgate egress test --config DIR --as shop/cart tcp://db.example:5432
    lychgate egress test --config DIR --as shop/cart dns://api.pay.example";

/// Say whether something may leave, and which rule decides.
///
/// Decides as the gate does, for this moment: the name is resolved as the Gateway says, and every address of it is looked
/// at. Nothing is connected to. `https://` is TLS as a client sends it; where a rule looks into TLS, the request inside it is
/// decided about, too. Exits with 1 if it may not leave.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct TestArgs {
    /// Where to: https://HOST/PATH, http://HOST/PATH, tcp://HOST:PORT, dns://HOST.
    #[arg(value_name = "URL")]
    wish: Wish,
    /// Who asks, as the control plane would know it.
    #[arg(long = "as", value_name = "NAMESPACE/SERVICEACCOUNT", conflicts_with = "from")]
    as_account: Option<Account>,
    /// Who asks, by its SPIFFE ID.
    #[arg(long, value_name = "SPIFFE_ID")]
    identity: Option<String>,
    /// A label of who asks; may repeat.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label, requires = "as_account")]
    labels: Vec<(String, String)>,
    /// Whoever has this address. Without it, --as and --identity, nobody knows who asks.
    #[arg(long, value_name = "IP")]
    from: Option<IpAddr>,
    /// The method of the request.
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    method: Method,
    /// The directory of the policies, with their Gateway. Without one, a running gateway is asked what it serves.
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["admin", "cluster", "kubeconfig"])]
    config: Option<PathBuf>,
    /// The admin port of the running gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9900", conflicts_with_all = ["cluster", "kubeconfig"])]
    admin: AdminUrl,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The Gateway, if there are several.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    gateway: Option<GatewayName>,
    /// How to print the answer.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
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

pub(super) fn test(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let snapshot = match (&args.config, args.cluster.is_asked()) {
        (None, false) => runtime.block_on(policies::of_running(&args.admin))?,
        (config, _) => policies::of_objects(config.as_deref(), &args.cluster)?,
    };
    let (id, gateway) = policies::one(&snapshot, args.gateway.as_ref())?;
    let source = source(args, &snapshot)?;
    let compiled = policies::compiled(&snapshot, gateway);
    let egress = compiled.of(&source);
    let upstream = || Upstream::new(&gateway.dns);
    let answer =
        runtime.block_on(Answer::find(&egress, upstream, gateway.inspection.as_ref(), &args.wish, &args.method))?;
    print(&match args.output {
        Output::Text => answer.text(&args.wish, id, &source),
        Output::Json => format!("{:#}\n", answer.json(id)),
    })?;
    Ok(if answer.is_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn source(args: &TestArgs, snapshot: &Snapshot) -> anyhow::Result<Source> {
    if let Some(address) = args.from {
        let Some(workload) = snapshot.workloads.get(&address.to_canonical()) else {
            if args.identity.is_some() {
                bail!("{address} is no address of a workload; leave --from out, and name it with --as and --identity");
            }
            return Ok(Source::Unknown);
        };
        return Ok(Source::Workload(workload.clone()));
    }
    if args.as_account.is_none() && args.identity.is_none() {
        return Ok(Source::Unknown);
    }
    let labels: BTreeMap<Arc<str>, Arc<str>> =
        args.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect();
    let account = args.as_account.as_ref();
    // Labels that nobody names are those of the workload, if it is there: policies may ask for them.
    let known = account.filter(|_| labels.is_empty()).and_then(|account| {
        snapshot.workloads.values().find(|workload| {
            workload.namespace.as_deref() == Some(&account.namespace)
                && workload.service_account.as_deref() == Some(&account.name)
        })
    });
    Ok(Source::Workload(Arc::new(Workload {
        identity: args.identity.as_deref().map(Into::into),
        namespace: account.map(|account| account.namespace.as_str().into()),
        service_account: account.map(|account| account.name.as_str().into()),
        labels: known.map_or(labels, |workload| workload.labels.clone()),
    })))
}

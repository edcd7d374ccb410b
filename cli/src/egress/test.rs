//! `lychgate egress test --as NAMESPACE/SERVICEACCOUNT URL`

mod answer;
mod carried;
mod sources;
mod wish;

use super::policies::{self, Served};
use super::who::WhoArgs;
use crate::admin::AdminUrl;
use crate::cluster::{ClusterArgs, GatewayName};
use crate::terminal::{Output, print};
use answer::{Answer, Place};
use clap::Args;
use http::Method;
use lychgate_dns::Upstream;
use std::path::PathBuf;
use std::process::ExitCode;
pub(super) use wish::Wish;

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
/// decided about, too. What a rule allows and cannot be carried as it says is refused, and told; what depends on more than
/// policies (a proxy beyond, limits) is told as a condition. A gateway that runs tells the addresses that it has, and so whether what
/// a rule lets leave from some of them can leave there. Exits with 1 if it may not leave.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct TestArgs {
    /// Where to: https://HOST/PATH, http://HOST/PATH, tcp://HOST:PORT, dns://HOST.
    #[arg(value_name = "URL")]
    wish: Wish,
    #[command(flatten)]
    who: WhoArgs,
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

pub(super) fn test(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let served = match (&args.config, args.cluster.is_asked()) {
        (None, false) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(policies::of_running(&args.admin))?
        }
        (config, _) => Served { snapshot: policies::of_objects(config.as_deref(), &args.cluster)?, addresses: None },
    };
    answer(&served, args.gateway.as_ref(), &args.who, &args.wish, &args.method, args.output)
}

/// Whether something may leave through the Gateway that is meant, told and as an exit code.
pub(super) fn answer(
    Served { snapshot, addresses }: &Served,
    gateway: Option<&GatewayName>,
    who: &WhoArgs,
    wish: &Wish,
    method: &Method,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let (id, gateway) = policies::one(snapshot, gateway)?;
    let source = who.source(snapshot, gateway)?;
    let compiled = policies::compiled(snapshot, gateway);
    let egress = compiled.of(&source);
    let upstream = || Upstream::new(&gateway.dns);
    let place = Place { inspection: gateway.inspection.as_ref(), addresses: addresses.as_deref() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(Answer::find(&egress, upstream, place, wish, method))?;
    print(&match output {
        Output::Text => answer.text(wish, id, &source),
        Output::Json => format!("{:#}\n", answer.json(id)),
    })?;
    Ok(if answer.is_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! `lychgate egress verify`

mod attempt;
mod dns;
mod plan;
mod proxy;
mod quic;
mod tls;

use crate::terminal::{Output, paint, print};
use attempt::{Attempt, Found};
use clap::Args;
use lychgate_ir::egress::DnsName;
use plan::{Plan, ProxyUrl};
use serde_json::json;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  From inside a pod whose way out is a proxy:
    lychgate egress verify --proxy http://out.egress:3128 --allowed api.pay.example
  Where connections are led to the gate without asking:
    lychgate egress verify --allowed api.pay.example
  Addresses of one's own, where nobody may be disturbed:
    lychgate egress verify --target 192.0.2.1 --target-v6 2001:db8::1 --metadata 192.0.2.2";

/// Try to escape from where this runs, and show what gets through.
///
/// Run it as the workload whose way out shall be closed: it tries addresses, other ports, other resolvers, IPv6, QUIC, the
/// metadata service, names that are not meant, and names that carry data. Each attempt sends a few packets and nothing of
/// value; those that need an allowed host are left out without one. Exits with 1 if anything gets through, and if the allowed
/// host cannot be reached: then nothing is known.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct VerifyArgs {
    /// The proxy that workloads are told to use: http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    proxy: Option<ProxyUrl>,
    /// A host that may be reached, with TLS on port 443 unless it says HOST:PORT.
    #[arg(long, value_name = "HOST")]
    allowed: Option<Allowed>,
    /// A name that may not be reached, and that exists.
    #[arg(long, value_name = "HOST", default_value = "www.example.net", value_parser = name)]
    other: DnsName,
    /// A public address with TLS on port 443, HTTP on port 80, DNS on port 53 and QUIC on port 443, that may not be reached.
    #[arg(long, value_name = "IP", default_value = "1.1.1.1")]
    target: IpAddr,
    /// One of IPv6.
    #[arg(long, value_name = "IP", default_value = "2606:4700:4700::1111")]
    target_v6: IpAddr,
    /// Another port of the address, with HTTP; may repeat.
    #[arg(long = "port", value_name = "PORT", default_values_t = [8080])]
    ports: Vec<u16>,
    /// The address of the cloud's metadata service.
    #[arg(long, value_name = "IP", default_value = "169.254.169.254")]
    metadata: IpAddr,
    /// A name that leads to that address, in a zone of one's own: tried at the proxy and at the resolver.
    #[arg(long, value_name = "HOST", value_parser = name)]
    metadata_name: Option<DnsName>,
    /// The resolver that workloads are told to use; by default the first one in /etc/resolv.conf.
    #[arg(long, value_name = "IP:PORT")]
    resolver: Option<SocketAddr>,
    /// How long each attempt may take, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    patience: u64,
    /// How to print what was found.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// A host that may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    name: DnsName,
    port: u16,
}

impl std::str::FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| "wants HOST or HOST:PORT")?),
            None => (text, 443),
        };
        Ok(Self { name: name(host)?, port })
    }
}

fn name(text: &str) -> Result<DnsName, String> {
    DnsName::parse(text).map_err(|error| error.to_string())
}

pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let VerifyArgs {
        proxy,
        allowed,
        other,
        target,
        target_v6,
        ports,
        metadata,
        metadata_name,
        resolver,
        patience,
        output,
    } = args;
    let plan = Plan {
        proxy: proxy.clone(),
        allowed: allowed.as_ref().map(|Allowed { name, port }| (name.clone(), *port)),
        other: other.clone(),
        target: *target,
        target_v6: *target_v6,
        ports: ports.clone(),
        metadata: *metadata,
        metadata_name: metadata_name.clone(),
        resolver: resolver.or_else(dns::of_the_host),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let found = runtime.block_on(plan.run(Duration::from_millis(*patience)));
    print(&match output {
        Output::Text => text(&found),
        Output::Json => {
            let one = |(attempt, found): &(Attempt, Found)| json!({ "attempt": attempt.name, "to": attempt.to, "found": found.word(), "detail": found.detail() });
            format!("{:#}\n", json!(found.iter().map(one).collect::<Vec<_>>()))
        }
    })?;
    Ok(if found.iter().all(|(_, found)| found.is_well()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writing to a String cannot fail.
fn text(found: &[(Attempt, Found)]) -> String {
    let paint = paint();
    let width = found.iter().map(|(attempt, _)| attempt.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (Attempt { name, to }, found) in found {
        // Padded before it is painted: colours have no width.
        let word = format!("{:<9}", found.word());
        let word = match found {
            Found::Through(_) | Found::Unreachable(_) => paint.bad(&word),
            Found::Stopped(_) | Found::Reached(_) => paint.good(&word),
            Found::Skipped(_) => word,
        };
        let _ = writeln!(text, "{word} {name:<width$}  {to}: {}", found.detail());
    }
    let through = found.iter().filter(|(_, found)| matches!(found, Found::Through(_))).count();
    let unknown = found.iter().any(|(_, found)| matches!(found, Found::Unreachable(_)));
    let verdict = match (through, unknown) {
        (0, false) => paint.good("Nothing got through."),
        (0, true) => paint.bad("Nothing got through, not even what may: so nothing is known."),
        (count, _) => paint.bad(&format!("{count} of {} attempts got through.", found.len())),
    };
    let _ = writeln!(text, "{verdict}");
    text
}

//! `lychgate explain DIR --url URL`

use crate::check::Read;
use crate::cluster::{ClusterArgs, GatewayName, of_gateway};
use crate::egress::{self, WhoArgs};
use crate::terminal::{Output, paint, print};
use anyhow::{Context, bail};
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use lychgate_gateway::{Explainer, Question};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  Why does this go to green?
    lychgate explain examples/quickstart --url http://localhost:8080/ --header 'x-preview: true'
  What would a POST meet at an HTTPS listener, asked for by another name than the handshake's?
    lychgate explain DIR --url https://shop.example:8443/cart --method POST --sni www.example
  Which rule of a cluster answers at one of its Gateways?
    lychgate explain --cluster --gateway shop/edge --url https://shop.example/cart
  May the cart reach this, through an egress Gateway?
    lychgate explain examples/egress --as shop/cart --url http://pay.localhost:3000/v1/charge";

/// Explain which rule answers a request, and why the others do not.
///
/// Which listener takes the request, which rule answers it, with which filters and backends, and for each near miss why
/// it lost. Nothing is sent, and nothing has to run. Exits with 1 if no rule answers.
///
/// Of an egress Gateway: whether it may leave, which rule decides, and why the others do not, as `lychgate egress test` says it,
/// with names resolved as the Gateway says. Exits with 1 if it may not leave.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// The directory; its folders are read, too.
    #[arg(value_name = "DIR", required_unless_present_any = ["cluster", "kubeconfig"], conflicts_with_all = ["cluster", "kubeconfig"])]
    dir: Option<PathBuf>,
    /// The URL that a client asks for, with the port of the listener (80 or 443 if it names none). What leaves may also be
    /// tcp://HOST:PORT and dns://HOST.
    #[arg(long, value_name = "URL")]
    url: Uri,
    /// The method.
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    method: Method,
    /// A header; may repeat. Host replaces the URL's.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The server name of the TLS handshake, if it is not the URL's host.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// The Gateway that is asked. In a cluster each has its own addresses, so it has to be named if there are several.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    gateway: Option<GatewayName>,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How to print the answer.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("wants NAME: VALUE")?;
    let name = name.trim().parse().map_err(|_| format!("`{name}` is no header name"))?;
    let value = value.trim().parse().map_err(|_| format!("`{value}` is no header value"))?;
    Ok((name, value))
}

pub(crate) fn explain(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    // Whether it is one is known when it is known whether it is about what leaves.
    let question = question(args);
    let read = match &args.dir {
        Some(dir) => Read::dir(dir)?,
        None => Read::cluster(&args.cluster)?,
    };
    read.complain(paint());
    if egress::is_about_leaving(&read.translation.snapshot, args.gateway.as_ref(), &args.who) {
        if !args.headers.is_empty() || args.sni.is_some() {
            bail!("--header and --sni are about what comes in; here the question is what leaves");
        }
        let ExplainArgs { url, method, gateway, who, output, .. } = args;
        return egress::explain(&read.translation.snapshot, gateway.as_ref(), who, url, method, *output);
    }
    let question = question?;
    let snapshot = match (&args.gateway, &args.dir) {
        (None, Some(_)) => read.translation.snapshot,
        (named, _) => of_gateway(&read.translation, named.as_ref())?,
    };
    let answer = Explainer::new(&snapshot)?.ask(&question);
    match args.output {
        Output::Text => print(&answer.to_string())?,
        Output::Json => print(&format!("{:#}\n", serde_json::to_value(&answer)?))?,
    }
    Ok(if answer.rule.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn question(args: &ExplainArgs) -> anyhow::Result<Question> {
    let ExplainArgs { dir: _, url, method, headers: given, sni, gateway: _, who: _, cluster: _, output: _ } = args;
    let (tls, well_known) = match url.scheme_str() {
        Some("http") => (false, 80),
        Some("https") => (true, 443),
        Some(_) | None => bail!("--url {url} wants a scheme: http://… or https://…"),
    };
    let authority = url.authority().with_context(|| format!("--url {url} has no host"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.append(name, value.clone());
    }
    let host = match headers.get(http::header::HOST) {
        Some(host) => host.to_str().context("the Host header is not ASCII")?.to_owned(),
        None => authority.to_string(),
    };
    headers.entry(http::header::HOST).or_insert(HeaderValue::try_from(&host).context("--url has no usable host")?);
    // Clients send no server name for addresses.
    let is_address = authority.host().trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    let server_name = sni.clone().or_else(|| (!is_address).then(|| authority.host().to_owned()));
    Ok(Question {
        tls,
        server_name,
        authority: host,
        port: url.port_u16().unwrap_or(well_known),
        method: method.clone(),
        path: url.path().to_owned(),
        query: url.query().map(str::to_owned),
        headers,
    })
}

//! oha at a fixed rate: latency counts from when a request was due, not from when there was room to send it.

use super::url;
use crate::process::Invocation;
use crate::report::median;
use crate::site::Site;
use crate::tools::Tools;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Requests that come at a rate, however long their answers take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    pub(crate) tls: bool,
    pub(crate) http2: bool,
    pub(crate) path: &'static str,
}

/// How long answers took, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Latency {
    /// Requests a second.
    pub(crate) rate: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) failed: u64,
}

impl Latency {
    /// Of each figure the median of the rounds; the rate is that of all of them. Nothing, of none.
    pub(crate) fn median(rounds: &[Self]) -> Option<Self> {
        let of = |figure: fn(&Self) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
        let rate = rounds.first()?.rate;
        let failed = rounds.iter().map(|round| round.failed).sum();
        Some(Self { rate, p50: of(|it| it.p50), p99: of(|it| it.p99), p999: of(|it| it.p999), failed })
    }
}

impl Steady {
    pub(crate) async fn run(
        &self,
        tools: &Tools,
        site: &Site,
        rate: u64,
        lasting: Duration,
    ) -> anyhow::Result<Latency> {
        let Self { tls, http2, path } = *self;
        let mut oha = Invocation::new(&tools.find("oha")?)
            .with(["--no-tui", "--output-format", "json", "--insecure", "--latency-correction", "-q"])
            .with([rate.to_string(), "-z".to_owned(), format!("{}s", lasting.as_secs())]);
        oha = if http2 { oha.with(["--http2", "-c", "8", "-p", "16"]) } else { oha.with(["-c", "64"]) };
        let text = oha.with([url(site, tls, path)]).output().await?;
        read(&text, rate).with_context(|| format!("oha says: {text}"))
    }
}

fn read(text: &str, rate: u64) -> anyhow::Result<Latency> {
    let value: Value = serde_json::from_str(text)?;
    let percentile = |name: &str| {
        let seconds = value.pointer(&format!("/latencyPercentiles/{name}")).and_then(Value::as_f64);
        seconds.map(|seconds| seconds * 1e3).with_context(|| format!("no {name}"))
    };
    let counts = value.get("statusCodeDistribution").and_then(Value::as_object).context("no statuses")?;
    let failed = counts.iter().filter(|(status, _)| *status != "200").filter_map(|(_, count)| count.as_u64()).sum();
    Ok(Latency { rate, p50: percentile("p50")?, p99: percentile("p99")?, p999: percentile("p99.9")?, failed })
}

#[cfg(test)]
mod tests {
    use super::Latency;

    #[test]
    fn one_hiccup_is_not_the_median() {
        let round = |p99, failed| Latency { rate: 9, p50: 0.5, p99, p999: 2.0 * p99, failed };
        let all = Latency::median(&[round(1.0, 0), round(50.0, 2), round(1.5, 0)]).unwrap();
        assert_eq!((all.rate, all.p50, all.p99, all.p999, all.failed), (9, 0.5, 1.5, 3.0, 2));
        assert!(Latency::median(&[]).is_none());
    }
}

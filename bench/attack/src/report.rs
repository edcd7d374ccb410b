//! What an attack did to others, as a row of a table.

use crate::attack::{Attack, Done};
use crate::clients::{Seen, ask};
use crate::gate::Gate;
use anyhow::bail;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub(crate) const HEAD: &str = "\
| attack | sent | refused | others: median, 99 % without | with | failed | processor | memory before | peak | after |
|---|---|---|---|---|---|---|---|---|---|";

/// Clients are watched for so long before an attack.
const CALM: Duration = Duration::from_secs(10);

/// When all connections of an attack have to be gone.
const GONE: Duration = Duration::from_secs(60);

/// Memory that was given back shows a moment later.
const SETTLED: Duration = Duration::from_secs(5);

/// Measures one attack on a gateway.
pub(crate) async fn measure(gate: &Gate, attack: &Attack, lasting: Duration) -> anyhow::Result<String> {
    // Pools and caches fill.
    ask(gate.at, Duration::from_secs(2)).await;
    let without = ask(gate.at, CALM).await;
    let (before, refused, processor) = (gate.memory()?, gate.refused().await?, gate.processor()?);
    let (done, with, peak) = tokio::join!(attack.run(gate, lasting), ask(gate.at, lasting), peak(gate, lasting));
    let peak = peak?;
    let processor = (gate.processor()? - processor) / lasting.as_secs_f64();
    let refused = difference(&refused, &gate.refused().await?);
    gone(gate).await?;
    sleep(SETTLED).await;
    let after = gate.memory()?;
    let Done { connections, bytes } = done;
    let name = attack.name;
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    Ok(format!(
        "| {name} | {connections} connections, {} | {refused} | {} | {} | {} of {} | {:.0} % | {} | {} | {} |",
        mib(bytes / 1024),
        latencies(&without),
        latencies(&with),
        with.failed + without.failed,
        with.count() + with.failed + without.count() + without.failed,
        processor * 100.0,
        mib(before),
        mib(peak),
        mib(after),
    ))
}

fn latencies(seen: &Seen) -> String {
    let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
    format!("{:.1}, {:.1} ms", millis(seen.quantile(500)), millis(seen.quantile(990)))
}

/// The most memory over a while.
async fn peak(gate: &Gate, lasting: Duration) -> anyhow::Result<u64> {
    let end = Instant::now() + lasting;
    let mut peak = 0;
    while Instant::now() < end {
        peak = peak.max(gate.memory()?);
        sleep(Duration::from_millis(50)).await;
    }
    Ok(peak)
}

/// Waits until the attack's connections are gone.
async fn gone(gate: &Gate) -> anyhow::Result<()> {
    let begun = Instant::now();
    while gate.open().await? > 0 {
        if begun.elapsed() > GONE {
            bail!("connections are still open");
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> String {
    let more = after.iter().filter_map(|(reason, count)| {
        let more = count - before.get(reason).copied().unwrap_or(0);
        (more > 0).then(|| format!("`{reason}` {more}"))
    });
    let more: Vec<String> = more.collect();
    if more.is_empty() { "-".to_owned() } else { more.join(", ") }
}

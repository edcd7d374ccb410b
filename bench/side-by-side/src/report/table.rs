//! Tables in Markdown.

use super::{Measured, Report, goals};
use crate::peers::Peer;
use std::fmt::Write as _;

/// All tables of a run. A dash is for who cannot do it, or not with configuration alone.
pub(crate) fn markdown(report: &Report) -> String {
    [about(report), goals::markdown(report), figures(report), ratios(report), latencies(report), memory(report)]
        .join("\n")
}

fn about(report: &Report) -> String {
    let Report { date, mode, machine, versions, measured: _ } = report;
    let versions: Vec<String> = versions.iter().map(|(peer, version)| format!("{} {version}", peer.name())).collect();
    format!(
        "Measured on {date} ({mode} run): {} processors ({}), {}, TCP with {}. {}. –: cannot do it, or not with configuration alone.\n",
        machine.processors,
        machine.processor,
        machine.kernel,
        machine.congestion_control,
        versions.join(", ")
    )
}

/// A table with a column a peer; rows that no peer has are left out.
fn table(report: &Report, first: &str, row: impl Fn(&Measured, Peer) -> Option<String>) -> String {
    let peers: Vec<Peer> = report.peers().collect();
    let mut text = format!("| {first} |");
    for peer in &peers {
        text += &format!(" {} |", peer.name());
    }
    text += &format!("\n|---|{}\n", "---|".repeat(peers.len()));
    let head = text.len();
    for workload in report.workloads() {
        let cells: Vec<Option<String>> = peers.iter().map(|peer| row(workload, *peer)).collect();
        if cells.iter().any(Option::is_some) {
            let cells: Vec<String> = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".to_owned())).collect();
            text += &format!("| {} | {} |\n", workload.title, cells.join(" | "));
        }
    }
    if text.len() == head { String::new() } else { text }
}

/// Three digits that count, where there are so many.
pub(super) fn short(number: f64) -> String {
    let places = if number >= 100.0 { 0 } else { usize::from(number < 100.0) + usize::from(number < 10.0) };
    format!("{number:.places$}")
}

fn figures(report: &Report) -> String {
    let mut text = String::new();
    let kinds: std::collections::BTreeSet<&str> =
        report.measured.iter().filter_map(|one| one.figure.split_once(" a ")).map(|(kind, _)| kind).collect();
    // Time first.
    for kind in kinds.into_iter().rev() {
        let of_kind = |one: &Measured| one.figure.starts_with(kind);
        let cell = |workload: &Measured, peer| {
            let one = report.of(&workload.workload, peer).filter(|one| of_kind(one))?;
            let (least, most) = one.range();
            let failed = if one.failed > 0 { format!(", {} failed", one.failed) } else { String::new() };
            let range =
                if one.figures.len() > 1 { format!(" ({}–{})", short(least), short(most)) } else { String::new() };
            Some(format!("{}{range}{failed}", short(one.median())))
        };
        let titled = table(report, kind, cell);
        let _ = writeln!(text, "{titled}");
    }
    text
}

/// Lychgate against each of the others.
fn ratios(report: &Report) -> String {
    let cell = |workload: &Measured, peer| {
        let (ours, theirs) = (report.of(&workload.workload, Peer::Lychgate)?, report.of(&workload.workload, peer)?);
        (peer != Peer::Lychgate).then(|| format!("{}x", short(ours.median() / theirs.median())))
    };
    table(report, "Lychgate takes, of what others take", cell)
}

fn latencies(report: &Report) -> String {
    let cell = |workload: &Measured, peer| {
        let latency = report.of(&workload.workload, peer)?.latency?;
        Some(format!("{} / {} / {}", short(latency.p50), short(latency.p99), short(latency.p999)))
    };
    table(report, "ms until answered, at half the rate of the slowest: 50 / 99 / 99.9 %", cell)
}

fn memory(report: &Report) -> String {
    let cell = |workload: &Measured, peer| {
        let one = report.of(&workload.workload, peer)?;
        Some(format!("{} MiB, {} ms", short(one.memory), short(one.started)))
    };
    table(report, "memory after it, and from start to accepting", cell)
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn three_digits_count() {
        assert_eq!([short(1234.56), short(123.45), short(12.345), short(1.2345)], ["1235", "123", "12.3", "1.23"]);
    }
}

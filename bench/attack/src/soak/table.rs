//! Tables in Markdown.

use super::clients::{Kind, OfKind, Seen};
use super::rest::Rest;

/// Of the rounds.
pub(super) const HEAD: &str = "\
| round | answers | failed | at rest: memory | open files | connections | requests | processor |
|---|---|---|---|---|---|---|---|";

pub(super) fn row(number: usize, seen: &Seen, rest: &Rest) -> String {
    let Rest { memory, descriptors, open, in_flight, processor } = rest;
    let (answers, failed) = (seen.0.values().map(|of| of.took.len()).sum::<usize>(), failures(seen));
    let (memory, processor) = (*memory as f64 / 1024.0, processor * 100.0);
    format!(
        "| {number} | {answers} | {failed} | {memory:.1} MiB | {descriptors} | {open} | {in_flight} | {processor:.1} % |"
    )
}

fn failures(seen: &Seen) -> usize {
    seen.0.values().map(|of| of.failed).sum()
}

/// By protocol, over all rounds.
pub(super) fn protocols(seen: &Seen) -> String {
    let rows: Vec<String> = seen.0.iter().map(|(kind, of)| protocol(*kind, of)).collect();
    format!("| | answers | failed | median | 99 % | slowest |\n|---|---|---|---|---|---|\n{}\n", rows.join("\n"))
}

fn protocol(kind: Kind, OfKind { took, failed, .. }: &OfKind) -> String {
    let mut sorted = took.clone();
    sorted.sort_by(f32::total_cmp);
    let quantile = |of_hundred: usize| sorted.get((sorted.len().saturating_sub(1)) * of_hundred / 100).copied();
    let [median, most, slowest] = [50, 99, 100].map(|of_hundred| quantile(of_hundred).unwrap_or(f32::NAN));
    let (name, count) = (kind.name(), sorted.len());
    format!("| {name} | {count} | {failed} | {median:.1} ms | {most:.1} ms | {slowest:.1} ms |")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn quantiles_are_of_what_was_answered() {
        let mut seen = Seen::default();
        (1..=100).rev().for_each(|millis| seen.answered(Kind::Http1, Duration::from_millis(millis)));
        seen.failed(Kind::Http1, "no".to_owned());
        let text = protocols(&seen);
        assert!(text.contains("| HTTP/1.1 | 100 | 1 | 50.0 ms | 99.0 ms | 100.0 ms |"), "{text}");
        assert_eq!(seen.errors(), ["HTTP/1.1: no"]);
    }
}

//! What is aimed at, beside what was measured, and how far that is off.

use super::Report;
use super::table::short;
use crate::peers::Peer;

/// One row.
#[derive(Clone, Debug, PartialEq)]
struct Goal {
    work: String,
    /// Ours, and what it is held against.
    beside: String,
    figure: f64,
    at_most: f64,
    unit: &'static str,
}

/// The table; nothing if nothing of it was measured.
pub(super) fn markdown(report: &Report) -> String {
    let all = all(report);
    if all.is_empty() {
        return String::new();
    }
    let rows: String = all.iter().map(row).collect();
    format!("| what is aimed at | measured | is | at most | |\n|---|---|---|---|---|\n{rows}")
}

fn row(goal: &Goal) -> String {
    let Goal { work, beside, figure, at_most, unit } = goal;
    let verdict = if figure <= at_most {
        "reached".to_owned()
    } else {
        format!("**{:.0} % above**", (figure / at_most - 1.0) * 100.0)
    };
    format!("| {work} | {beside} | {}{unit} | {}{unit} | {verdict} |\n", short(*figure), short(*at_most))
}

fn all(report: &Report) -> Vec<Goal> {
    let mut all = Vec::new();
    for key in ["h1", "h1-tls", "h2-tls"] {
        all.extend(against(report, key, Peer::Envoy, 0.5));
        all.extend(against(report, key, Peer::BarePingora, 0.9));
        all.extend(against(report, key, Peer::Nginx, 1.0));
    }
    for key in ["grpc", "grpc-stream"] {
        all.extend(against(report, key, Peer::Envoy, 0.5));
    }
    for key in ["large-down", "large-down-tls", "large-up", "passed-tcp", "passed-tls", "tunnel"] {
        let best =
            others(report, key).min_by(|one, other| figure(report, key, *one).total_cmp(&figure(report, key, *other)));
        all.extend(best.and_then(|peer| against(report, key, peer, 1.0)));
    }
    for key in ["handshakes", "handshakes-resumed"] {
        all.extend(against(report, key, Peer::Nginx, 1.0));
    }
    all.extend(["h1", "h1-tls", "h2-tls"].iter().filter_map(|key| latency(report, key)));
    all.extend(growth(report, "routes-paths-10000", "routes-paths-1", 1.1));
    all.extend(growth(report, "routes-paths-50000", "routes-paths-1", 1.2));
    all.extend(growth(report, "changed-50000", "changed-100", 2.0));
    all.extend(memory(report, "routes-paths-5000", 40.0));
    all.extend(each(report, "idle", 16.0));
    all.extend(each(report, "idle-tls", 32.0));
    all.extend(growth(report, "h1-traced", "h1", 1.05));
    all
}

fn others<'r>(report: &'r Report, key: &'r str) -> impl Iterator<Item = Peer> + 'r {
    let ours = |peer: &Peer| matches!(peer, Peer::Lychgate | Peer::Other);
    report.peers().filter(move |peer| !ours(peer) && report.of(key, *peer).is_some())
}

/// Not a number if there is none.
fn figure(report: &Report, key: &str, peer: Peer) -> f64 {
    report.of(key, peer).map_or(f64::NAN, super::Measured::median)
}

fn against(report: &Report, key: &str, peer: Peer, at_most: f64) -> Option<Goal> {
    let (ours, theirs) = (report.of(key, Peer::Lychgate)?, report.of(key, peer)?);
    Some(Goal {
        work: format!("{}, of {}", ours.title, peer.name()),
        beside: format!("{} µs, {} {} µs", short(ours.median()), peer.name(), short(theirs.median())),
        figure: ours.median() / theirs.median(),
        at_most,
        unit: "x",
    })
}

/// The best of those that are not Pingora, and a fifth.
fn latency(report: &Report, key: &str) -> Option<Goal> {
    let of = |peer| report.of(key, peer)?.latency.map(|latency| latency.p99);
    let ours = of(Peer::Lychgate)?;
    let peers = [Peer::Nginx, Peer::Haproxy, Peer::Envoy];
    let theirs = peers.into_iter().filter_map(|peer| Some((peer, of(peer)?)));
    let (peer, best) = theirs.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
    Some(Goal {
        work: format!("{}: 99 % at the fixed rate, of the best", report.of(key, Peer::Lychgate)?.title),
        beside: format!("{} ms, {} {} ms", short(ours), peer.name(), short(best)),
        figure: ours / best,
        at_most: 1.2,
        unit: "x",
    })
}

/// One of ours against another of ours.
fn growth(report: &Report, more: &str, less: &str, at_most: f64) -> Option<Goal> {
    let (more, less) = (report.of(more, Peer::Lychgate)?, report.of(less, Peer::Lychgate)?);
    Some(Goal {
        work: format!("{}, of {}", more.title, less.title),
        beside: format!("{}, {}", short(more.median()), short(less.median())),
        figure: more.median() / less.median(),
        at_most,
        unit: "x",
    })
}

fn memory(report: &Report, key: &str, at_most: f64) -> Option<Goal> {
    let one = report.of(key, Peer::Lychgate)?;
    Some(Goal {
        work: format!("memory, {}", one.title),
        beside: format!("{} MiB", short(one.memory)),
        figure: one.memory,
        at_most,
        unit: " MiB",
    })
}

fn each(report: &Report, key: &str, at_most: f64) -> Option<Goal> {
    let one = report.of(key, Peer::Lychgate)?;
    let beside: Vec<String> =
        others(report, key).map(|peer| format!("{} {}", peer.name(), short(figure(report, key, peer)))).collect();
    Some(Goal {
        work: format!("memory of one of many {}", one.title),
        beside: format!("{} KiB; {}", short(one.median()), beside.join(", ")),
        figure: one.median(),
        at_most,
        unit: " KiB",
    })
}

#[cfg(test)]
mod tests {
    use super::{Goal, row};

    #[test]
    fn how_far_off_is_said() {
        let goal = |figure| Goal { work: "w".to_owned(), beside: "b".to_owned(), figure, at_most: 0.5, unit: "x" };
        assert_eq!(row(&goal(0.5)), "| w | b | 0.50x | 0.50x | reached |\n");
        assert_eq!(row(&goal(0.75)), "| w | b | 0.75x | 0.50x | **50 % above** |\n");
    }
}

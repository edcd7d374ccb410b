//! What happened between two looks at the metrics, by listener, rule and backend.

use super::exposition::Sample;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happened at one listener, rule or backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    /// Requests, connections and flows a second.
    pub(super) rate: f64,
    /// Those of them that failed: 5xx, no answer, could not be carried.
    pub(super) errors: f64,
    /// Half of the requests took no longer, in seconds.
    pub(super) p50: Option<f64>,
    /// 99 of 100 took no longer.
    pub(super) p99: Option<f64>,
    /// Requests, connections and flows of this moment.
    pub(super) in_flight: f64,
    /// Bytes a second from clients; of backends, from the backend.
    pub(super) received: f64,
    /// Bytes a second to clients; of backends, to the backend.
    pub(super) sent: f64,
}

/// What there is to be seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    pub(super) listeners: Vec<Row>,
    pub(super) rules: Vec<Row>,
    pub(super) backends: Vec<Row>,
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Sort {
    /// Requests a second, most first.
    #[default]
    Rate,
    /// Failures a second, most first.
    Errors,
    /// The 99th percentile, slowest first.
    P99,
    /// What is in flight, most first.
    InFlight,
    /// Names.
    Name,
}

impl Sort {
    pub(super) const ALL: [Self; 5] = [Self::Rate, Self::Errors, Self::P99, Self::InFlight, Self::Name];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Errors => "errors",
            Self::P99 => "p99",
            Self::InFlight => "in flight",
            Self::Name => "name",
        }
    }

    /// The next one, round and round.
    pub(super) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or_default();
        Self::ALL.get((at + 1) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// The metrics at one moment.
pub(super) struct Look(BTreeMap<(String, BTreeMap<String, String>), f64>);

impl Look {
    pub(super) fn new(samples: Vec<Sample>) -> Self {
        Self(samples.into_iter().map(|Sample { name, labels, value }| ((name, labels), value)).collect())
    }
}

/// Sums of one row, before they are divided.
#[derive(Default)]
struct Sums {
    requests: f64,
    failed: f64,
    streams: f64,
    refused: f64,
    in_flight: f64,
    open: f64,
    received: f64,
    sent: f64,
    /// Upper bound of each bucket, and how many requests of this time were no slower.
    buckets: Vec<(f64, f64)>,
    /// Whether it has ever had a request.
    has_requests: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Listener,
    Rule,
    Backend,
}

/// What happened between two looks.
pub(super) fn between(before: &Look, after: &Look, time: Duration, sort: Sort) -> Rows {
    let mut sums: BTreeMap<(Of, String), Sums> = BTreeMap::new();
    for ((name, labels), now) in &after.0 {
        let sample = Sample { name: name.clone(), labels: labels.clone(), value: *now };
        let Some((of, rest)) = scope(&sample) else { continue };
        let then = before.0.get(&(name.clone(), labels.clone())).copied().unwrap_or_default();
        // A counter that went back belongs to a process that has begun anew.
        let more = if *now < then { *now } else { now - then };
        sums.entry((of, title(of, &sample))).or_default().add(rest, &sample, more);
    }
    let seconds = time.as_secs_f64().max(f64::MIN_POSITIVE);
    let mut rows = Rows::default();
    for ((of, name), sums) in sums {
        let row = sums.row(of, name, seconds);
        match of {
            Of::Listener => rows.listeners.push(row),
            Of::Rule => rows.rules.push(row),
            Of::Backend => rows.backends.push(row),
        }
    }
    rows.sort(sort);
    rows
}

/// Which kind of row a series belongs to, and the rest of its name.
fn scope(sample: &Sample) -> Option<(Of, &str)> {
    let name = sample.name.strip_prefix("lychgate_")?;
    [("listener_", Of::Listener), ("rule_", Of::Rule), ("backend_", Of::Backend)]
        .into_iter()
        .find_map(|(prefix, of)| Some((of, name.strip_prefix(prefix)?)))
        // Those of listeners have no scope in their name.
        .or_else(|| name.starts_with("stream").then_some((Of::Listener, name)))
}

fn title(of: Of, sample: &Sample) -> String {
    match of {
        Of::Listener => format!("{}/{}", sample.label("gateway"), sample.label("listener")),
        Of::Rule => format!("{}#{}", sample.label("route"), sample.label("rule")),
        Of::Backend => sample.label("backend").to_owned(),
    }
}

impl Sums {
    fn add(&mut self, name: &str, sample: &Sample, more: f64) {
        match name {
            "requests_total" => {
                self.requests += more;
                self.has_requests |= sample.value > 0.0;
                if matches!(sample.label("code"), "5xx" | "none") {
                    self.failed += more;
                }
            }
            "requests_in_flight" => self.in_flight += sample.value,
            "request_duration_seconds_bucket" => {
                let bound = sample.label("le").parse().unwrap_or(f64::INFINITY);
                self.buckets.push((bound, more));
            }
            "streams_total" => self.streams += more,
            "streams_open" | "connections_open" => self.open += sample.value,
            "streams_refused_total" | "connect_failures_total" => self.refused += more,
            "connections_total" if sample.label("kind") == "new" => self.streams += more,
            "received_bytes_total" => self.received += more,
            "sent_bytes_total" => self.sent += more,
            "stream_bytes_total" if sample.label("direction") == "up" => self.received += more,
            "stream_bytes_total" => self.sent += more,
            _ => {}
        }
    }

    fn row(mut self, of: Of, name: String, seconds: f64) -> Row {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        // A backend counts its connections for requests, too; only without requests are they all there is.
        let streams = of != Of::Backend || !self.has_requests;
        let (streams, refused, open) = if streams { (self.streams, self.refused, self.open) } else { (0.0, 0.0, 0.0) };
        Row {
            name,
            rate: (self.requests + streams) / seconds,
            errors: (self.failed + refused) / seconds,
            p50: quantile(&self.buckets, 0.5),
            p99: quantile(&self.buckets, 0.99),
            in_flight: self.in_flight + open,
            received: self.received / seconds,
            sent: self.sent / seconds,
        }
    }
}

/// The value that this share of observations does not exceed, within its bucket by a straight line, as Prometheus's
/// `histogram_quantile` has it. What is above the last bound is told as that bound.
fn quantile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let all = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
    let rank = all * share;
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if *count >= rank && *count > below {
            if bound.is_infinite() {
                return Some(low);
            }
            return Some(low + (bound - low) * ((rank - below) / (count - below)).clamp(0.0, 1.0));
        }
        (low, below) = (*bound, *count);
    }
    None
}

impl Rows {
    /// Sorts them anew.
    pub(super) fn sort(&mut self, sort: Sort) {
        for rows in [&mut self.listeners, &mut self.rules, &mut self.backends] {
            sort_by(rows, sort);
        }
    }
}

fn sort_by(rows: &mut [Row], sort: Sort) {
    let key = |row: &Row| match sort {
        Sort::Rate => row.rate,
        Sort::Errors => row.errors,
        Sort::P99 => row.p99.unwrap_or(-1.0),
        Sort::InFlight => row.in_flight,
        Sort::Name => 0.0,
    };
    rows.sort_by(|a, b| key(b).total_cmp(&key(a)).then_with(|| a.name.cmp(&b.name)));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::top::exposition::parse;

    fn look(text: &str) -> Look {
        Look::new(parse(text))
    }

    #[test]
    fn rates_are_those_of_the_time_between() {
        let before = look(
            "lychgate_rule_requests_total{code=\"2xx\",route=\"HTTPRoute/d/r\",rule=\"0\"} 100\n\
             lychgate_rule_sent_bytes_total{route=\"HTTPRoute/d/r\",rule=\"0\"} 1000\n",
        );
        let after = look(
            "lychgate_rule_requests_total{code=\"2xx\",route=\"HTTPRoute/d/r\",rule=\"0\"} 118\n\
             lychgate_rule_requests_total{code=\"5xx\",route=\"HTTPRoute/d/r\",rule=\"0\"} 2\n\
             lychgate_rule_requests_in_flight{route=\"HTTPRoute/d/r\",rule=\"0\"} 3\n\
             lychgate_rule_sent_bytes_total{route=\"HTTPRoute/d/r\",rule=\"0\"} 3000\n\
             lychgate_streams_total{gateway=\"d/gw\",listener=\"tcp\"} 4\n\
             lychgate_streams_refused_total{gateway=\"d/gw\",listener=\"tcp\"} 1\n\
             lychgate_streams_open{gateway=\"d/gw\",listener=\"tcp\"} 2\n",
        );
        let rows = between(&before, &after, Duration::from_secs(2), Sort::Rate);
        let expected = Row {
            name: "HTTPRoute/d/r#0".to_owned(),
            rate: 10.0,
            errors: 1.0,
            in_flight: 3.0,
            sent: 1000.0,
            ..Row::default()
        };
        assert_eq!(rows.rules, [expected]);
        let listener = &rows.listeners[0];
        assert_eq!(
            (listener.name.as_str(), listener.rate, listener.errors, listener.in_flight),
            ("d/gw/tcp", 2.0, 0.5, 2.0)
        );
    }

    #[test]
    fn a_process_that_begins_anew_does_not_count_backwards() {
        let series = |value| look(&format!("lychgate_backend_requests_total{{backend=\"b\",code=\"2xx\"}} {value}\n"));
        let rows = between(&series(1000), &series(5), Duration::from_secs(1), Sort::Rate);
        assert_eq!(rows.backends[0].rate, 5.0);
    }

    #[test]
    fn connections_of_a_backend_count_where_it_has_no_requests() {
        let text = "lychgate_backend_connections_total{backend=\"b\",kind=\"new\"} 2\n\
                    lychgate_backend_connections_open{backend=\"b\"} 1\n";
        let nothing = look("");
        let rows = between(&nothing, &look(text), Duration::from_secs(1), Sort::Rate);
        assert_eq!((rows.backends[0].rate, rows.backends[0].in_flight), (2.0, 1.0));
        let text = text.to_owned() + "lychgate_backend_requests_total{backend=\"b\",code=\"2xx\"} 7\n";
        let rows = between(&nothing, &look(&text), Duration::from_secs(1), Sort::Rate);
        assert_eq!((rows.backends[0].rate, rows.backends[0].in_flight), (7.0, 0.0));
    }

    #[test]
    fn quantiles_are_within_their_bucket() {
        let buckets = [(0.001, 0.0), (0.01, 50.0), (0.1, 99.0), (f64::INFINITY, 100.0)];
        assert!((quantile(&buckets, 0.5).unwrap() - 0.01).abs() < 1e-9);
        assert!((quantile(&buckets, 0.25).unwrap() - 0.0055).abs() < 1e-9);
        assert!((quantile(&buckets, 0.99).unwrap() - 0.1).abs() < 1e-9);
        assert_eq!(quantile(&buckets, 1.0), Some(0.1), "no more is known");
        assert_eq!(quantile(&[(0.1, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn rows_are_sorted_as_asked() {
        let row = |name: &str, rate, errors, p99, in_flight| Row {
            name: name.to_owned(),
            rate,
            errors,
            p99,
            in_flight,
            ..Row::default()
        };
        let mut rows =
            [row("a", 1.0, 3.0, None, 2.0), row("b", 3.0, 1.0, Some(0.1), 1.0), row("c", 2.0, 2.0, Some(0.2), 3.0)];
        for (sort, order) in [
            (Sort::Rate, ["b", "c", "a"]),
            (Sort::Errors, ["a", "c", "b"]),
            (Sort::P99, ["c", "b", "a"]),
            (Sort::InFlight, ["c", "a", "b"]),
            (Sort::Name, ["a", "b", "c"]),
        ] {
            sort_by(&mut rows, sort);
            assert_eq!(rows.each_ref().map(|row| row.name.as_str()), order, "{sort:?}");
        }
        let round = Sort::ALL.iter().fold(Sort::Rate, |sort, _| sort.next());
        assert_eq!(round, Sort::Rate);
    }
}

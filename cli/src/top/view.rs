//! Rows as lines of text, as wide and as many as there is room for.

use super::rows::{Row, Rows, Sort};
use lychgate_gateway::status::Paint;
use std::time::Duration;

/// Room for lines. A pipe has all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) columns: usize,
    pub(super) lines: usize,
}

impl Room {
    pub(super) const ENDLESS: Self = Self { columns: usize::MAX, lines: usize::MAX };
}

/// Above the rows.
pub(super) struct Heading<'a> {
    pub(super) from: &'a str,
    pub(super) time: Duration,
    pub(super) sort: Sort,
    /// What keys do, where there are keys.
    pub(super) keys: &'a str,
}

/// A column of numbers: its title, its width, and its text of a row.
struct Column {
    title: &'static str,
    width: usize,
    text: fn(&Row) -> String,
}

/// Those at the end go first where there is no room.
const COLUMNS: [Column; 7] = [
    Column { title: "rate/s", width: 9, text: |row| number(row.rate) },
    Column { title: "errors", width: 8, text: errors },
    Column { title: "p50", width: 8, text: |row| seconds(row.p50) },
    Column { title: "p99", width: 8, text: |row| seconds(row.p99) },
    Column { title: "now", width: 7, text: |row| number(row.in_flight) },
    Column { title: "in/s", width: 9, text: |row| bytes(row.received) },
    Column { title: "out/s", width: 9, text: |row| bytes(row.sent) },
];

/// A name with less room is not worth showing numbers beside it.
const NAME: usize = 24;

/// All that fits: a heading, then listeners, routes and backends.
pub(super) fn lines(rows: &Rows, heading: &Heading<'_>, room: Room, paint: Paint) -> Vec<String> {
    let Heading { from, time, sort, keys } = heading;
    let first = format!("by {}  over {time:.1?}  {from}  {keys}", sort.as_str());
    let mut lines = vec![cut(first.trim_end(), room.columns)];
    let sections = [("listeners", &rows.listeners), ("routes", &rows.rules), ("backends", &rows.backends)];
    // Each section has an empty line and a title.
    let shares = shares(sections.map(|(_, rows)| rows.len()), room.lines.saturating_sub(1 + 2 * sections.len()));
    let name = name_width(rows, room.columns);
    for ((title, rows), share) in sections.into_iter().zip(shares) {
        lines.push(String::new());
        lines.push(paint.strong(&head(title, name, room.columns)));
        // A section that does not fit ends with a line that says so.
        let shown = if share < rows.len() { share.saturating_sub(1) } else { rows.len() };
        lines.extend(rows.iter().take(shown).map(|row| line(row, name, room.columns, paint)));
        if shown < rows.len() && share > 0 {
            lines.push(cut(&format!("… and {} more", rows.len() - shown), room.columns));
        }
    }
    lines.truncate(room.lines);
    lines
}

/// What is shown where there is nothing to show.
pub(super) fn message(from: &str, why: &str, keys: &str, room: Room) -> Vec<String> {
    let mut lines =
        vec![cut(format!("{from}  {keys}").trim_end(), room.columns), String::new(), cut(why, room.columns)];
    lines.truncate(room.lines);
    lines
}

/// How many lines each section gets: what it needs, and no more than its part while others need more.
fn shares<const N: usize>(needed: [usize; N], mut left: usize) -> [usize; N] {
    let mut shares = [0; N];
    let mut open: Vec<usize> = (0..N).collect();
    open.sort_by_key(|section| needed[*section]);
    for (done, section) in open.into_iter().enumerate() {
        let share = needed[section].min(left / (N - done));
        shares[section] = share;
        left -= share;
    }
    shares
}

fn name_width(rows: &Rows, columns: usize) -> usize {
    let all = rows.listeners.iter().chain(&rows.rules).chain(&rows.backends);
    let longest = all.map(|row| row.name.chars().count()).max().unwrap_or(0).max(NAME);
    longest.min(columns.saturating_sub(numbers(columns).map(|column| column.width).sum()).max(1))
}

/// The columns of numbers that there is room for.
fn numbers(columns: usize) -> impl Iterator<Item = &'static Column> {
    let mut left = columns.saturating_sub(NAME);
    COLUMNS.iter().take_while(move |column| {
        let fits = column.width <= left;
        left = left.saturating_sub(column.width);
        fits
    })
}

fn head(title: &str, name: usize, columns: usize) -> String {
    let mut head = pad(title, name);
    numbers(columns).for_each(|Column { title, width, text: _ }| head += &format!("{title:>width$}"));
    head
}

fn line(row: &Row, name: usize, columns: usize, paint: Paint) -> String {
    let mut line = pad(&row.name, name);
    numbers(columns).for_each(|Column { title: _, width, text }| {
        let text = text(row);
        line += &format!("{text:>width$}");
    });
    if row.errors > 0.0 { paint.bad(&line) } else { line }
}

/// As wide as asked; a name that is too long loses its middle, since its end tells it from others.
fn pad(text: &str, width: usize) -> String {
    let text: Vec<char> = text.chars().filter(|each| !each.is_control()).collect();
    if text.len() <= width {
        return format!("{:<width$}", text.into_iter().collect::<String>());
    }
    let end = width.saturating_sub(1) * 2 / 3;
    let begin = width.saturating_sub(1) - end;
    text.iter().take(begin).chain(['…'].iter().take(width)).chain(text.iter().skip(text.len() - end)).collect()
}

fn cut(text: &str, width: usize) -> String {
    text.chars().filter(|each| !each.is_control()).take(width).collect()
}

fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        small if small < 10.0 && small.fract() != 0.0 => format!("{small:.2}"),
        many if many < 10_000.0 => format!("{many:.0}"),
        many => format!("{:.1}k", many / 1000.0),
    }
}

/// The share of requests that failed.
fn errors(row: &Row) -> String {
    match row.errors {
        0.0 => "-".to_owned(),
        some if row.rate > 0.0 => format!("{:.1}%", (some / row.rate * 100.0).min(100.0)),
        // None of them got so far as to be counted.
        _ => "100%".to_owned(),
    }
}

fn seconds(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 0.01 => format!("{:.2}ms", value * 1000.0),
        Some(value) if value < 1.0 => format!("{:.0}ms", value * 1000.0),
        Some(value) => format!("{value:.1}s"),
    }
}

fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    match value {
        0.0 => "-".to_owned(),
        few if few < KIB => format!("{few:.0}B"),
        some if some < KIB * KIB => format!("{:.1}KiB", some / KIB),
        many if many < KIB * KIB * KIB => format!("{:.1}MiB", many / KIB / KIB),
        many => format!("{:.1}GiB", many / KIB / KIB / KIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> Row {
        Row {
            name: name.to_owned(),
            rate: 1234.0,
            errors: 12.34,
            p50: Some(0.0123),
            p99: Some(2.5),
            in_flight: 3.0,
            received: 2048.0,
            sent: 5e6,
        }
    }

    fn heading() -> Heading<'static> {
        Heading { from: "http://127.0.0.1:9900", time: Duration::from_secs(2), sort: Sort::Rate, keys: "" }
    }

    fn rows(listeners: usize, rules: usize, backends: usize) -> Rows {
        let make = |kind: &str, count| (0..count).map(|n| row(&format!("{kind}/default/name#{n}"))).collect();
        Rows {
            listeners: make("Gateway", listeners),
            rules: make("HTTPRoute", rules),
            backends: make("Service", backends),
        }
    }

    #[test]
    fn a_pipe_gets_everything() {
        let lines = lines(&rows(1, 40, 1), &heading(), Room::ENDLESS, Paint::Plain);
        assert_eq!(lines.len(), 1 + 3 * 2 + 42);
        assert_eq!(lines[0], "by rate  over 2.0s  http://127.0.0.1:9900");
        assert_eq!(lines[2], "listeners                   rate/s  errors     p50     p99    now     in/s    out/s");
        assert_eq!(lines[3], "Gateway/default/name#0        1234    1.0%    12ms    2.5s      3   2.0KiB   4.8MiB");
    }

    #[test]
    fn nothing_is_wider_or_longer_than_the_terminal() {
        for columns in [1, 10, 24, 40, 79, 80, 200] {
            for height in [1, 2, 7, 8, 12, 24, 100] {
                for rows in [rows(0, 0, 0), rows(1, 40, 3), rows(30, 30, 30)] {
                    let lines = lines(&rows, &heading(), Room { columns, lines: height }, Paint::Plain);
                    assert!(lines.len() <= height, "{} lines in {height}", lines.len());
                    for line in &lines {
                        assert!(line.chars().count() <= columns.max(1), "{columns}: {line:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let lines = lines(&rows(2, 40, 2), &heading(), Room { columns: 80, lines: 24 }, Paint::Plain);
        assert_eq!(lines.len(), 24);
        assert!(lines.iter().any(|line| line == "… and 28 more"), "{lines:#?}");
        assert!(lines.iter().filter(|line| line.starts_with("Service")).count() == 2, "{lines:#?}");
    }

    #[test]
    fn long_names_keep_both_ends_and_control_characters_go() {
        assert_eq!(pad("HTTPRoute/namespace/name#rule", 12), "HTTP…me#rule");
        assert_eq!(pad("a\u{1b}[31mb", 8), "a[31mb  ");
    }
}

//! Bars, drawn by hand: a picture a workload family, on a ground of its own, so that it reads the same on light and dark
//! pages. A line across the end of a bar is the range of the rounds.

use super::table::short;
use super::{Measured, Report};
use crate::peers::Peer;
use std::fmt::Write as _;

/// A picture.
pub(super) struct Chart {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) svg: String,
}

const WIDTH: f64 = 760.0;
const LABELS: f64 = 130.0;
const BARS: f64 = 500.0;
const BAR: f64 = 16.0;
const GAP: f64 = 4.0;
const HEAD: f64 = 24.0;

/// Which workloads share a picture: key of the picture, its title, what their keys begin with.
const PICTURES: [(&str, &str, &[&str]); 9] = [
    ("requests", "Small requests", &["h1", "h2"]),
    ("bodies", "Large bodies", &["large"]),
    ("connections", "New connections", &["connections", "handshakes"]),
    ("idle", "Idle connections", &["idle"]),
    ("grpc", "gRPC", &["grpc"]),
    ("passed", "Passed through, WebSocket and UDP", &["passed", "websocket", "datagrams"]),
    ("filters", "Filters, a mirror and retries", &["filter"]),
    ("routes", "Many routes and endpoints", &["routes", "endpoints"]),
    ("changes", "One changed route", &["changed"]),
];

pub(super) fn all(report: &Report) -> Vec<Chart> {
    let picture = |(key, title, begins): (&str, &str, &[&str])| {
        let all = report.workloads().into_iter();
        let of: Vec<&Measured> = all.filter(|one| begins.iter().any(|text| one.workload.starts_with(text))).collect();
        let name = format!("bench-{key}.svg");
        (!of.is_empty()).then(|| Chart { name, title: title.to_owned(), svg: draw(report, title, &of) })
    };
    PICTURES.into_iter().filter_map(picture).collect()
}

fn draw(report: &Report, title: &str, workloads: &[&Measured]) -> String {
    let mut body = String::new();
    let mut y = 40.0;
    for workload in workloads {
        let each: Vec<&Measured> = report.peers().filter_map(|peer| report.of(&workload.workload, peer)).collect();
        let most = each.iter().map(|one| one.range().1).fold(0.0, f64::max);
        let text = format!("{}: {}", workload.title, workload.figure);
        let _ = writeln!(body, "<text x=\"16\" y=\"{:.0}\" font-weight=\"bold\">{}</text>", y + 12.0, escape(&text));
        y += HEAD;
        for one in each {
            bar(&mut body, one, y, most);
            y += BAR + GAP;
        }
        y += 12.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{y:.0}\" fill=\"#fbfaf7\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"16\">{}: less is better</text>\n{body}</svg>\n",
        escape(title)
    )
}

fn bar(body: &mut String, one: &Measured, y: f64, most: f64) {
    let scaled = |figure: f64| if most > 0.0 { figure / most * BARS } else { 0.0 };
    let (least, greatest) = one.range();
    let (length, middle) = (scaled(one.median()), y + BAR / 2.0);
    let (from, to) = (LABELS + scaled(least), LABELS + scaled(greatest));
    let colour = colour(one.peer);
    let _ = writeln!(
        body,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{LABELS}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
         <path d=\"M{from:.1} {middle:.1}H{to:.1}\" stroke=\"#222\"/>\
         <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
        LABELS - 8.0,
        y + 12.0,
        escape(one.peer.name()),
        to.max(LABELS + length) + 8.0,
        y + 12.0,
        short(one.median())
    );
}

fn colour(peer: Peer) -> &'static str {
    match peer {
        Peer::Lychgate => "#2f6f4f",
        Peer::Nginx => "#8aa0b4",
        Peer::Haproxy => "#a3b1bf",
        Peer::Envoy => "#bcc5ce",
        Peer::BarePingora => "#c9b896",
        Peer::Other => "#7fae95",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

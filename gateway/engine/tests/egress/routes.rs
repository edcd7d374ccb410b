//! What leaves by a route.

mod asked;
mod attempts;
mod beyond;
mod calls;
mod carried;
mod families;
mod limits;
mod requests;
mod shared;
mod streams;

use lychgate_ir::Filter;
use lychgate_ir::filter::UrlRewrite;

fn to_host(host: &str) -> Filter {
    Filter::Rewrite(UrlRewrite { hostname: Some(host.into()), path: None })
}

/// What is counted of decisions.
fn decisions(because: &str, verdict: &str) -> String {
    format!(r#"lychgate_egress_decisions_total{{because="{because}",gateway="egress/out",verdict="{verdict}"}}"#)
}

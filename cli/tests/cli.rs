//! The command: what it prints, where, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "cli/audit.rs"]
mod audit;
#[path = "cli/blame.rs"]
mod blame;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/diff.rs"]
mod diff;
#[path = "cli/egress.rs"]
mod egress;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/leave.rs"]
mod leave;
#[path = "cli/run.rs"]
mod run;
#[path = "cli/shell.rs"]
mod shell;
#[path = "cli/source_addresses.rs"]
mod source_addresses;
#[path = "cli/status.rs"]
mod status;
#[path = "cli/top.rs"]
mod top;
#[path = "cli/tracing.rs"]
mod tracing;
#[path = "cli/upgrade.rs"]
mod upgrade;
#[path = "cli/yaml.rs"]
mod yaml;

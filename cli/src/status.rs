//! `lychgate status`

use crate::admin::AdminUrl;
use crate::cluster::ClusterArgs;
use crate::terminal::{Output, complain, paint, print};
use anyhow::Context;
use clap::Args;
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_gateway::status::{as_objects, as_text};
use lychgate_translate::{ObjectStatus, Statuses};
use serde_json::{Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  What a running gateway says of the objects that it serves:
    lychgate status --admin http://127.0.0.1:9900
  What is written in the statuses of a cluster's objects, by whichever controllers:
    lychgate status --cluster
  Only what is wrong:
    lychgate status --cluster --problems";

/// Show what is said of objects: their conditions, as a running gateway or a cluster has them.
///
/// `check` tells what would be said of objects; this tells what is said. Exits with 1 if anything is not Accepted,
/// Programmed or ResolvedRefs.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// The admin port of the running gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9900", conflicts_with_all = ["cluster", "kubeconfig"])]
    admin: AdminUrl,
    /// Show only objects of which something is wrong.
    #[arg(long)]
    problems: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How to print the answer.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(crate) fn status(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let StatusArgs { admin, problems, cluster, output } = args;
    let (objects, statuses) = if cluster.is_asked() {
        let read = cluster.read()?;
        read.broken.iter().for_each(|(object, why)| complain(&format!("{object}: {why}\n")));
        (read.objects, read.statuses)
    } else {
        (Objects::default(), of_gateway(admin)?)
    };
    let wrong = statuses.problems().count();
    let statuses = if *problems { only_problems(&statuses) } else { statuses };
    let text = match output {
        Output::Text if statuses.iter().len() == 0 && *problems => "Nothing is wrong.\n".to_owned(),
        Output::Text if statuses.iter().len() == 0 => "Nothing is said of any object.\n".to_owned(),
        Output::Text => as_text(&statuses, paint()),
        Output::Json => format!("{:#}\n", as_objects(&objects, &statuses)),
    };
    print(&text)?;
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn only_problems(statuses: &Statuses) -> Statuses {
    let wrong: std::collections::BTreeSet<&ObjectRef> = statuses.problems().map(|finding| finding.object).collect();
    let of_wrong = statuses.iter().filter(|(object, _)| wrong.contains(object));
    of_wrong.map(|(object, status)| (object.clone(), (**status).clone())).collect()
}

/// What `/status` of a gateway says.
fn of_gateway(admin: &AdminUrl) -> anyhow::Result<Statuses> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(admin.get("/status"))?;
    let answer: Value = serde_json::from_str(&answer).with_context(|| format!("{admin}/status is no JSON"))?;
    let objects = answer["objects"].as_array().with_context(|| {
        format!(
            "{admin}/status names no objects: only a gateway that serves a directory does; for a cluster, use --cluster"
        )
    })?;
    objects.iter().map(|object| one(object).with_context(|| format!("{admin}/status: {object}"))).collect()
}

fn one(object: &Value) -> anyhow::Result<(ObjectRef, ObjectStatus)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let kind = text(&object["kind"]);
    let kind = Kind::ALL.iter().copied().find(|known| known.as_str() == kind).context("of an unknown kind")?;
    let key = ObjectKey::new(text(&metadata["namespace"]), text(&metadata["name"]));
    let mut status = object["status"].clone();
    with_times(&mut status);
    let status = ObjectStatus::decode(kind, status).context("of a kind that has no status")??;
    Ok((ObjectRef { kind, key }, status))
}

/// Times that nobody knows are left out where statuses are printed, and have to be there to be read.
fn with_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.contains_key("reason") && map.contains_key("type") {
                map.entry("lastTransitionTime").or_insert_with(|| json!("1970-01-01T00:00:00Z"));
            }
            map.values_mut().for_each(with_times);
        }
        Value::Array(values) => values.iter_mut().for_each(with_times),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

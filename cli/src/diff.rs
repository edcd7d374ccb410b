//! `lychgate diff DIR`

mod change;
mod resources;

use crate::admin::AdminUrl;
use crate::check::Read;
use crate::cluster::ClusterArgs;
use crate::terminal::{Output, paint, print};
use anyhow::Context;
use change::{Change, compare};
use clap::Args;
use lychgate_gateway::status::Paint;
use lychgate_translate::{Options, translate};
use resources::{Name, Resources};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  What would change if a running gateway served this directory instead of what it serves?
    lychgate diff DIR
  Fail a pipeline unless a directory is what is served:
    lychgate diff DIR --admin http://127.0.0.1:9900 --exit-code
  What would change in a cluster if the directory were applied to it?
    lychgate diff DIR --cluster";

/// Show what would change at a running gateway if it served a directory, or in a cluster if it were applied.
///
/// Translates the directory as `run` would, asks the gateway's admin port what it serves now, and shows the listeners,
/// routes, backends, certificates and endpoints that would come, go or change, with each place and both values. Nothing
/// is changed. Generations are not compared, nor endpoints that have to be looked up by name. For a cluster, both sides are
/// translated: its objects as they are, and with those of the directory in the place of those of the same name.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The directory; its folders are read, too.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The admin port of the running gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9900", conflicts_with_all = ["cluster", "kubeconfig"])]
    admin: AdminUrl,
    /// Exit with 1 if something would change.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How to print the answer.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What would become of one resource.
struct Difference {
    name: Name,
    fate: Fate,
}

enum Fate {
    Comes,
    Goes,
    Changes(Vec<Change>),
}

pub(crate) fn diff(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let DiffArgs { dir, admin, exit_code, cluster, output } = args;
    let read = Read::dir(dir)?;
    read.complain(paint());
    let (now, then) = if cluster.is_asked() {
        let now = Read::cluster(cluster)?;
        let applied = read.objects.iter().fold(now.objects, |objects, object| objects.insert(object));
        let then = translate(&applied, &Options::default(), None);
        (Resources::of_translation(&now.translation)?, Resources::of_translation(&then)?)
    } else {
        (running(admin)?, Resources::of_translation(&read.translation)?)
    };
    let differences = differences(now, then);
    let text = match output {
        Output::Text => as_text(&differences, paint()),
        Output::Json => format!("{:#}\n", as_json(&differences)),
    };
    print(&text)?;
    Ok(if *exit_code && !differences.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn running(admin: &AdminUrl) -> anyhow::Result<Resources> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let config = runtime.block_on(admin.get("/config"))?;
    let place = || format!("{admin}/config cannot be understood");
    let config: Value = serde_json::from_str(&config).with_context(place)?;
    Resources::of_dump(&config).with_context(place)
}

fn differences(mut now: Resources, mut then: Resources) -> Vec<Difference> {
    now.only_endpoints_of(&then);
    then.only_endpoints_of(&now);
    let names: BTreeSet<&Name> = now.0.keys().chain(then.0.keys()).collect();
    let difference = |name: &Name| {
        let fate = match (now.0.get(name), then.0.get(name)) {
            (None, _) => Fate::Comes,
            (_, None) => Fate::Goes,
            (from, to) => {
                let mut changes = Vec::new();
                compare("", from, to, &mut changes);
                if changes.is_empty() {
                    return None;
                }
                Fate::Changes(changes)
            }
        };
        Some(Difference { name: name.clone(), fate })
    };
    names.into_iter().filter_map(difference).collect()
}

fn as_text(differences: &[Difference], paint: Paint) -> String {
    let mut text = String::new();
    let (mut come, mut go, mut change) = (0, 0, 0);
    for Difference { name: (section, name), fate } in differences {
        // Writing to a String cannot fail.
        let _ = match fate {
            Fate::Comes => {
                come += 1;
                writeln!(text, "{}", paint.good(&format!("+ {section}: {name}")))
            }
            Fate::Goes => {
                go += 1;
                writeln!(text, "{}", paint.bad(&format!("- {section}: {name}")))
            }
            Fate::Changes(changes) => {
                change += 1;
                let lines: String = changes.iter().map(|change| format!("\n    {change}")).collect();
                writeln!(text, "{}{lines}", paint.strong(&format!("~ {section}: {name}")))
            }
        };
    }
    let verdict = match differences.len() {
        0 => "Nothing would change.".to_owned(),
        _ => format!("{come} would come, {go} would go, {change} would change."),
    };
    text + &verdict + "\n"
}

fn as_json(differences: &[Difference]) -> Value {
    let one = |Difference { name: (section, name), fate }: &Difference| match fate {
        Fate::Comes => json!({ "section": section, "name": name, "fate": "comes" }),
        Fate::Goes => json!({ "section": section, "name": name, "fate": "goes" }),
        Fate::Changes(changes) => {
            let change = |Change { path, from, to }: &Change| json!({ "path": path, "from": from, "to": to });
            let changes: Vec<_> = changes.iter().map(change).collect();
            json!({ "section": section, "name": name, "fate": "changes", "changes": changes })
        }
    };
    differences.iter().map(one).collect()
}

//! `lychgate check DIR`

use crate::cluster::ClusterArgs;
use crate::terminal::{complain, paint, print};
use clap::{Args, ValueEnum};
use lychgate_admission::{Admitted, AdmittedObject, Diagnostic, Position, Severity, read_dir};
use lychgate_api::{ObjectRef, Objects, ObjectsBuilder};
use lychgate_control::read::Cluster;
use lychgate_gateway::status::{Paint, as_objects, as_text};
use lychgate_translate::{Options, Translation, translate};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  Each of several directories, by itself:
    lychgate check examples/*
  The status of one route, as Kubernetes would show it:
    lychgate check DIR -o json | jq '.items[] | select(.kind == \"HTTPRoute\") | .status'
  What the data plane would be told:
    lychgate check DIR --snapshot
  The objects of a cluster, as Lychgate would serve them:
    lychgate check --cluster";

/// Check directories: what would be served, and what is wrong.
///
/// Validates every object as an API server would, and shows the conditions that each would have in a cluster. Mistakes
/// in files go to standard error as file:line:column: object: path: what; what to do. Exits with 1 if there is one, or
/// if anything is not Accepted, Programmed or ResolvedRefs. Opens no port.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The directory; its folders are read, too. Several are checked each by itself.
    #[arg(value_name = "DIR", required_unless_present_any = ["cluster", "kubeconfig"], conflicts_with_all = ["cluster", "kubeconfig"])]
    dirs: Vec<PathBuf>,
    /// How to print the statuses.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Print what the data plane would be told instead of the statuses.
    #[arg(long)]
    snapshot: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each condition (a snapshot is printed as YAML).
    Text,
    /// Kubernetes objects with their status.
    Json,
    /// Kubernetes objects with their status.
    Yaml,
}

/// A directory or a cluster, read and translated.
pub(crate) struct Read {
    pub(crate) objects: Objects,
    pub(crate) translation: Translation,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Where each object is written, and the generation that is written there; 0 if none is.
    pub(crate) positions: BTreeMap<ObjectRef, (Position, i64)>,
    /// Objects of a cluster that cannot be read, and why.
    pub(crate) broken: BTreeMap<ObjectRef, String>,
}

impl Read {
    pub(crate) fn dir(dir: &Path) -> anyhow::Result<Self> {
        let Admitted { objects, refused: _, unread: _, diagnostics } = read_dir(dir)?;
        let mut builder = ObjectsBuilder::default();
        let mut positions = BTreeMap::new();
        for admitted in objects {
            let AdmittedObject { object, position } = admitted;
            let generation = object.metadata().generation;
            positions.insert(object.reference(), (position, generation));
            // Where nobody has counted, this is the first generation.
            builder.insert(object.with_generation(generation.max(1)));
        }
        let objects = builder.build();
        let options = Options { standalone: true, ..Options::default() };
        let translation = translate(&objects, &options, None);
        Ok(Self { objects, translation, diagnostics, positions, broken: BTreeMap::new() })
    }

    /// What Lychgate would make of a cluster's objects.
    pub(crate) fn cluster(args: &ClusterArgs) -> anyhow::Result<Self> {
        let Cluster { objects, broken, statuses: _ } = args.read()?;
        let translation = translate(&objects, &Options::default(), None);
        let broken = (*broken).clone();
        Ok(Self { objects, translation, diagnostics: Vec::new(), positions: BTreeMap::new(), broken })
    }

    /// Writes what is wrong with files to standard error. Tells whether something is.
    pub(crate) fn complain(&self, paint: Paint) -> bool {
        for diagnostic in &self.diagnostics {
            let severity = match diagnostic.severity {
                Severity::Error => paint.bad("error"),
                Severity::Warning => paint.strong("warning"),
                Severity::Note => "note".to_owned(),
            };
            complain(&format!("{severity}: {diagnostic}\n"));
        }
        for (object, why) in &self.broken {
            complain(&format!("{}: {object}: {why}\n", paint.bad("error")));
        }
        !self.broken.is_empty() || self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

pub(crate) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let CheckArgs { dirs, output, snapshot, cluster } = args;
    if cluster.is_asked() {
        let well = one(&Read::cluster(cluster)?, *output, *snapshot)?;
        return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut all_well = true;
    for (index, dir) in dirs.iter().enumerate() {
        if let (Output::Text, false, true) = (output, snapshot, dirs.len() > 1) {
            let gap = if index > 0 { "\n" } else { "" };
            print(&format!("{gap}{}\n", paint().strong(&dir.display().to_string())))?;
        } else if *output != Output::Json && index > 0 {
            print("---\n")?;
        }
        match Read::dir(dir) {
            Ok(read) => all_well &= one(&read, *output, *snapshot)?,
            // The others are checked all the same.
            Err(error) if dirs.len() > 1 => {
                complain(&format!("lychgate: {error:#}\n"));
                all_well = false;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what became of one directory. Tells whether all is well.
fn one(read: &Read, output: Output, snapshot: bool) -> anyhow::Result<bool> {
    let paint = paint();
    let has_errors = read.complain(paint);
    let statuses = &read.translation.statuses;
    let problems = statuses.problems().count();
    let text = if snapshot {
        let value = serde_json::json!({
            "snapshot": &*read.translation.snapshot,
            "endpoints": read.translation.endpoints,
        });
        if output == Output::Json { format!("{value:#}\n") } else { serde_yaml::to_string(&value)? }
    } else {
        match output {
            Output::Text => {
                let mut text = as_text(statuses, paint);
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}", verdict(paint, problems, has_errors));
                text
            }
            Output::Json => format!("{:#}\n", as_objects(&read.objects, statuses)),
            Output::Yaml => serde_yaml::to_string(&as_objects(&read.objects, statuses))?,
        }
    };
    print(&text)?;
    Ok(!has_errors && problems == 0)
}

fn verdict(paint: Paint, problems: usize, has_errors: bool) -> String {
    match (problems, has_errors) {
        (0, false) => paint.good("Everything is served as written."),
        (0, true) => paint.bad("Some objects are not valid; see above."),
        (1, _) => paint.bad("One condition says that something is not served as written."),
        (count, _) => paint.bad(&format!("{count} conditions say that something is not served as written.")),
    }
}

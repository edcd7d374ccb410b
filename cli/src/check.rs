//! `lychgate check DIR`

use crate::terminal::paint;
use clap::{Args, ValueEnum};
use lychgate_admission::{Admitted, Diagnostic, Severity, read_dir};
use lychgate_api::{Objects, ObjectsBuilder};
use lychgate_gateway::status::{Paint, as_objects, as_text};
use lychgate_translate::{Options, Translation, translate};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check a directory: validate every object, and show the conditions that it would have in a cluster.
///
/// Mistakes in files go to standard error as file:line:column: object: path: what; what to do. Exits with 1 if there is
/// one, or if anything is not Accepted, Programmed or ResolvedRefs.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// The directory; its folders are read, too.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// How to print the statuses.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Print what the data plane would be told instead of the statuses.
    #[arg(long)]
    snapshot: bool,
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

/// A directory, read and translated.
pub(crate) struct Read {
    pub(crate) objects: Objects,
    pub(crate) translation: Translation,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Read {
    pub(crate) fn dir(dir: &Path) -> anyhow::Result<Self> {
        let Admitted { objects, refused: _, unread: _, diagnostics } = read_dir(dir)?;
        let mut builder = ObjectsBuilder::default();
        for admitted in objects {
            // Nobody has counted, so this is the first generation of each.
            let generation = admitted.object.metadata().generation.max(1);
            builder.insert(admitted.object.with_generation(generation));
        }
        let objects = builder.build();
        let options = Options { standalone: true, ..Options::default() };
        let translation = translate(&objects, &options, None);
        Ok(Self { objects, translation, diagnostics })
    }

    /// Writes what is wrong with files to standard error. Tells whether something is.
    pub(crate) fn complain(&self, paint: Paint) -> bool {
        for diagnostic in &self.diagnostics {
            let severity = match diagnostic.severity {
                Severity::Error => paint.bad("error"),
                Severity::Warning => paint.strong("warning"),
                Severity::Note => "note".to_owned(),
            };
            eprintln!("{severity}: {diagnostic}");
        }
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

pub(crate) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let CheckArgs { dir, output, snapshot } = args;
    let read = Read::dir(dir)?;
    let paint = paint();
    let has_errors = read.complain(paint);
    let statuses = &read.translation.statuses;
    let text = if *snapshot {
        let value = serde_json::json!({
            "snapshot": &*read.translation.snapshot,
            "endpoints": read.translation.endpoints,
        });
        if *output == Output::Json { format!("{value:#}\n") } else { serde_yaml::to_string(&value)? }
    } else {
        match output {
            Output::Text => as_text(statuses, paint),
            Output::Json => format!("{:#}\n", as_objects(&read.objects, statuses)),
            Output::Yaml => serde_yaml::to_string(&as_objects(&read.objects, statuses))?,
        }
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    let problems = statuses.problems().count();
    if *output == Output::Text && !snapshot {
        match (problems, has_errors) {
            (0, false) => println!("{}", paint.good("Everything is served as written.")),
            (0, true) => println!("{}", paint.bad("Some objects are not valid; see above.")),
            (count, _) => {
                println!("{}", paint.bad(&format!("{count} conditions say that something is not served as written.")))
            }
        }
    }
    Ok(if has_errors || problems > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

//! What shells and manuals want: completions and man pages, made from the arguments themselves.

use crate::Cli;
use crate::terminal::print;
use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;
use std::process::ExitCode;

const COMPLETIONS: &str = "\
Examples:
  bash, for this user:
    lychgate completions bash > ~/.local/share/bash-completion/completions/lychgate
  zsh, with a folder that is in $fpath:
    lychgate completions zsh > ~/.zfunc/_lychgate
  fish:
    lychgate completions fish > ~/.config/fish/completions/lychgate.fish";

/// Print completions for a shell.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Write man pages, one for each command.
///
/// To read one at once: lychgate man /tmp/man && man /tmp/man/lychgate-run.1
#[derive(Clone, Debug, Args)]
pub(crate) struct ManArgs {
    /// The directory to write into; it is made if it is missing.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lychgate", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let dir = &args.dir;
    std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    clap_mangen::generate_to(Cli::command(), dir).with_context(|| format!("cannot write to {}", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

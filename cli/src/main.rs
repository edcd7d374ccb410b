//! The `lychgate` command.

mod admin;
mod audit;
mod blame;
mod certs;
mod check;
mod cluster;
mod diff;
mod egress;
mod explain;
mod quickstart;
mod reference;
mod run;
mod shell;
mod status;
mod terminal;
mod top;

use clap::{Parser, Subcommand};
use lychgate_echo::cli::EchoArgs;
use lychgate_gateway::args::LogArgs;
use std::process::ExitCode;

/// Gives back to the system what an attack made it take, which the system's own does not (docs/decisions/0010).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const EXIT: &str = "\
Exit codes: 0 all is well; 1 something is wrong, and was said; 2 the arguments make no sense.";

/// Lychgate, the gate of a Kubernetes cluster: here from a directory of YAML, without a cluster.
///
/// A first look:
///   lychgate run                     serve a small example with backends of its own; try it with curl
///   lychgate check DIR               what each object's status would be, and what is wrong with it
///   lychgate run --config DIR        serve it; changes in the directory are live as they are written
///   lychgate explain DIR --url URL   which rule answers a request, and why the others do not
///   lychgate diff DIR                what would change at a running gateway if it served the directory
///   lychgate status                  what is said of the objects that a gateway serves, or a cluster has
///   lychgate top                     what goes on at a running gateway
///   lychgate blame LINE              which object decided a request, and who is to blame for how it ended
///   lychgate egress test URL         whether something may leave, and which rule decides
#[derive(Debug, Parser)]
#[command(name = "lychgate", version, verbatim_doc_comment, max_term_width = 120, after_long_help = EXIT)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Diff(diff::DiffArgs),
    Status(status::StatusArgs),
    Blame(blame::BlameArgs),
    Top(top::TopArgs),
    Audit(audit::AuditArgs),
    Egress(Box<egress::EgressArgs>),
    Echo(EchoArgs),
    Certs(certs::CertsArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
    /// Print a reference as Markdown.
    #[command(hide = true)]
    Reference {
        /// Of what.
        #[arg(value_enum, default_value_t)]
        of: reference::Of,
    },
}

fn main() -> ExitCode {
    let Cli { command, log } = Cli::parse();
    log.init();
    let done = match command {
        Command::Run(args) => run::run(*args),
        Command::Check(args) => check::check(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Status(args) => status::status(&args),
        Command::Blame(args) => blame::blame(&args),
        Command::Top(args) => top::top(args),
        Command::Audit(args) => audit::audit(&args),
        Command::Egress(args) => egress::egress(&args),
        Command::Echo(args) => run::echo(args),
        Command::Certs(args) => {
            certs::run(&args, &mut std::io::stdout()).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        Command::Reference { of } => reference::print(of),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    };
    done.unwrap_or_else(|error| {
        terminal::complain(&format!("lychgate: {error:#}\n"));
        ExitCode::FAILURE
    })
}

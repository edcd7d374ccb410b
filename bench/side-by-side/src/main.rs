//! Measures Lychgate beside nginx, HAProxy, Envoy and bare Pingora: the same work, in one run, on one machine.
//!
//! **Owns**: what each is asked to do ([`scene`]), how each is told to ([`peers`]), what is then sent through it
//! ([`workloads`], [`load`]), what that cost ([`process`], [`rounds`]), and how it is shown ([`report`]).
//!
//! **Refuses**: to measure a machine. Requests a second say as much about the machine as about the proxy; the processor
//! time that a proxy takes for a request holds when something else runs beside it. Every proxy has one worker on the first
//! processor; what loads it, and the backend behind it, share the others. Rounds alternate between the proxies, so that
//! what changes with time changes for all. Lychgate runs with its defaults: metrics, limits, and traces carried on.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arguments;
mod backend;
mod ended;
mod http1;
mod load;
mod machine;
mod peers;
mod plan;
mod process;
mod report;
mod rounds;
mod scene;
mod site;
mod tools;
mod workloads;

use anyhow::Context;
use arguments::{Arguments, Mode, Task};
use clap::Parser;

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Run(run) if run.plan => {
            println!("{:#}", plan::Plan::of(&run)?.estimate());
            Ok(())
        }
        Task::Run(run) => {
            machine::open_many_files()?;
            let first = machine::leave_first_processor()?;
            // To see whether all works, one is enough.
            let enough = first.is_some() || run.mode == Mode::Smoke;
            anyhow::ensure!(enough, "this needs two processors: one for proxies, one for what loads them");
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            let measured = runtime.block_on(ended::unless_told_to_end(plan::run(&run, first)));
            let measured = measured.with_context(|| format!("what was measured is in {}", run.out.display()))?;
            println!("{}", report::markdown(&measured));
            println!("written: {}", run.out.display());
            Ok(())
        }
        Task::Compare { before, after } => {
            let (before, after) = (report::read(&before)?, report::read(&after)?);
            let compared = report::compare(&before, &after);
            println!("{}", compared.text);
            anyhow::ensure!(!compared.slower, "something is slower than before, beyond what rounds differ by");
            Ok(())
        }
        Task::Publish { measured, book } => {
            let measured = report::read(&measured)?;
            report::publish(&measured, &book).with_context(|| format!("cannot write into {}", book.display()))
        }
    }
}

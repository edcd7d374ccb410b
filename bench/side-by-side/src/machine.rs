//! The machine: who runs on which processor, and what it is called.

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How many files a process may have open, if we may say so.
const FILES: u64 = 131_072;

/// Keeps this process, and those that it starts, off the first of its processors, and says which that is: there proxies run,
/// one at work at a time, and nothing else does. Nothing, if there is only one.
pub(crate) fn leave_first_processor() -> anyhow::Result<Option<usize>> {
    let mut ours = sched_getaffinity(None).context("which processors are ours")?;
    let Some(first) = (0..CpuSet::MAX_CPU).find(|cpu| ours.is_set(*cpu)).filter(|_| ours.count() > 1) else {
        return Ok(None);
    };
    ours.unset(first);
    sched_setaffinity(None, &ours).context("cannot leave the first processor")?;
    Ok(Some(first))
}

/// Lets this process, and those that it starts, open as many files as may be.
pub(crate) fn open_many_files() -> anyhow::Result<()> {
    let limit = |files| setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files });
    // Only root may have more than the most; HAProxy asks for two files a connection.
    limit(Some(FILES)).or_else(|_| limit(getrlimit(Resource::Nofile).maximum)).context("cannot open more files")
}

/// Where something was measured.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Machine {
    /// What the processor calls itself.
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn this() -> anyhow::Result<Self> {
        let about = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let processor = model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned());
        let processors =
            (0..CpuSet::MAX_CPU).take_while(|cpu| Path::new(&format!("/sys/devices/system/cpu/cpu{cpu}")).exists());
        let kernel = rustix::system::uname();
        let kernel = format!("{} {}", kernel.sysname().to_string_lossy(), kernel.release().to_string_lossy());
        Ok(Self { processor, processors: processors.count(), kernel })
    }
}

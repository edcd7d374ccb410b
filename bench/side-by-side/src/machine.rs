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
    /// How TCP finds out how fast it may send.
    pub(crate) congestion_control: String,
}

/// It paces what it sends by how fast the other end has read: over the loopback that is a matter of luck.
const PACED: &str = "bbr";

impl Machine {
    pub(crate) fn this() -> anyhow::Result<Self> {
        let about = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let processor = model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned());
        let processors =
            (0..CpuSet::MAX_CPU).take_while(|cpu| Path::new(&format!("/sys/devices/system/cpu/cpu{cpu}")).exists());
        let kernel = rustix::system::uname();
        let kernel = format!("{} {}", kernel.sysname().to_string_lossy(), kernel.release().to_string_lossy());
        let congestion_control =
            std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")?.trim().to_owned();
        Ok(Self { processor, processors: processors.count(), kernel, congestion_control })
    }

    /// What makes figures of this machine worth less, and what helps.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        let Self { processor: _, processors: _, kernel: _, congestion_control } = self;
        (congestion_control == PACED).then_some(
            "TCP paces what it sends here (bbr): rounds of large bodies may differ by two times, whoever carries them. \
             `sysctl net.ipv4.tcp_congestion_control=cubic`, which is Linux's default, helps",
        )
    }
}

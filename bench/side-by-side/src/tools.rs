//! The programs that are measured, and those that measure.

use crate::arguments::Run;
use anyhow::Context;
use std::path::{Path, PathBuf};

/// Where each program is.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) lychgate: PathBuf,
    pub(crate) other: Option<PathBuf>,
    pub(crate) bare_pingora: PathBuf,
    /// The processor of the proxies, if they have one of their own.
    pub(crate) proxies: Option<usize>,
    brought: PathBuf,
}

impl Tools {
    pub(crate) fn new(run: &Run, proxies: Option<usize>) -> Self {
        let Run { lychgate, other, bare_pingora, tools, mode: _, only: _, peers: _, out: _, resume: _, plan: _ } = run;
        Self {
            lychgate: lychgate.clone(),
            other: other.clone(),
            bare_pingora: bare_pingora.clone(),
            proxies,
            brought: tools.clone(),
        }
    }

    /// A program that the system has, or that was brought.
    pub(crate) fn find(&self, name: &str) -> anyhow::Result<PathBuf> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        // Debian puts servers where only root looks.
        let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
        let folders = std::iter::once(self.brought.clone()).chain(std::env::split_paths(&paths)).chain(more);
        let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
        found.with_context(|| format!("{name} is not there: bench/prepare brings it"))
    }

    /// A program that was built.
    pub(crate) fn built(path: &Path) -> anyhow::Result<PathBuf> {
        let there = path.is_file();
        anyhow::ensure!(there, "{} is not there: `make bench` builds it first", path.display());
        Ok(path.to_owned())
    }
}

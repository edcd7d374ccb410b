//! How many file descriptors the process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as many as the system lets this process have. Each connection and each flow of datagrams needs one or two, and the
/// usual soft limit of 1024 is for programs that use `select`.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(before = current, now = maximum, "file descriptors"),
        Err(error) => tracing::warn!(%error, limit = current, "no more file descriptors can be had"),
    }
}

//! Networks that a test makes. It needs root.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Network namespaces with names of their own. They are gone when this is dropped.
pub(crate) struct Namespaces<const N: usize> {
    pub(crate) names: [String; N],
}

impl<const N: usize> Namespaces<N> {
    /// `None`, and a line that says why, where they may not be made.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("lg{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let made = Self { names: std::array::from_fn(|index| format!("{id}n{index}")) };
        for name in &made.names {
            let added = Command::new("ip").args(["netns", "add", name]).output();
            if !added.is_ok_and(|added| added.status.success()) {
                eprintln!("skipped: namespaces cannot be made here; root and iproute2 are needed");
                return None;
            }
        }
        Some(made)
    }
}

impl<const N: usize> Drop for Namespaces<N> {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

/// Runs `ip` with these words.
pub(crate) fn ip(line: &str) {
    let done = Command::new("ip").args(line.split_whitespace()).output().unwrap();
    assert!(done.status.success(), "ip {line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A command that runs in a namespace.
pub(crate) fn inside(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]).current_dir(super::repository());
    command
}

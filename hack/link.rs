//! How programs are linked, in one place for all of them.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../hack/link.rs");
    if loader_knows_packed_relocations() {
        // A bitmap in the place of a list of all addresses: 1.6 MiB of the command that each start would read.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Since 2.36, glibc does. What is built for another machine may meet an older one.
fn loader_knows_packed_relocations() -> bool {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let is_here = variable("HOST") == variable("TARGET") && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    is_here && variable("CARGO_CFG_TARGET_OS") == "linux" && glibc().is_some_and(|version| version >= (2, 36))
}

/// That of this machine, as `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

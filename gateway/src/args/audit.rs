//! The audit log of what leaves.

use crate::audit::AuditOptions;
use clap::Args;
use lychgate_telemetry::EventOptions;
use std::path::PathBuf;

/// The audit log of what leaves.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Audit log")]
pub struct AuditArgs {
    /// Record every decision about what leaves, chained and signed, in a directory; `lychgate audit verify` reads it. No
    /// other process may write there.
    #[arg(long, value_name = "DIR")]
    audit_dir: Option<PathBuf>,
    /// The key that signs it (Ed25519, PKCS #8 in PEM); made if it is missing. By default, the directory's name and `.key`.
    #[arg(long, value_name = "FILE", requires = "audit_dir")]
    audit_key: Option<PathBuf>,
    /// Let nothing leave that cannot be recorded.
    #[arg(long, requires = "audit_dir")]
    audit_required: bool,
}

impl AuditArgs {
    /// Whether and how it is kept.
    pub fn options(self, ship: Option<EventOptions>) -> Option<AuditOptions> {
        let Self { audit_dir, audit_key, audit_required } = self;
        let dir = audit_dir?;
        let key = audit_key.unwrap_or_else(|| {
            let mut beside = dir.clone().into_os_string();
            beside.push(".key");
            beside.into()
        });
        Some(AuditOptions { dir, key, required: audit_required, ship })
    }
}

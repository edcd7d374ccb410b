//! What was tried, and what came of it.

use std::io;

/// What was tried.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// In a word or two.
    pub(super) name: &'static str,
    /// Where to, and how.
    pub(super) to: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It got out.
    Through(String),
    /// It did not.
    Stopped(String),
    /// What may be reached was reached.
    Reached(String),
    /// What may be reached was not.
    Unreachable(String),
    /// It was not tried.
    Skipped(String),
}

impl Found {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Through(_) => "THROUGH",
            Self::Stopped(_) => "stopped",
            Self::Reached(_) => "reached",
            Self::Unreachable(_) => "NOT THERE",
            Self::Skipped(_) => "skipped",
        }
    }

    pub(super) fn detail(&self) -> &str {
        match self {
            Self::Through(detail)
            | Self::Stopped(detail)
            | Self::Reached(detail)
            | Self::Unreachable(detail)
            | Self::Skipped(detail) => detail,
        }
    }

    pub(super) fn is_well(&self) -> bool {
        match self {
            Self::Stopped(_) | Self::Reached(_) | Self::Skipped(_) => true,
            Self::Through(_) | Self::Unreachable(_) => false,
        }
    }

    /// For what may be reached, the other way round.
    pub(super) fn of_allowed(self) -> Self {
        match self {
            Self::Through(detail) => Self::Reached(detail),
            Self::Stopped(detail) => Self::Unreachable(detail),
            other @ (Self::Reached(_) | Self::Unreachable(_) | Self::Skipped(_)) => other,
        }
    }

    pub(super) fn of_error(error: &io::Error) -> Self {
        match error.kind() {
            // This host has no such addresses: that is no merit of anybody.
            io::ErrorKind::AddrNotAvailable => Self::Skipped("this host has no address of that family".to_owned()),
            _ => Self::Stopped(error.to_string()),
        }
    }
}

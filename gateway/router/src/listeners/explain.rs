//! Why a listener takes a request, and why the others do not.

use super::{Listeners, Selection};
use lychgate_ir::{HostPattern, ListenerId};
use serde::Serialize;
use std::cmp::Reverse;
use std::fmt;

/// So many other listeners are shown.
const SHOWN: usize = 10;

/// Why a listener takes a request, and why the others do not. Prints as plain sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SelectionExplanation {
    /// The request's host.
    pub host: String,
    /// What was selected.
    pub selected: Selected,
    /// The other listeners of the port, those that match first.
    pub others: Vec<OtherListener>,
    /// How many more were left out to keep the list short.
    pub more: usize,
}

/// Which listener takes a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Selected {
    /// This one.
    Serve {
        /// The listener.
        listener: ListenerId,
        /// Its host name.
        hostname: HostPattern,
    },
    /// The host belongs to another listener than the server name of the TLS handshake: 421.
    Misdirected {
        /// The listener that the connection was made to.
        connected: ListenerId,
        /// The listener that the host belongs to.
        belongs: ListenerId,
    },
    /// No listener has the host: 404.
    NotFound,
    /// No listener has the server name: the handshake fails.
    Refused {
        /// The server name, if one was sent.
        server_name: Option<String>,
    },
}

/// A listener that does not take the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherListener {
    /// The listener.
    pub listener: ListenerId,
    /// Its host name.
    pub hostname: HostPattern,
    /// Why it does not.
    pub why: WhyNot,
}

/// Why a listener does not take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WhyNot {
    /// Its host name matches, but another one's is more specific.
    LessSpecific,
    /// Its host name does not match.
    DoesNotMatch,
}

impl<L> Listeners<L> {
    /// Why a listener takes a request in clear text.
    pub fn explain_http(&self, host: &str, id: &dyn Fn(&L) -> ListenerId) -> SelectionExplanation {
        let selected = match self.by_host.candidates(host).next() {
            Some((hostname, listener)) => Selected::Serve { listener: id(listener), hostname: hostname.clone() },
            None => Selected::NotFound,
        };
        self.explained(host, selected, id)
    }

    /// Why a listener takes a request over TLS with this server name.
    pub fn explain_https(
        &self,
        server_name: Option<&str>,
        host: &str,
        id: &dyn Fn(&L) -> ListenerId,
    ) -> SelectionExplanation {
        let selected = match self.for_server_name(server_name) {
            None => Selected::Refused { server_name: server_name.map(str::to_owned) },
            Some((current, connected)) => match self.select(current, host) {
                Selection::Serve(listener) => Selected::Serve { listener: id(listener), hostname: current.clone() },
                Selection::Misdirected(other) => Selected::Misdirected { connected: id(connected), belongs: id(other) },
                Selection::NotFound => Selected::NotFound,
            },
        };
        self.explained(host, selected, id)
    }

    fn explained(&self, host: &str, selected: Selected, id: &dyn Fn(&L) -> ListenerId) -> SelectionExplanation {
        let named = |listener: &ListenerId| match &selected {
            Selected::Serve { listener: served, .. } => listener == served,
            Selected::Misdirected { connected, belongs } => listener == connected || listener == belongs,
            Selected::NotFound | Selected::Refused { .. } => false,
        };
        let other = |(hostname, listener): (&HostPattern, &L)| {
            let why = if hostname.matches(host) { WhyNot::LessSpecific } else { WhyNot::DoesNotMatch };
            OtherListener { listener: id(listener), hostname: hostname.clone(), why }
        };
        let mut others: Vec<_> = self.iter().map(other).filter(|other| !named(&other.listener)).collect();
        others.sort_by_cached_key(|other| (other.why, Reverse(other.hostname.clone()), other.listener.clone()));
        let more = others.len().saturating_sub(SHOWN);
        others.truncate(SHOWN);
        SelectionExplanation { host: host.to_owned(), selected, others, more }
    }
}

impl fmt::Display for SelectionExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, selected, others, more } = self;
        match selected {
            Selected::Serve { listener, hostname } => {
                writeln!(f, "{listener} serves host `{host}`, by its host name {}.", Hostname(hostname))?;
            }
            Selected::Misdirected { connected, belongs } => writeln!(
                f,
                "421 Misdirected Request: the connection was made to {connected}, and host `{host}` belongs to \
                 {belongs}; connect with that server name."
            )?,
            Selected::NotFound => writeln!(f, "404 Not Found: no listener has host `{host}`.")?,
            Selected::Refused { server_name: Some(name) } => {
                writeln!(f, "The TLS handshake is refused: no listener has server name `{name}`.")?;
            }
            Selected::Refused { server_name: None } => {
                writeln!(f, "The TLS handshake is refused: it names no server, and every listener has a host name.")?;
            }
        }
        for OtherListener { listener, hostname, why } in others {
            let why = match why {
                WhyNot::LessSpecific => "matches, but is less specific",
                WhyNot::DoesNotMatch => "does not match",
            };
            writeln!(f, "- {listener}: its host name {} {why}.", Hostname(hostname))?;
        }
        if *more > 0 {
            writeln!(f, "- and {more} more.")?;
        }
        Ok(())
    }
}

struct Hostname<'a>(&'a HostPattern);

impl fmt::Display for Hostname<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            HostPattern::Any => f.write_str("(none: every host)"),
            pattern @ (HostPattern::Wildcard(_) | HostPattern::Exact(_)) => write!(f, "`{pattern}`"),
        }
    }
}

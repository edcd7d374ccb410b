//! What a line of the access log says, in sentences.

use super::config::{Config, Standing};
use super::running::{Running, Served};
use lychgate_gateway::{AboutReason, AccessLine, Reason};
use lychgate_ir::{ListenerId, RuleId};
use serde_json::{Value, json};
use std::fmt::{self, Display};

/// Who decided a request, and who is to blame for how it ended.
pub(super) struct Verdict<'a> {
    line: &'a AccessLine,
    decided: Decided,
    ending: Ending<'a>,
    served: Option<Served>,
    standing: Option<Standing>,
}

/// What decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    /// A rule of a route.
    Rule(RuleId),
    /// A listener that had no rule for it.
    Listener(ListenerId),
    /// It came no further than the socket, or the line does not say.
    Nobody,
}

/// How it ended.
enum Ending<'a> {
    /// It failed for a reason that is known.
    Failed(Reason),
    /// It failed for a reason that this version does not know.
    Unknown(&'a str),
    /// A backend answered so.
    ByBackend(&'a str),
    /// A filter answered so.
    ByFilter(&'a str),
    /// A connection or flow ended as its ends wanted.
    Done,
}

impl<'a> Verdict<'a> {
    pub(super) fn of(line: &'a AccessLine, config: Option<&Config>, running: Option<&Running>) -> Self {
        let decided = Decided::of(line);
        let standing = config.and_then(|config| config.standing(line, &decided));
        let served = running.and_then(|running| running.served(&decided));
        Self { line, ending: Ending::of(line), served, standing, decided }
    }

    pub(super) fn to_value(&self) -> Value {
        let Self { line, decided, ending, served, standing } = self;
        let decided = match decided {
            Decided::Rule(RuleId { route, generation, index, name }) => json!({
                "object": route.to_string(), "generation": generation, "rule": index, "ruleName": name.as_deref(),
            }),
            Decided::Listener(listener) => json!({ "object": listener.to_string() }),
            Decided::Nobody => Value::Null,
        };
        let blame = match ending {
            Ending::Failed(reason) => {
                let AboutReason { word, status: _, blame, meaning, hint } = reason.about();
                json!({ "who": blame.as_str(), "reason": word, "meaning": meaning, "try": hint })
            }
            Ending::Unknown(word) => json!({ "who": null, "reason": word }),
            Ending::ByBackend(status) if is_failure(status) => json!({ "who": "backend", "reason": null }),
            Ending::ByBackend(_) | Ending::ByFilter(_) | Ending::Done => Value::Null,
        };
        let served = served.as_ref().map(|served| match served {
            Served::Same => json!({ "same": true }),
            Served::Other { now } => json!({ "same": false, "generation": now }),
            Served::Gone => json!({ "same": false, "generation": null }),
        });
        json!({
            "line": line.fields(),
            "decided": decided,
            "blame": blame,
            "served": served,
            "config": standing.as_ref().map(Standing::to_value),
        })
    }
}

impl Decided {
    fn of(line: &AccessLine) -> Self {
        if let Some(rule) = line.get("rule").and_then(|rule| rule.parse().ok()) {
            return Self::Rule(rule);
        }
        line.get("listener").and_then(|listener| listener.parse().ok()).map_or(Self::Nobody, Self::Listener)
    }
}

impl<'a> Ending<'a> {
    fn of(line: &'a AccessLine) -> Self {
        if let Some(word) = line.get("reason") {
            return Reason::of(word).map_or(Self::Unknown(word), Self::Failed);
        }
        match (line.get("status"), line.get("backend")) {
            (Some(status), Some(_)) => Self::ByBackend(status),
            (Some(status), None) => Self::ByFilter(status),
            (None, _) => Self::Done,
        }
    }
}

fn is_failure(status: &str) -> bool {
    status.starts_with('5')
}

impl Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", What(self.line))?;
        write!(f, "{}", self.decided)?;
        self.served.map_or(Ok(()), |served| write!(f, " {served}"))?;
        writeln!(f)?;
        self.say_who(f)?;
        if let Some(detail) = self.line.get("detail") {
            writeln!(f, "  Here: {}.", detail.trim_end_matches('.'))?;
        }
        if let Ending::Failed(reason) = self.ending {
            writeln!(f, "  Try: {}.", reason.about().hint)?;
        }
        self.say_where(f)?;
        if let Some(time) = time(self.line) {
            writeln!(f, "Time: {time}.")?;
        }
        self.standing.as_ref().map_or(Ok(()), |standing| standing.fmt(f))
    }
}

impl Verdict<'_> {
    fn say_who(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Ending::Failed(reason) => {
                let AboutReason { word, status: _, blame, meaning, hint: _ } = reason.about();
                writeln!(f, "To blame: {blame} ({word}): {meaning}.")
            }
            Ending::Unknown(word) => writeln!(f, "It failed for a reason that this version does not know: {word}."),
            Ending::ByBackend(status) if is_failure(status) => {
                writeln!(f, "To blame: backend: it answered {status} itself, and the answer was passed on.")
            }
            Ending::ByBackend(status) => writeln!(f, "Nobody is to blame: the backend answered {status}."),
            Ending::ByFilter(status) => writeln!(f, "Nobody is to blame: a filter of the rule answered {status}."),
            Ending::Done => writeln!(f, "Nobody is to blame: it ended as its ends wanted."),
        }
    }

    fn say_where(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(backend) = self.line.get("backend") else { return Ok(()) };
        write!(f, "Backend: {backend}")?;
        if let Some(endpoint) = self.line.get("endpoint") {
            write!(f, ", endpoint {endpoint}")?;
        }
        match self.line.get("attempts") {
            Some("1") => writeln!(f, ", 1 attempt."),
            Some(attempts) => writeln!(f, ", {attempts} attempts."),
            None => writeln!(f, "."),
        }
    }
}

impl Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(RuleId { route, generation, index, name }) => {
                write!(f, "Decided by {route}, generation {generation}, rule {index}")?;
                name.as_ref().map_or(Ok(()), |name| write!(f, " ({name})"))?;
                f.write_str(".")
            }
            Self::Listener(listener) => write!(f, "Decided by {listener}, which had no rule for it."),
            Self::Nobody => f.write_str("No object decided: it came no further than the socket."),
        }
    }
}

/// What was asked, and what came of it, as far as the line says.
struct What<'a>(&'a AccessLine);

impl Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let get = |name| self.0.get(name);
        match (get("method"), get("path"), get("protocol")) {
            (Some(method), path, _) => {
                write!(f, "{} {}", method.escape_default(), path.unwrap_or("").escape_default())?
            }
            (None, _, Some(protocol)) => write!(f, "A connection of {protocol}")?,
            (None, _, None) => write!(f, "A request")?,
        }
        if let Some(host) = get("host") {
            write!(f, " for {}", host.escape_default())?;
        }
        if let Some(client) = get("client") {
            write!(f, " from {client}")?;
        }
        if let Some(time) = get("time") {
            write!(f, " at {time}")?;
        }
        if let Some(status) = get("status") {
            write!(f, ": {status}")?;
        }
        match get("request_id") {
            Some(id) => write!(f, " (id {}).", id.escape_default()),
            None => f.write_str("."),
        }
    }
}

/// Where the time went. The log counts all from the beginning; here each part stands for itself.
fn time(line: &AccessLine) -> Option<String> {
    let at = |name| line.get(name).and_then(|text| text.parse::<f64>().ok());
    let total = at("total_ms")?;
    let mut parts = Vec::new();
    let mut before = 0.0;
    let steps = [("queue_ms", "waiting"), ("connect_ms", "connecting"), ("first_byte_ms", "until the first byte")];
    for (name, what) in steps {
        if let Some(moment) = at(name) {
            parts.push(format!("{:.1} ms {what}", (moment - before).max(0.0)));
            before = moment;
        }
    }
    if !parts.is_empty() {
        parts.push(format!("{:.1} ms for the rest", (total - before).max(0.0)));
    }
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    let tls = at("tls_ms").map(|tls| format!("; {tls:.1} ms before that for the TLS handshake")).unwrap_or_default();
    Some(format!("{total:.1} ms{parts}{tls}"))
}

//! What the directory says of the object that decided: where it is, whether it has changed since, and what would become
//! of the same request now.

use super::verdict::Decided;
use crate::check::Read;
use http::{HeaderMap, HeaderValue, Method, Uri};
use lychgate_admission::Position;
use lychgate_api::{Kind, ObjectKey, ObjectRef};
use lychgate_gateway::{AccessLine, Explainer, Question};
use lychgate_ir::{ListenerId, ListenerOwner, ObjectName, RuleId};
use serde_json::{Value, json};
use std::fmt::{self, Display};
use std::path::Path;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A directory that can be asked.
pub(super) struct Config {
    read: Read,
    explainer: Explainer,
}

/// How the object that decided stands now.
pub(super) struct Standing {
    object: ObjectRef,
    /// Where it is written; `None` if it is gone.
    position: Option<Position>,
    changed: Changed,
    /// What is wrong with it.
    problems: Vec<String>,
    /// The rule of that place and name, in sentences.
    rule: Option<String>,
    /// What would become of the same request, in a sentence.
    now: Option<String>,
}

/// Whether it has changed since the request.
enum Changed {
    /// Its file counts its generations, and this is the one of now.
    Generation(i64),
    /// Its file was written last before the request.
    No,
    /// Its file was written later.
    File(String),
    /// The line does not say when the request was.
    Unknown,
}

impl Config {
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let read = Read::dir(dir)?;
        let explainer = Explainer::new(&read.translation.snapshot)?;
        Ok(Self { read, explainer })
    }

    /// How what decided stands now; `None` if nothing did.
    pub(super) fn standing(&self, line: &AccessLine, decided: &Decided) -> Option<Standing> {
        let object = match decided {
            Decided::Rule(rule) => object(&rule.route.kind.to_string(), &rule.route.name)?,
            Decided::Listener(ListenerId { gateway, owner: ListenerOwner::Gateway, section: _ }) => {
                object("Gateway", &gateway.0)?
            }
            Decided::Listener(ListenerId { owner: ListenerOwner::ListenerSet(set), .. }) => object("ListenerSet", set)?,
            Decided::Nobody => return None,
        };
        let written = self.read.positions.get(&object);
        let rule = match decided {
            Decided::Rule(rule) => self.rule(rule),
            Decided::Listener(_) | Decided::Nobody => None,
        };
        let problems = self.read.translation.statuses.problems().filter(|finding| *finding.object == object);
        let problems = problems.map(|finding| {
            let (place, condition) = (finding.place.to_string(), finding.condition);
            let place = if place.is_empty() { place } else { format!("{place}: ") };
            format!("{place}{} ({}): {}", condition.r#type, condition.reason, condition.message)
        });
        Some(Standing {
            position: written.map(|(position, _)| position.clone()),
            changed: written.map_or(Changed::Unknown, |(position, generation)| changed(position, *generation, line)),
            problems: problems.collect(),
            now: written.and_then(|_| self.now(line, decided)),
            rule: rule.filter(|_| written.is_some()),
            object,
        })
    }

    /// The rule of now with the name that it had, or else in the place where it was.
    fn rule(&self, rule: &RuleId) -> Option<String> {
        let RuleId { route, generation: _, index, name } = rule;
        let found = match name {
            Some(name) => self.explainer.rule_named(route, name),
            None => Some(*index),
        };
        let text = found.and_then(|found| Some((found, self.explainer.describe(route, found)?)));
        Some(match (text, name) {
            (Some((found, text)), _) => format!("Its rule {found} of now:\n{text}"),
            (None, Some(name)) => format!("It has no rule {name} now, or no listener takes it.\n"),
            (None, None) => format!("It has no rule {index} now, or no listener takes it.\n"),
        })
    }

    /// What would become of the same request now. The log has no headers, so it is asked without.
    fn now(&self, line: &AccessLine, decided: &Decided) -> Option<String> {
        let question = self.question(line)?;
        let answer = self.explainer.ask(&question);
        let same = match decided {
            Decided::Rule(rule) => Some((&rule.route, rule.index)),
            Decided::Listener(_) | Decided::Nobody => None,
        };
        let now = answer.rule.as_ref().map(|rule| (&rule.id.route, rule.id.index));
        let by = match (now, now == same) {
            (None, true) => "no rule, as before".to_owned(),
            (None, false) => "no rule".to_owned(),
            (Some(_), true) => "the same rule".to_owned(),
            (Some((route, index)), false) => format!("rule {index} of {route}"),
        };
        Some(format!("Now such a request without headers of its own would be answered by {by}."))
    }

    fn question(&self, line: &AccessLine) -> Option<Question> {
        let tls = match line.get("scheme")? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let listener: ListenerId = line.get("listener")?.parse().ok()?;
        let port = self.read.translation.snapshot.listeners.get(&listener)?.port;
        let host = line.get("host")?;
        let target: Uri = line.get("path")?.parse().ok()?;
        let authority: http::uri::Authority = host.parse().ok()?;
        let mut headers = HeaderMap::new();
        headers.insert(http::header::HOST, HeaderValue::try_from(host).ok()?);
        Some(Question {
            tls,
            server_name: Some(authority.host().to_owned()),
            authority: host.to_owned(),
            port,
            method: Method::from_bytes(line.get("method")?.as_bytes()).ok()?,
            path: target.path().to_owned(),
            query: target.query().map(str::to_owned),
            headers,
        })
    }
}

fn object(kind: &str, name: &ObjectName) -> Option<ObjectRef> {
    let kind = Kind::ALL.iter().copied().find(|known| known.as_str() == kind)?;
    Some(ObjectRef { kind, key: ObjectKey::new(&*name.namespace, &*name.name) })
}

/// How far the times of files may be behind: the kernel takes them from a clock that ticks (inode_set_ctime_current).
const FILE_CLOCK: Duration = Duration::from_millis(10);

fn changed(position: &Position, generation: i64, line: &AccessLine) -> Changed {
    if generation > 0 {
        return Changed::Generation(generation);
    }
    let asked = line.get("time").and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
    let written = std::fs::metadata(&*position.file).and_then(|metadata| metadata.modified()).ok();
    match (asked, written) {
        (Some(asked), Some(written)) if written + FILE_CLOCK <= SystemTime::from(asked) => Changed::No,
        (Some(_), Some(written)) => {
            let time = OffsetDateTime::from(written).format(&Rfc3339);
            Changed::File(time.unwrap_or_else(|_| "a later time".to_owned()))
        }
        (None, _) | (_, None) => Changed::Unknown,
    }
}

impl Standing {
    pub(super) fn to_value(&self) -> Value {
        let Self { object, position, changed, problems, rule, now } = self;
        let (generation, changed) = match changed {
            Changed::Generation(generation) => (Some(generation), Value::Null),
            Changed::No => (None, false.into()),
            Changed::File(_) => (None, true.into()),
            Changed::Unknown => (None, Value::Null),
        };
        json!({
            "object": object.to_string(),
            "position": position.as_ref().map(ToString::to_string),
            "generation": generation,
            "changedSince": changed,
            "problems": problems,
            "rule": rule,
            "now": now,
        })
    }
}

impl Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, position, changed, problems, rule, now } = self;
        match position {
            Some(position) => write!(f, "Config: {position}: {object}.")?,
            None => return writeln!(f, "Config: {object} is not there any more."),
        }
        match changed {
            Changed::Generation(generation) => writeln!(f, " It says that it is generation {generation}.")?,
            Changed::No => writeln!(f, " Its file has not changed since.")?,
            Changed::File(when) => writeln!(f, " Its file has changed since, at {when}: this is what is there now.")?,
            Changed::Unknown => writeln!(f)?,
        }
        for problem in problems {
            writeln!(f, "  ✗ {problem}")?;
        }
        for line in rule.iter().flat_map(|rule| rule.lines()) {
            writeln!(f, "  {line}")?;
        }
        now.as_ref().map_or(Ok(()), |now| writeln!(f, "  {now}"))
    }
}

//! Set, add and remove headers (HTTPRoute `requestHeaderModifier` and `responseHeaderModifier`).
//!
//! - Setting comes first, then adding, then removing: a name that is set and removed is gone. Of several values to set
//!   for one name the first counts; several values to add are all added, each on a line of its own (RFC 9110 section
//!   5.3 makes that the same as one line with commas).
//! - `Host` is no header like others: HTTP/2 has it as `:authority`, and a request has exactly one. To set or to add it
//!   means to replace the authority; to remove it cannot be done.
//! - What frames a message or belongs to one connection (RFC 9110 section 7.6.1, and `Content-Length`) is the engine's:
//!   an edit of it would let two parties disagree on where a message ends, so such a filter is refused.

use crate::authority::Authority;
use crate::refused::unsupported;
use crate::{RequestHead, ResponseHead};
use http::header::HOST;
use http::{HeaderName, HeaderValue};
use lychgate_ir::Refusal;
use lychgate_ir::filter::HeaderModifier;

/// The edits, in the order in which they are made.
#[derive(Debug)]
pub(crate) struct HeaderEdits(Box<[Edit]>);

#[derive(Debug)]
enum Edit {
    Host(HeaderValue),
    Set(HeaderName, HeaderValue),
    Add(HeaderName, HeaderValue),
    Remove(HeaderName),
}

impl HeaderEdits {
    /// For requests.
    pub(crate) fn for_requests(modifier: &HeaderModifier) -> Result<Self, Refusal> {
        let edits = compile(modifier)?.into_iter().map(|edit| match edit {
            Edit::Set(name, value) | Edit::Add(name, value) if name == HOST => {
                let usable = value.to_str().is_ok_and(|text| Authority::parse(text).is_some());
                usable.then(|| Edit::Host(value.clone())).ok_or_else(|| {
                    unsupported(format!("Host cannot be set to {value:?}: give a host name, with a port if need be"))
                })
            }
            Edit::Remove(name) if name == HOST => Err(unsupported(
                "Host cannot be removed: every request names its host; set it, or rewrite the hostname",
            )),
            Edit::Host(_) | Edit::Set(..) | Edit::Add(..) | Edit::Remove(_) => Ok(edit),
        });
        edits.collect::<Result<_, _>>().map(Self)
    }

    /// For responses, where `Host` means nothing.
    pub(crate) fn for_responses(modifier: &HeaderModifier) -> Result<Self, Refusal> {
        Ok(Self(compile(modifier)?.into()))
    }

    pub(crate) fn request(&self, head: &mut dyn RequestHead) {
        for edit in &self.0 {
            match edit {
                Edit::Host(value) => head.set_host(value),
                Edit::Set(name, value) => head.insert(name, value),
                Edit::Add(name, value) => head.append(name, value),
                Edit::Remove(name) => head.remove(name),
            }
        }
    }

    pub(crate) fn response(&self, head: &mut dyn ResponseHead) {
        for edit in &self.0 {
            match edit {
                Edit::Host(value) => head.insert(&HOST, value),
                Edit::Set(name, value) => head.insert(name, value),
                Edit::Add(name, value) => head.append(name, value),
                Edit::Remove(name) => head.remove(name),
            }
        }
    }
}

fn compile(modifier: &HeaderModifier) -> Result<Vec<Edit>, Refusal> {
    let HeaderModifier { set, add, remove } = modifier;
    for name in set.iter().chain(add).map(|(name, _)| name).chain(remove) {
        if belongs_to_the_connection(name) {
            return Err(unsupported(format!(
                "{name} belongs to the connection and cannot be edited: leave it out of the header modifier"
            )));
        }
    }
    let mut edits = Vec::with_capacity(set.len() + add.len() + remove.len());
    for (at, (name, value)) in set.iter().enumerate() {
        let again = set.iter().take(at).any(|(earlier, _)| earlier == name);
        if !again && !remove.contains(name) {
            edits.push(Edit::Set(name.clone(), value.clone()));
        }
    }
    let kept = add.iter().filter(|(name, _)| !remove.contains(name));
    edits.extend(kept.map(|(name, value)| Edit::Add(name.clone(), value.clone())));
    edits.extend(remove.iter().cloned().map(Edit::Remove));
    Ok(edits)
}

fn belongs_to_the_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "http2-settings"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

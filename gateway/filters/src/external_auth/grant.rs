//! What a service that lets a request pass changes in it, and in the response to it.

use super::is_protected;
use crate::{RequestHead, ResponseHead, TooLong};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Changes to a request that may pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Removed before anything is added.
    pub remove: Vec<HeaderName>,
    /// Headers of the request.
    pub edits: Vec<Edit>,
    /// Query parameters that are replaced or added, as their texts are.
    pub set_query: Vec<(String, String)>,
    /// Query parameters that are removed.
    pub remove_query: Vec<String>,
    /// Headers of the response.
    pub response: Vec<Edit>,
}

/// A change to one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Its name.
    pub name: HeaderName,
    /// The value that it gets.
    pub value: HeaderValue,
    /// What becomes of values that are there.
    pub kind: EditKind,
}

/// What becomes of values that were there before. Several values for one name in one answer stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditKind {
    /// They stay before the new one.
    Append,
    /// They stay instead of the new one.
    IfAbsent,
    /// They go.
    Overwrite,
    /// They go; without one, nothing is added.
    IfPresent,
}

/// What is left to change in the response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseEdits(Vec<Edit>);

impl Grant {
    /// Changes the request. What no service may change stays as it is.
    ///
    /// # Errors
    /// The new target is longer than a request can carry.
    pub fn apply(self, head: &mut dyn RequestHead) -> Result<ResponseEdits, TooLong> {
        let Self { remove, mut edits, set_query, remove_query, mut response } = self;
        for name in remove.iter().filter(|name| !is_protected(name)) {
            head.remove(name);
        }
        edits.retain(|edit| !is_protected(&edit.name));
        for (edit, change) in plan(&edits, head.headers()) {
            match change {
                Change::Insert => head.insert(&edit.name, &edit.value),
                Change::Append => head.append(&edit.name, &edit.value),
                Change::Nothing => {}
            }
        }
        if !set_query.is_empty() || !remove_query.is_empty() {
            let query = query(head.query().unwrap_or_default(), &set_query, &remove_query);
            head.set_query((!query.is_empty()).then_some(query.as_str()))?;
        }
        response.retain(|edit| !super::is_framing(&edit.name));
        Ok(ResponseEdits(response))
    }
}

impl ResponseEdits {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes the response.
    pub fn apply(&self, head: &mut dyn ResponseHead) {
        for (edit, change) in plan(&self.0, head.headers()) {
            match change {
                Change::Insert => head.insert(&edit.name, &edit.value),
                Change::Append => head.append(&edit.name, &edit.value),
                Change::Nothing => {}
            }
        }
    }
}

enum Change {
    Insert,
    Append,
    Nothing,
}

/// What each edit comes to, judged by the headers before the first of them.
fn plan<'e>(edits: &'e [Edit], before: &HeaderMap) -> Vec<(&'e Edit, Change)> {
    let one = |(at, edit): (usize, &'e Edit)| {
        let is_first = !edits.iter().take(at).any(|earlier| earlier.name == edit.name);
        let was_there = before.contains_key(&edit.name);
        let change = match edit.kind {
            EditKind::Append => Change::Append,
            EditKind::IfAbsent if was_there => Change::Nothing,
            EditKind::IfPresent if !was_there => Change::Nothing,
            EditKind::Overwrite | EditKind::IfPresent if is_first => Change::Insert,
            EditKind::IfAbsent | EditKind::Overwrite | EditKind::IfPresent => Change::Append,
        };
        (edit, change)
    };
    edits.iter().enumerate().map(one).collect()
}

/// A query in which these are set and those are gone; the others stay as they are written.
fn query(before: &str, set: &[(String, String)], remove: &[String]) -> String {
    let name_of = |pair: &str| decoded(pair.split('=').next().unwrap_or_default());
    let goes = |name: &str| remove.iter().any(|gone| gone == name) || set.iter().any(|(new, _)| new == name);
    let stays = before.split('&').filter(|pair| !pair.is_empty() && !goes(&name_of(pair))).map(str::to_owned);
    let new = set.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    stays.chain(new).collect::<Vec<_>>().join("&")
}

/// `application/x-www-form-urlencoded`, as far as names are compared.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte == b'%').then(|| Some(digit(at + 1)? * 16 + digit(at + 2)?)).flatten();
        match escape.and_then(|escape| u8::try_from(escape).ok()) {
            Some(escape) => {
                out.push(escape);
                at += 3;
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_edited_by_name_however_it_is_written() {
        let set = [("a b".to_owned(), "1&2".to_owned())];
        assert_eq!(query("x=1&a%20b=0&a+b=3&token=t&y", &set, &["token".to_owned()]), "x=1&y&a%20b=1%262");
        assert_eq!(query("", &set, &[]), "a%20b=1%262");
        assert_eq!(query("t=1&t=2", &[], &["t".to_owned()]), "");
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }
}

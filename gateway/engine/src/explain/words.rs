//! Small words that sentences are made of.

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderName, HeaderValue};

/// `a, b and c`.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut items: Vec<String> = items.into_iter().collect();
    match items.pop() {
        None => String::new(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
    }
}

/// `name: value`, without the values that are secrets as a rule.
pub(super) fn header((name, value): &(HeaderName, HeaderValue)) -> String {
    let is_secret = value.is_sensitive() || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE].contains(name);
    let value = if is_secret { "[redacted]".into() } else { String::from_utf8_lossy(value.as_bytes()) };
    format!("{name}: {value}")
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn lists_end_with_and() {
        let list = |items: &[&str]| list(items.iter().map(|item| (*item).to_owned()));
        assert_eq!(
            [list(&[]), list(&["a"]), list(&["a", "b"]), list(&["a", "b", "c"])],
            ["", "a", "a and b", "a, b and c"]
        );
    }
}

//! Paths, brought into one form before they are matched and forwarded, so that nobody can name a path in a way that a
//! rule does not see but a backend understands (RFC 3986 section 6.2.2).
//!
//! | written | becomes | why |
//! |---|---|---|
//! | `/a/./b/../c` | `/a/c` | dot segments are resolved; above the root there is nothing |
//! | `/%61%2Db` | `/a-b` | unreserved characters mean the same encoded or not |
//! | `/a%2fb` | `/a%2Fb` | an encoded slash is data, not a separator: it stays encoded, and matches as such |
//! | `/a//b` | `/a//b` | an empty segment is a segment: backends may tell it from none |
//! | `/a\b`, `/a%00b`, `/a%zz` | 400 | backends disagree about what they mean |

use std::borrow::Cow;

/// A path that cannot be brought into one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous(pub(crate) &'static str);

/// The path in its one form. Borrowed, and looked at once, if it is in that form already.
pub(crate) fn normalize(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    if !path.starts_with('/') {
        // The asterisk of OPTIONS (RFC 9112 section 3.2.4) has no segments.
        return match path {
            "*" => Ok(Cow::Borrowed(path)),
            _ => Err(Ambiguous("a path that does not begin with a slash")),
        };
    }
    let decoded = decode(path)?;
    if !has_dot_segment(&decoded) {
        return Ok(decoded);
    }
    Ok(Cow::Owned(resolve(&decoded)))
}

/// Decodes what need not be encoded, and writes the rest in upper case.
fn decode(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    let bytes = path.as_bytes();
    if bytes.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control()) {
        return Err(Ambiguous("a backslash or control character in the path"));
    }
    if !bytes.contains(&b'%') {
        return Ok(Cow::Borrowed(path));
    }
    let mut decoded = String::with_capacity(path.len());
    let mut parts = path.split('%');
    decoded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (code, rest) = part.split_at_checked(2).ok_or(Ambiguous("an incomplete percent-encoding in the path"))?;
        if !code.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Ambiguous("a percent-encoding in the path that is not hexadecimal"));
        }
        let byte = u8::from_str_radix(code, 16).map_err(|_| Ambiguous("a broken percent-encoding in the path"))?;
        if byte == 0 {
            return Err(Ambiguous("an encoded NUL in the path"));
        }
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            decoded.push(char::from(byte));
        } else {
            decoded.push('%');
            decoded.push_str(&code.to_ascii_uppercase());
        }
        decoded.push_str(rest);
    }
    Ok(if decoded == path { Cow::Borrowed(path) } else { Cow::Owned(decoded) })
}

fn has_dot_segment(path: &str) -> bool {
    path.contains("/.") && path.split('/').any(|segment| segment == "." || segment == "..")
}

/// RFC 3986 section 5.2.4.
fn resolve(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    let mut resolved = String::with_capacity(path.len());
    for segment in &kept {
        resolved.push('/');
        resolved.push_str(segment);
    }
    if resolved.is_empty() { "/".to_owned() } else { resolved }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_form_for_each_path() {
        let cases = [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/../../a", "/a"),
            ("/..", "/"),
            ("/a/b/..", "/a/"),
            ("/%2e%2E/a", "/a"),
            ("/a/%2e%2e%2fb", "/a/..%2Fb"),
            ("/%61%2Db%7e", "/a-b~"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a//b", "/a//b"),
            ("/a//../b", "/a/b"),
            ("/.a/..b/c.", "/.a/..b/c."),
            ("/%c3%A4", "/%C3%A4"),
            ("*", "*"),
        ];
        for (written, form) in cases {
            assert_eq!(normalize(written).unwrap(), form, "{written}");
        }
    }

    #[test]
    fn what_backends_disagree_about_is_refused() {
        for path in ["/a\\b", "/a%00b", "/a%", "/a%2", "/a%zz", "/a%+1", "a/b", "", "/a\u{1}"] {
            assert!(normalize(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_path_in_form_is_not_copied() {
        assert!(matches!(normalize("/a/.b/%C3%A4"), Ok(Cow::Borrowed(_))));
    }

    proptest! {
        #[test]
        fn the_form_is_stable_and_has_no_way_up(path in "/[a./%2eEfF0-9~\\\\-]{0,40}") {
            if let Ok(form) = normalize(&path) {
                let form = form.into_owned();
                prop_assert!(form.starts_with('/'));
                prop_assert!(!has_dot_segment(&form), "{} -> {}", path, form);
                prop_assert_eq!(normalize(&form).unwrap(), form.as_str());
            }
        }
    }
}

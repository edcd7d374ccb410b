//! What of a request is matched.

use http::header::HeaderName;
use http::{HeaderMap, Method};
use std::borrow::Cow;

/// What of a request is matched.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// As [`crate::normalize_host`] gives it; empty if the request names none.
    pub host: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The path as it is matched, without query.
    pub path: &'a str,
    /// The query as sent, without `?`.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

impl<'a> RequestLine<'a> {
    /// A header's value, several lines joined with `,`.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
        let mut lines = self.headers.get_all(name).iter();
        let first = lines.next()?.as_bytes();
        let Some(second) = lines.next() else { return Some(Cow::Borrowed(first)) };
        let mut joined = first.to_vec();
        for line in std::iter::once(second).chain(lines) {
            joined.push(b',');
            joined.extend_from_slice(line.as_bytes());
        }
        Some(Cow::Owned(joined))
    }

    /// The first value of a query parameter, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        form_urlencoded::parse(self.query?.as_bytes()).find_map(|(key, value)| (key == name).then_some(value))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_header_are_one_value() {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("x-a");
        fn line(headers: &HeaderMap) -> RequestLine<'_> {
            RequestLine { host: "", method: &Method::GET, path: "/", query: None, headers }
        }
        assert_eq!(line(&headers).header(&name), None);
        headers.append(&name, "1".parse().unwrap());
        assert!(matches!(line(&headers).header(&name), Some(Cow::Borrowed(b"1"))));
        headers.append(&name, "2".parse().unwrap());
        assert_eq!(line(&headers).header(&name).unwrap().as_ref(), b"1,2");
    }

    #[test]
    fn the_first_value_of_a_parameter_counts_decoded() {
        let headers = HeaderMap::new();
        let get = |query, name| {
            let line = RequestLine { host: "", method: &Method::GET, path: "/", query, headers: &headers };
            line.parameter(name).map(Cow::into_owned)
        };
        assert_eq!(get(None, "a"), None);
        assert_eq!(get(Some("a=1&a=2"), "a").as_deref(), Some("1"));
        assert_eq!(get(Some("a=1&A=2"), "A").as_deref(), Some("2"));
        assert_eq!(get(Some("x&%61=b%20c+d%2Fe"), "a").as_deref(), Some("b c d/e"));
        assert_eq!(get(Some("x&a"), "x").as_deref(), Some(""));
    }
}

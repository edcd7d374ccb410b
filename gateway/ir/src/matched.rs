use serde::Serialize;

/// How a rule matched the path of a request: the router says it, a prefix rewrite needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum MatchedPath {
    /// The whole path.
    Exact,
    /// So many bytes at its start, without a trailing `/`: 0 for the root prefix.
    Prefix(usize),
    /// The whole path, by a regular expression.
    Regex,
}

//! The candidates of a host whose path is a regular expression.

use super::candidate::Candidate;
use super::leaf::merged;
use crate::pattern::compile_set;
use crate::request::RequestLine;
use lychgate_ir::PathMatch;
use regex::bytes::RegexSet;
use std::sync::Arc;

/// Up to here, trying each costs less than trying all at once.
const FEW: usize = 4;
/// So many are tried at once: enough to save time, few enough to stay small and to stop early.
const TOGETHER: usize = 64;

/// Candidates in order of precedence, whose expressions are tried many at once.
pub(crate) struct Regexes<T> {
    candidates: Box<[Candidate<T>]>,
    /// One for each [`TOGETHER`] candidates; none if they are few.
    chunks: Box<[Arc<Chunk>]>,
}

/// The expressions of neighbouring candidates.
struct Chunk {
    texts: Vec<Arc<str>>,
    /// None if they are too large together.
    set: Option<RegexSet>,
}

impl<T> Regexes<T> {
    /// Those of before whose route is not `gone` (addresses, sorted), with those added; none if nothing is left.
    pub(super) fn edited(old: Option<&Self>, added: Vec<Candidate<T>>, gone: &[usize]) -> Option<Self> {
        let (candidates, chunks): (&[_], &[_]) = old.map(|old| (&*old.candidates, &*old.chunks)).unwrap_or_default();
        let candidates = merged(candidates, added, gone);
        if candidates.is_empty() {
            return None;
        }
        let compile = |candidates: &[Candidate<T>]| {
            let texts: Vec<_> = candidates.iter().map(text).collect();
            match chunks.iter().find(|chunk| chunk.texts == texts) {
                Some(unchanged) => unchanged.clone(),
                None => Arc::new(Chunk { set: compile_set(texts.iter().map(|text| &**text)), texts }),
            }
        };
        let chunks =
            if candidates.len() > FEW { candidates.chunks(TOGETHER).map(compile).collect() } else { Box::default() };
        Some(Self { candidates: candidates.into(), chunks })
    }

    pub(crate) fn candidates(&self) -> &[Candidate<T>] {
        &self.candidates
    }

    /// The first whose path matches and that holds.
    pub(super) fn first(&self, line: &RequestLine<'_>) -> Option<&Candidate<T>> {
        if self.chunks.is_empty() {
            return first_of(&self.candidates, line);
        }
        let mut chunks = self.chunks.iter().zip(self.candidates.chunks(TOGETHER));
        chunks.find_map(|(chunk, candidates)| match &chunk.set {
            None => first_of(candidates, line),
            // Collecting which ones match allocates; asking whether any does comes first.
            Some(set) if !set.is_match(line.path.as_bytes()) => None,
            Some(set) => {
                let matches = set.matches(line.path.as_bytes());
                matches.iter().filter_map(|index| candidates.get(index)).find(|candidate| candidate.holds(line))
            }
        })
    }
}

fn first_of<'t, T>(candidates: &'t [Candidate<T>], line: &RequestLine<'_>) -> Option<&'t Candidate<T>> {
    candidates.iter().find(|candidate| candidate.path_matches(line.path) && candidate.holds(line))
}

fn text<T>(candidate: &Candidate<T>) -> Arc<str> {
    match candidate.source().map(|source| &source.path) {
        Some(PathMatch::Regex(text)) => text.clone(),
        // Only matches by expression are put here.
        Some(PathMatch::Exact(_) | PathMatch::Prefix(_)) | None => Arc::default(),
    }
}

//! What became of documents, kept from one read to the next.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::Piece;
use super::found::{Found, Text, find};
use crate::dir::Stamp;

/// Below this many new documents, threads cost more than they save.
const WORTH_A_THREAD: usize = 64;
/// Reading is short, and other work goes on meanwhile.
const MAX_THREADS: usize = 8;

/// What became of files and of their documents.
///
/// Documents are known by the hash of their text: 128 bits under keys that nobody knows, so that texts, which may have
/// secrets, need not be kept, and no two can be made to collide. Files are known by their stamp, and need not even be
/// opened.
#[derive(Debug, Default)]
pub(super) struct Memory {
    hashers: [RandomState; 2],
    files: HashMap<Arc<str>, File>,
    numbered: bool,
}

type Hash = [u64; 2];

/// A file as it was read last.
#[derive(Debug, Clone)]
struct File {
    /// None where another text may bear the same.
    stamp: Option<Stamp>,
    documents: Arc<[Document]>,
}

/// A document of a file.
#[derive(Debug)]
pub(super) struct Document {
    hash: Hash,
    /// How many lines of the file come before it.
    pub(super) lines_before: u32,
    pub(super) found: Arc<[Found]>,
}

impl Memory {
    /// Gives objects that say no generation their first.
    pub(super) fn numbered() -> Self {
        Self { numbered: true, ..Self::default() }
    }

    /// Whether the file needs no look.
    pub(super) fn is_known(&self, file: &str, stamp: &Stamp) -> bool {
        self.files.get(file).is_some_and(|file| file.stamp.as_ref() == Some(stamp))
    }

    /// What is in each of these pieces; nothing in those that only tell. Remembers these, and forgets all others.
    pub(super) fn find(&mut self, pieces: &[Piece]) -> Vec<Arc<[Document]>> {
        let texts: Vec<Vec<(Hash, Text<'_>, u32)>> = pieces.iter().map(|piece| self.split(piece)).collect();
        let known = self.know(texts.iter().flatten());
        let mut files = HashMap::new();
        let of = |(piece, texts): (&Piece, Vec<(Hash, Text<'_>, u32)>)| {
            let document = |(hash, _, lines_before): (Hash, Text<'_>, u32)| {
                Some(Document { hash, lines_before, found: known.get(&hash)?.clone() })
            };
            let (file, read) = match piece {
                Piece::Tell { .. } => return Arc::default(),
                Piece::Text { file, text: _, stamp } => {
                    (file, File { stamp: *stamp, documents: texts.into_iter().filter_map(document).collect() })
                }
                Piece::Same { file } => match self.files.get(file) {
                    Some(same) => (file, same.clone()),
                    None => return Arc::default(),
                },
            };
            let documents = read.documents.clone();
            files.insert(file.clone(), read);
            documents
        };
        let found = pieces.iter().zip(texts).map(of).collect();
        self.files = files;
        found
    }

    /// What is in each of these documents. Those that were in any file before are not looked at again.
    fn know<'a>(&self, texts: impl Iterator<Item = &'a (Hash, Text<'a>, u32)>) -> HashMap<Hash, Arc<[Found]>> {
        let mut wanted: HashMap<Hash, Text<'a>> = texts.map(|(hash, text, _)| (*hash, *text)).collect();
        let mut known = HashMap::with_capacity(wanted.len());
        for document in self.files.values().flat_map(|file| file.documents.iter()) {
            if wanted.is_empty() {
                break;
            }
            if wanted.remove(&document.hash).is_some() {
                known.insert(document.hash, document.found.clone());
            }
        }
        let new: Vec<_> = wanted.into_iter().collect();
        known.extend(find_all(&new, self.numbered));
        known
    }

    /// The documents of a piece, hashed.
    fn split<'a>(&self, piece: &'a Piece) -> Vec<(Hash, Text<'a>, u32)> {
        let Piece::Text { file, text, stamp: _ } = piece else { return Vec::new() };
        let [first, second] = &self.hashers;
        let hashed = |text: Text<'a>, lines_before| ([first.hash_one(text), second.hash_one(text)], text, lines_before);
        if Path::new(&**file).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            return vec![hashed(Text::Json(text), 0)];
        }
        let documents = crate::yaml::split(text).into_iter();
        documents.map(|document| hashed(Text::Yaml(document.text), document.lines_before)).collect()
    }
}

fn find_all(new: &[(Hash, Text<'_>)], numbered: bool) -> Vec<(Hash, Arc<[Found]>)> {
    let of = |(hash, text): &(Hash, Text<'_>)| {
        let mut found = find(*text);
        if numbered {
            found.iter_mut().for_each(Found::number);
        }
        (*hash, Arc::from(found))
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    if new.len() < WORTH_A_THREAD || cores == 1 {
        return new.iter().map(of).collect();
    }
    thread::scope(|scope| {
        let chunks = new.chunks(new.len().div_ceil(cores));
        let threads: Vec<_> =
            chunks.map(|chunk| (chunk, scope.spawn(move || chunk.iter().map(of).collect::<Vec<_>>()))).collect();
        let join = |(chunk, thread): (&[(Hash, Text<'_>)], thread::ScopedJoinHandle<'_, Vec<_>>)| {
            // A thread that panicked is a bug of ours; its documents are read here, where it shows.
            thread.join().unwrap_or_else(|_| chunk.iter().map(of).collect())
        };
        threads.into_iter().flat_map(join).collect()
    })
}

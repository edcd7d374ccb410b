//! What became of documents, kept from one read to the next.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use lychgate_api::AlikeReferences;

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
    alike: AlikeReferences,
    /// The names of all objects, hashed as texts are.
    names: HashSet<Hash>,
    /// Whether two objects have one name.
    repeated: bool,
}

type Hash = [u64; 2];

/// A file as it was read last.
#[derive(Debug)]
pub(super) struct File {
    /// None where another text may bear the same.
    stamp: Option<Stamp>,
    pub(super) documents: Box<[Document]>,
    /// Those of which something is to be told, by position.
    told: Box<[u32]>,
}

/// A document of a file.
#[derive(Debug, Clone)]
pub(super) struct Document {
    hash: Hash,
    /// How many lines of the file come before it.
    pub(super) lines_before: u32,
    pub(super) found: Arc<[Found]>,
}

/// A document's text, hashed, and how many lines come before it.
type Hashed<'a> = (Hash, Text<'a>, u32);

/// What is not as it was.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Documents that are not where they were.
    pub(super) gone: Vec<Document>,
    /// Documents that were not where they are.
    pub(super) new: Vec<(Arc<str>, Document)>,
    /// Whether two objects have one name, or had: which of them counts depends on where all others stand.
    pub(super) ambiguous: bool,
}

impl File {
    fn new(stamp: Option<Stamp>, documents: Box<[Document]>) -> Self {
        let is_told = |document: &Document| document.found.iter().any(Found::is_told);
        let told = (0_u32..).zip(&documents).filter(|(_, document)| is_told(document)).map(|(at, _)| at).collect();
        Self { stamp, documents, told }
    }

    /// The documents of which something is to be told.
    pub(super) fn told(&self) -> impl Iterator<Item = &Document> {
        self.told.iter().filter_map(|at| self.documents.get(*at as usize))
    }
}

impl Difference {
    /// Takes in what became of one file. A document of the same text in the same place is neither gone nor new.
    fn of_file(&mut self, file: &Arc<str>, before: Option<File>, now: &[Document]) {
        let mut new: HashMap<(Hash, u32), &Document> = now.iter().map(|document| (document.spot(), document)).collect();
        let before = before.into_iter().flat_map(|file| file.documents);
        self.gone.extend(before.filter(|document| new.remove(&document.spot()).is_none()));
        let is_new = |document: &&Document| new.contains_key(&document.spot());
        self.new.extend(now.iter().filter(is_new).map(|document| (file.clone(), document.clone())));
    }
}

impl Document {
    /// No two documents of a file have the same.
    fn spot(&self) -> (Hash, u32) {
        (self.hash, self.lines_before)
    }
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

    /// What was in a file.
    pub(super) fn file(&self, file: &str) -> Option<&File> {
        self.files.get(file)
    }

    /// Reads what is in these pieces. Remembers these, and forgets all others. Files that are the same cost nothing.
    pub(super) fn update(&mut self, pieces: &[Piece]) -> Difference {
        let is_same = |piece: &Piece| matches!(piece, Piece::Same { .. });
        let same: HashSet<&str> = pieces.iter().filter(|piece| is_same(piece)).map(|piece| &**piece.file()).collect();
        let mut before: HashMap<Arc<str>, File> = self.files.extract_if(|file, _| !same.contains(&**file)).collect();
        let texts: Vec<Vec<Hashed<'_>>> = pieces.iter().map(|piece| self.split(piece)).collect();
        let known = self.know(&before, texts.iter().flatten());
        let mut difference = Difference::default();
        for (piece, texts) in pieces.iter().zip(texts) {
            let Piece::Text { file, text: _, stamp } = piece else { continue };
            let document = |(hash, _, lines_before): Hashed<'_>| {
                Some(Document { hash, lines_before, found: known.get(&hash)?.clone() })
            };
            let documents: Box<[Document]> = texts.into_iter().filter_map(document).collect();
            difference.of_file(file, before.remove(file), &documents);
            self.files.insert(file.clone(), File::new(*stamp, documents));
        }
        difference.gone.extend(before.into_values().flat_map(|file| file.documents));
        difference.ambiguous = self.repeated;
        self.name(&difference);
        difference.ambiguous |= self.repeated;
        difference
    }

    /// Learns which names there are now.
    fn name(&mut self, Difference { gone, new, ambiguous }: &Difference) {
        let hash = |found: &Found| {
            let name = found.reference()?;
            let [first, second] = &self.hashers;
            Some([first.hash_one(name), second.hash_one(name)])
        };
        if *ambiguous {
            self.names.clear();
            let all = self.files.values().flat_map(|file| &file.documents).flat_map(|document| &*document.found);
            // Each is put in, also after one that was there.
            self.repeated = all.filter_map(hash).filter(|name| !self.names.insert(*name)).count() > 0;
            return;
        }
        for name in gone.iter().flat_map(|document| &*document.found).filter_map(hash) {
            self.names.remove(&name);
        }
        let new = new.iter().flat_map(|(_, document)| &*document.found);
        self.repeated = new.filter_map(hash).filter(|name| !self.names.insert(*name)).count() > 0;
    }

    /// What is in each of these documents. Those that were in one of the files of before are not looked at again.
    fn know<'a>(
        &self,
        before: &HashMap<Arc<str>, File>,
        texts: impl Iterator<Item = &'a Hashed<'a>>,
    ) -> HashMap<Hash, Arc<[Found]>> {
        let mut wanted: HashMap<Hash, Text<'a>> = texts.map(|(hash, text, _)| (*hash, *text)).collect();
        let mut known = HashMap::with_capacity(wanted.len());
        for document in before.values().flat_map(|file| &file.documents) {
            if wanted.is_empty() {
                break;
            }
            if wanted.remove(&document.hash).is_some() {
                known.insert(document.hash, document.found.clone());
            }
        }
        let new: Vec<_> = wanted.into_iter().collect();
        known.extend(find_all(&new, self.numbered, &self.alike));
        known
    }

    /// The documents of a piece, hashed.
    fn split<'a>(&self, piece: &'a Piece) -> Vec<Hashed<'a>> {
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

fn find_all(new: &[(Hash, Text<'_>)], numbered: bool, alike: &AlikeReferences) -> Vec<(Hash, Arc<[Found]>)> {
    let of = |(hash, text): &(Hash, Text<'_>)| {
        let mut found = find(*text);
        if numbered {
            found.iter_mut().for_each(Found::number);
        }
        found.iter_mut().for_each(|found| found.share(alike));
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

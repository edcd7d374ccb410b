//! What became of documents, kept from one read to the next.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use super::found::{Found, Text, find};

/// Below this many new documents, threads cost more than they save.
const WORTH_A_THREAD: usize = 64;
/// Reading is short, and other work goes on meanwhile.
const MAX_THREADS: usize = 8;

/// Results by the hash of their text: 128 bits under keys that nobody knows, so that texts, which may have secrets, need
/// not be kept, and no two can be made to collide.
#[derive(Debug, Default)]
pub(super) struct Memory {
    hashers: [RandomState; 2],
    known: HashMap<Hash, Arc<[Found]>>,
}

type Hash = [u64; 2];

impl Memory {
    /// What is in each of these documents. Remembers these, and forgets all others.
    pub(super) fn find(&mut self, documents: &[Text<'_>]) -> Vec<Arc<[Found]>> {
        let [first, second] = &self.hashers;
        let hashes: Vec<Hash> = documents.iter().map(|text| [first.hash_one(text), second.hash_one(text)]).collect();
        let mut new: HashMap<Hash, Text<'_>> = HashMap::new();
        for (hash, text) in hashes.iter().zip(documents) {
            if !self.known.contains_key(hash) {
                new.insert(*hash, *text);
            }
        }
        let new: Vec<_> = new.into_iter().collect();
        self.known.extend(find_all(&new));
        let results: Vec<_> = hashes.iter().filter_map(|hash| self.known.get(hash).cloned()).collect();
        self.known = hashes.into_iter().zip(results.iter().cloned()).collect();
        results
    }
}

fn find_all(new: &[(Hash, Text<'_>)]) -> Vec<(Hash, Arc<[Found]>)> {
    let of = |(hash, text): &(Hash, Text<'_>)| (*hash, Arc::from(find(*text)));
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

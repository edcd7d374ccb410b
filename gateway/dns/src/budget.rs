//! How much a source may say in names: whoever owns a zone hears every name below it that is asked for.
//!
//! A name that was asked for a moment ago tells nothing new and is free. A new one costs its bytes, and a source has so
//! many of them a minute. Names that are longer than any that people use, and those with long parts that look like data, are refused
//! by themselves.

use lychgate_ir::egress::DnsName;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest name. Those of services have 20 to 60 bytes, the longest of clouds about 100.
const LONGEST: usize = 128;
/// A part of a label that is longer and has no hyphen may be data …
const LONG_PART: usize = 32;
/// … if its characters are as mixed as those of base 16, 32 and 64, in bits each.
const MIXED: f64 = 3.5;
/// Bytes of new names a minute: a start of some hundred names, and no more than a trickle for a tunnel.
const BYTES: usize = 16 * 1024;
const MINUTE: Duration = Duration::from_secs(60);
/// Sources that are counted each by itself. Those beyond share one budget.
const SOURCES: usize = 16 * 1024;

/// Why a name is not asked for, whoever may ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    TooLong,
    LooksLikeData,
    TooManyNames,
}

impl Spent {
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::TooLong => "the name is longer than 128 bytes",
            Self::LooksLikeData => "the name has a part that looks like data",
            Self::TooManyNames => "too many new names in a minute",
        }
    }
}

/// What each source has said.
#[derive(Default)]
pub(crate) struct Budget {
    sources: Mutex<HashMap<Option<IpAddr>, Said>>,
    hasher: RandomState,
}

struct Said {
    since: Instant,
    bytes: usize,
    /// Names of this minute and the one before, by their hash.
    names: HashSet<u64>,
    before: HashSet<u64>,
}

impl Budget {
    /// Takes what a name costs.
    pub(crate) fn spend(&self, source: IpAddr, name: &DnsName, now: Instant) -> Result<(), Spent> {
        let name = name.as_str();
        if name.len() > LONGEST {
            return Err(Spent::TooLong);
        }
        if name.split(['.', '-', '_']).any(looks_like_data) {
            return Err(Spent::LooksLikeData);
        }
        let hash = self.hasher.hash_one(name);
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let source = Some(source);
        if !sources.contains_key(&source) && sources.len() >= SOURCES {
            sources.retain(|_, said| now.saturating_duration_since(said.since) < 2 * MINUTE);
        }
        let key = if sources.contains_key(&source) || sources.len() < SOURCES { source } else { None };
        let new = || Said { since: now, bytes: 0, names: HashSet::new(), before: HashSet::new() };
        sources.entry(key).or_insert_with(new).spend(hash, name.len(), now)
    }
}

impl Said {
    fn spend(&mut self, name: u64, length: usize, now: Instant) -> Result<(), Spent> {
        let age = now.saturating_duration_since(self.since);
        if age >= MINUTE {
            let names = std::mem::take(&mut self.names);
            self.before = if age < 2 * MINUTE { names } else { HashSet::new() };
            (self.since, self.bytes) = (now, 0);
        }
        if self.names.contains(&name) {
            return Ok(());
        }
        if !self.before.contains(&name) {
            if self.bytes + length > BYTES {
                return Err(Spent::TooManyNames);
            }
            self.bytes += length;
        }
        // Those that cost nothing are of the minute before: there are no more of them than could be paid for then.
        self.names.insert(name);
        Ok(())
    }
}

fn looks_like_data(part: &str) -> bool {
    part.len() > LONG_PART && entropy(part) > MIXED
}

/// Shannon's, in bits a character.
fn entropy(part: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in part.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = f64::from(u32::try_from(part.len()).unwrap_or(u32::MAX));
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    #[test]
    fn names_that_people_use_pass() {
        let budget = Budget::default();
        for text in [
            "api.pay.example",
            "my-very-long-service-name-in-some-namespace.svc.cluster.local",
            "vpc-search-domain-name-with-many-words.eu-central-1.es.amazonaws.com",
            "d111111abcdef8.cloudfront.net",
            "_acme-challenge.shop.example",
        ] {
            assert_eq!(budget.spend(SOURCE, &name(text), Instant::now()), Ok(()), "{text}");
        }
    }

    #[test]
    fn data_does_not() {
        let budget = Budget::default();
        let spend = |text: &str| budget.spend(SOURCE, &name(text), Instant::now());
        assert_eq!(spend("mzxw6ytboi4dsmjsgqztmnzyhe3dkobvgyzwi3lf.evil.example"), Err(Spent::LooksLikeData));
        assert_eq!(spend(&format!("{}example", "abcabcabc.".repeat(13))), Err(Spent::TooLong));
    }

    #[test]
    fn new_names_cost_and_known_ones_do_not() {
        let budget = Budget::default();
        let start = Instant::now();
        let ask = |number: usize, at: Instant| budget.spend(SOURCE, &name(&format!("n{number:06}.evil.example")), at);
        let length = "n000000.evil.example".len();
        let most = BYTES / length;
        for number in 0..most {
            assert_eq!(ask(number, start), Ok(()));
        }
        assert_eq!(ask(most, start), Err(Spent::TooManyNames));
        assert_eq!(ask(0, start), Ok(()), "it was asked for before");
        assert_eq!(budget.spend([10, 0, 0, 2].into(), &name("a.example"), start), Ok(()), "another source");
        let later = start + MINUTE;
        assert_eq!(ask(most, later), Ok(()), "another minute");
        assert_eq!(ask(0, later), Ok(()), "still known, and free");
        for number in most + 1..2 * most {
            assert_eq!(ask(number, later), Ok(()), "{number}");
        }
        assert_eq!(ask(3 * most, later), Err(Spent::TooManyNames));
    }

    #[test]
    fn sources_beyond_what_is_counted_share_one_budget() {
        let budget = Budget::default();
        let now = Instant::now();
        for number in 0..u32::try_from(SOURCES).unwrap() + 100 {
            let source = IpAddr::V4(number.into());
            let _ = budget.spend(source, &name("a.example"), now);
        }
        assert!(budget.sources.lock().unwrap().len() <= SOURCES + 1);
    }
}

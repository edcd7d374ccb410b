//! Files damaged at random while they are served. Whatever comes of them, what is not in them goes on.

use super::witness::{Witness, tagged, until_tag};
use crate::support::{Site, http_gateway, service};
use lychgate_testkit::free_addr;
use std::net::SocketAddr;

/// A small generator (SplitMix64): the same damage on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Does one kind of damage.
fn damaged(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = text.to_vec();
    let at = random.below(text.len());
    let end = (at + random.below(60)).min(text.len());
    match random.below(6) {
        0 => text.truncate(at),
        1 => drop(text.drain(at..end)),
        2 => text[at] = u8::try_from(random.below(256)).unwrap(),
        3 => {
            let piece = text[at..end].to_vec();
            text.splice(at..at, piece);
        }
        4 => {
            const WORDS: [&[u8]; 8] =
                [b"\n---\n", b"&a ", b"*a", b"{", b"- ", b"!!binary ", b"\t", b"9999999999999999999"];
            text.splice(at..at, WORDS[random.below(WORDS.len())].iter().copied());
        }
        _ => text = text[at..].to_vec(),
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_damage_to_one_file_reaches_what_others_hold() {
    let address = free_addr();
    // Damage changes few bytes and brings in no host names, so nothing of it can mean this host.
    let steady = http_gateway(address.port()) + &tagged("steady", "steady.example", "steady");
    let backend: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let victims = tagged("one", "one.test", "one")
        + &tagged("two", "two.test", "two")
        + &service("three", &[backend])
        + &tagged("four", "four.test", "four");
    let site = Site::serve(&[("0-steady.yaml", &steady), ("victims.yaml", &victims)]).await;
    let witness = Witness::of(address, "steady.example", &["steady"]);
    let mut random = Random(0x6c79_6368);
    for _ in 0..120 {
        let before = site.report().reload;
        std::fs::write(site.dir().join("victims.yaml"), damaged(victims.as_bytes(), &mut random)).unwrap();
        let report = site.until(|report| report.reload > before).await;
        assert!(report.unreadable.is_none());
    }
    std::fs::write(site.dir().join("victims.yaml"), &victims).unwrap();
    for (host, tag) in [("one.test", "one"), ("two.test", "two"), ("four.test", "four")] {
        until_tag(address, host, tag).await;
    }
    site.until(|report| report.is_clean()).await;
    witness.end().await;
}

//! Any bytes: never a panic, and what is read does not change with more bytes.

use super::{Opening, read};

#[test]
fn fuzz_target() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let whole = read(bytes);
        // A hello in front, so that more of the inside is reached.
        let mut framed = vec![22, 3, 1];
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        framed.extend(length.saturating_add(4).to_be_bytes());
        framed.extend([1, 0]);
        framed.extend(length.to_be_bytes());
        framed.extend(bytes);
        let _ = read(&framed);
        for cut in 0..bytes.len().min(64) {
            let part = read(bytes.get(..cut).unwrap_or_default());
            assert!(part == Opening::More || part == whole, "{part:?}, then {whole:?}");
        }
    });
}

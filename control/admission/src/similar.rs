//! "Did you mean …?"

/// The candidate that `word` is most likely a misspelling of.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> Option<&'a str> {
    let candidates = candidates.into_iter();
    misspelt(word, candidates.clone()).or_else(|| shortened(word, candidates))
}

/// The only candidate that begins or ends with `word`.
fn shortened<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let mut longer = candidates.filter(|candidate| {
        let candidate = candidate.to_ascii_lowercase();
        word.len() >= 4 && (candidate.starts_with(&word) || candidate.ends_with(&word))
    });
    longer.next().filter(|_| longer.next().is_none())
}

/// The candidate that is a few edits away.
pub(crate) fn misspelt<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    candidates
        .map(|candidate| {
            let distance = if candidate.eq_ignore_ascii_case(word) { 0 } else { distance(word, candidate) };
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insertions, deletions, replacements, swaps of neighbours) between two words, without regard to ASCII case.
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().map(|c| c.to_ascii_lowercase()).collect();
    let to: Vec<char> = to.chars().map(|c| c.to_ascii_lowercase()).collect();
    // Only the last two rows of the table are ever looked at.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut previous_from = None;
    for (i, a) in from.iter().enumerate() {
        let mut row = Vec::with_capacity(above.len());
        row.push(i + 1);
        let mut previous_to = None;
        for (j, b) in to.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&above, j + 1) + 1).min(at(&row, j) + 1).min(at(&above, j) + usize::from(a != b));
            if previous_from == Some(b) && previous_to == Some(a) && j > 0 {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
            previous_to = Some(b);
        }
        previous_from = Some(a);
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn counts_edits() {
        for (from, to, edits) in [
            ("", "", 0),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("Rules", "rules", 0),
            ("ü", "u", 1),
        ] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }

    #[test]
    fn suggests_only_what_is_close() {
        let fields = ["matches", "backendRefs", "filters"];
        assert_eq!(closest("match", fields), Some("matches"));
        assert_eq!(closest("Prefix", ["Exact", "PathPrefix"]), Some("PathPrefix"));
        assert_eq!(closest("filter", ["filterOne", "filterTwo"]), None);
        assert_eq!(closest("matchs", fields), Some("matches"));
        assert_eq!(closest("backendrefs", fields), Some("backendRefs"));
        assert_eq!(closest("bakcendRefs", fields), Some("backendRefs"));
        assert_eq!(closest("x", fields), None);
    }
}

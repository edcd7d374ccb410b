//! A choice by weight.

/// Things to choose among, each with its share.
#[derive(Debug)]
pub(crate) struct Weighted<T> {
    /// Each with the sum of weights up to and including its own.
    items: Box<[(u64, T)]>,
}

impl<T> Weighted<T> {
    pub(crate) fn new(items: impl IntoIterator<Item = (u32, T)>) -> Self {
        let mut sum = 0;
        let items = items.into_iter().map(|(weight, item)| {
            sum += u64::from(weight);
            (sum, item)
        });
        Self { items: items.collect() }
    }

    /// One of them; `None` if no weight is left to choose by.
    pub(crate) fn choose(&self) -> Option<&T> {
        let total = self.items.last().map(|(total, _)| *total).filter(|total| *total > 0)?;
        if let [(_, only)] = &*self.items {
            return Some(only);
        }
        let at = rand::random_range(0..total);
        self.items.get(self.items.partition_point(|(upto, _)| *upto <= at)).map(|(_, item)| item)
    }

    /// Those that can be chosen.
    pub(crate) fn possible(&self) -> impl Iterator<Item = &T> {
        let mut before = 0;
        self.items.iter().filter_map(move |(upto, item)| {
            let possible = *upto > before;
            before = *upto;
            possible.then_some(item)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Weighted;

    #[test]
    fn shares_are_kept() {
        let weighted = Weighted::new([(1, 'a'), (0, 'b'), (3, 'c')]);
        let mut counts = [0_u32; 3];
        for _ in 0..40_000 {
            match weighted.choose() {
                Some('a') => counts[0] += 1,
                Some('b') => counts[1] += 1,
                Some(_) | None => counts[2] += 1,
            }
        }
        assert!((9_000..11_000).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[1], 0);
        assert_eq!(weighted.possible().collect::<String>(), "ac");
    }

    #[test]
    fn nothing_is_chosen_by_no_weight() {
        assert_eq!(Weighted::new([(0, 'a')]).choose(), None);
        assert_eq!(Weighted::<char>::new([]).choose(), None);
    }
}

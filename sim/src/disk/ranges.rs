//! A set of sector numbers, kept as half-open ranges that neither touch nor overlap: an append-only file is one range.

use std::collections::BTreeMap;

/// Sector numbers.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds `start..end`.
    pub fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut start, mut end) = (start, end);
        if let Some((&before, before_end)) = self.0.range_mut(..=start).next_back()
            && *before_end >= start
        {
            if *before_end >= end {
                return;
            }
            start = before;
        }
        while let Some((&next, &next_end)) = self.0.range(start..=end).next() {
            end = end.max(next_end);
            self.0.remove(&next);
        }
        self.0.insert(start, end);
    }

    /// Takes one number out.
    pub fn remove(&mut self, number: u64) {
        let Some((&start, &end)) = self.0.range(..=number).next_back() else { return };
        if number >= end {
            return;
        }
        self.0.remove(&start);
        if start < number {
            self.0.insert(start, number);
        }
        if number + 1 < end {
            self.0.insert(number + 1, end);
        }
    }

    /// Adds everything in `other`.
    pub fn extend(&mut self, other: &Ranges) {
        other.0.iter().for_each(|(&start, &end)| self.insert(start, end));
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|(&start, &end)| start..end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(steps in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..9), 0..40)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (insert, start, length) in steps {
                if insert {
                    ranges.insert(start, start + length);
                    set.extend(start..start + length);
                } else {
                    ranges.remove(start);
                    set.remove(&start);
                }
                prop_assert!(ranges.iter().eq(set.iter().copied()));
                let parts: Vec<_> = ranges.0.iter().collect();
                prop_assert!(parts.windows(2).all(|pair| pair[0].1 < pair[1].0));
            }
        }
    }
}

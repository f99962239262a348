//! Sets of leaves of a log.

use serde::{Deserialize, Serialize};

/// Sequence numbers of facts, as ascending `[first, count]` ranges that neither touch nor overlap.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeafSet(Vec<(u64, u64)>);

impl LeafSet {
    /// The set of these numbers, in any order, doubles counted once.
    pub fn of(mut leaves: Vec<u64>) -> Self {
        leaves.sort_unstable();
        leaves.dedup();
        let mut set = Self::default();
        for leaf in leaves {
            match set.0.last_mut() {
                Some((first, count)) if *first + *count == leaf => *count += 1,
                _ => set.0.push((leaf, 1)),
            }
        }
        set
    }

    /// The set of these `(first, count)` ranges, in any order, overlaps counted once.
    pub fn of_ranges(mut ranges: Vec<(u64, u64)>) -> Self {
        ranges.sort_unstable();
        let mut set = Self::default();
        for (first, count) in ranges.into_iter().filter(|(_, count)| *count > 0) {
            match set.0.last_mut() {
                Some((known, length)) if first <= *known + *length => {
                    *length = (*length).max(first + count - *known);
                }
                _ => set.0.push((first, count)),
            }
        }
        set
    }

    /// The ranges, each its first leaf and how many.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// True for none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True where the leaf is one of them.
    pub fn contains(&self, leaf: u64) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= leaf);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|&(first, count)| leaf - first < count)
    }

    /// The leaves, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|&(first, count)| first..first.saturating_add(count))
    }
}

#[cfg(test)]
mod tests {
    use super::LeafSet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_holds_what_went_in(leaves in proptest::collection::vec(0u64..200, 0..100)) {
            let set = LeafSet::of(leaves.clone());
            let mut expected = leaves;
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(set.len(), expected.len() as u64);
            let singles = expected.iter().rev().map(|&leaf| (leaf, 1)).collect();
            prop_assert_eq!(LeafSet::of_ranges(singles), set.clone());
            for leaf in 0..200 {
                prop_assert_eq!(set.contains(leaf), expected.contains(&leaf));
            }
        }
    }
}

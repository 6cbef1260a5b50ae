//! What a whole sweep has reached. The result does not depend on the order in which its runs end.

use std::collections::BTreeMap;

/// Abstract states, each with the lowest seed that passed through it.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    states: BTreeMap<u64, u64>,
}

/// Seeds in a row, and the states that they were the first to bring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// First seed.
    pub from: u64,
    /// How many seeds.
    pub seeds: u64,
    /// States that no lower seed of the sweep has reached.
    pub new_states: u64,
}

/// Seeds in a block.
const BLOCK: u64 = 1000;

impl Coverage {
    /// Takes in the states of one run.
    pub fn add(&mut self, seed: u64, states: impl IntoIterator<Item = u64>) {
        for state in states {
            self.states.entry(state).and_modify(|first| *first = seed.min(*first)).or_insert(seed);
        }
    }

    /// States reached by these seeds.
    #[must_use]
    pub fn states(&self, from: u64, seeds: u64) -> u64 {
        self.states.values().filter(|first| (from..from.saturating_add(seeds)).contains(first)).count() as u64
    }

    /// New states per thousand seeds.
    #[must_use]
    pub fn blocks(&self, from: u64, seeds: u64) -> Vec<Block> {
        let starts = (0..seeds.div_ceil(BLOCK)).map(|block| block * BLOCK);
        let block = |start: u64| {
            let (from, seeds) = (from.saturating_add(start), BLOCK.min(seeds - start));
            Block { from, seeds, new_states: self.states(from, seeds) }
        };
        starts.map(block).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_belongs_to_the_lowest_seed_that_reached_it() {
        let mut coverage = Coverage::default();
        coverage.add(1500, [1, 2, 3]);
        coverage.add(7, [2]);
        coverage.add(8, [2, 4]);
        assert_eq!(coverage.states(1, 2000), 4);
        let blocks = coverage.blocks(1, 1600);
        assert_eq!(blocks[0], Block { from: 1, seeds: 1000, new_states: 2 });
        assert_eq!(blocks[1], Block { from: 1001, seeds: 600, new_states: 2 });
        assert_eq!(blocks.len(), 2);
    }
}

//! Chance without a stream: every draw is a hash of the seed and of what it is about (decision 6).
//!
//! A stream of random numbers ties everything to everything: take one draw away and all later ones change. A keyed draw depends on
//! its own key alone, so a fault can be removed from a plan and the rest of the world stays as it was. That is what makes schedules
//! shrinkable, comparable and editable.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A key being built; every part makes it another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chance(u64);

impl Chance {
    /// All chance of one seed.
    #[must_use]
    pub fn of(seed: u64) -> Chance {
        Chance(xxh3_64_with_seed(&seed.to_le_bytes(), 0x6272_6f6b_6572_6c61))
    }

    /// The chance that concerns `what`.
    #[must_use]
    pub fn about(self, what: &str) -> Chance {
        Chance(xxh3_64_with_seed(what.as_bytes(), self.0))
    }

    /// The chance that concerns the `n`-th of these.
    #[must_use]
    pub fn number(self, n: u64) -> Chance {
        Chance(xxh3_64_with_seed(&n.to_le_bytes(), self.0.rotate_left(17)))
    }

    /// 64 bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// A number below `n`; 0 if `n` is 0.
    #[must_use]
    pub fn below(self, n: u64) -> u64 {
        // The high half of the product is unbiased enough for any n that occurs here, and costs no division.
        u64::try_from((u128::from(self.0) * u128::from(n)) >> 64).expect("the high half of a 128-bit product fits")
    }

    /// A number from `low` to `high`, both included.
    #[must_use]
    pub fn between(self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True once in `n` times; never if `n` is 0.
    #[must_use]
    pub fn one_in(self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let chance = Chance::of(1);
        assert_ne!(chance.about("ab").about("c"), chance.about("a").about("bc"));
        assert_ne!(chance.number(1).number(2), chance.number(2).number(1));
        assert_ne!(Chance::of(1).about("x"), Chance::of(2).about("x"));
    }

    #[test]
    fn draws_stay_in_range_and_reach_both_ends() {
        let drawn: Vec<u64> = (0..200).map(|n| Chance::of(n).between(3, 5)).collect();
        assert!(drawn.iter().all(|n| (3..=5).contains(n)) && [3, 4, 5].iter().all(|n| drawn.contains(n)));
        assert_eq!(Chance::of(9).below(0), 0);
        assert!(!Chance::of(9).one_in(0) && Chance::of(9).one_in(1));
    }
}

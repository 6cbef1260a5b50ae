//! Chance, keyed by what it is about.
//!
//! A random stream has one flaw: whoever draws once more shifts everybody behind. Then a schedule with one fault less is another
//! world, and nothing can be shrunk or compared. So there is no stream here. The fate of each thing is a hash of the seed and of what
//! that thing *is* (decision 6):
//!
//! ```text
//!   frame        (seed, link, API of its request, request or response, 10 ms bucket, ordinal in the bucket)
//!   connect      (seed, link, 10 ms bucket, ordinal in the bucket)
//!   clock        (seed, node)
//!   birth seed   (seed, node, id of the fault that restarted it)
//!   sync         (seed, node, 10 ms bucket, ordinal in the bucket)
//!   target       (seed, id of the fault)
//! ```
//!
//! It is like weather: whoever does not look leaves it as it was. No floating point takes part.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// What a choice is about; keeps equal numbers of different kinds apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// Latency and pieces of a frame.
    Frame = 1,
    /// Latency of what opens and closes a connection.
    Control = 2,
    /// Drift, skew and first reading of a node's clocks.
    Clock = 3,
    /// The seed with which a process is born.
    Birth = 4,
    /// How long a disk takes.
    Sync = 5,
    /// Whom a fault strikes.
    Target = 6,
}

/// The source of every choice in one run.
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    seed: u64,
}

impl Chance {
    /// Chance of the run with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Chance {
        Chance { seed }
    }

    /// The dice for one thing: the same for the same key, whatever else happens.
    #[must_use]
    pub fn about(self, tag: Tag, key: [u64; 4]) -> Dice {
        let mut bytes = [0u8; 40];
        bytes[..8].copy_from_slice(&(tag as u64).to_le_bytes());
        for (i, part) in key.iter().enumerate() {
            bytes[8 + i * 8..16 + i * 8].copy_from_slice(&part.to_le_bytes());
        }
        Dice { state: xxh3_64_with_seed(&bytes, self.seed) }
    }
}

/// A name as part of a key.
#[must_use]
pub fn key_of(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// A short row of choices about one thing (splitmix64).
#[derive(Clone, Copy, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and including `max`.
    pub fn up_to(&mut self, max: u64) -> u64 {
        let roll = self.roll();
        max.checked_add(1).map_or(roll, |count| roll % count)
    }

    /// True once in `n` times; never if `n` is 0.
    pub fn one_in(&mut self, n: u32) -> bool {
        n != 0 && self.roll().is_multiple_of(u64::from(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_have_equal_fates_and_others_do_not() {
        let chance = Chance::new(7);
        let roll = |tag, key| chance.about(tag, key).roll();
        assert_eq!(roll(Tag::Frame, [1, 2, 3, 4]), roll(Tag::Frame, [1, 2, 3, 4]));
        assert_ne!(roll(Tag::Frame, [1, 2, 3, 4]), roll(Tag::Frame, [1, 2, 3, 5]));
        assert_ne!(roll(Tag::Frame, [1, 2, 3, 4]), roll(Tag::Sync, [1, 2, 3, 4]));
        assert_ne!(roll(Tag::Frame, [1, 2, 3, 4]), Chance::new(8).about(Tag::Frame, [1, 2, 3, 4]).roll());
    }

    #[test]
    fn choices_stay_in_range_and_use_all_of_it() {
        let mut seen = [0u32; 4];
        let mut often = 0;
        for i in 0..4000 {
            let mut dice = Chance::new(1).about(Tag::Sync, [i, 0, 0, 0]);
            seen[usize::try_from(dice.up_to(3)).unwrap_or(9)] += 1;
            often += u32::from(dice.one_in(4));
            assert!(!dice.one_in(0));
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
        assert!((800..1200).contains(&often), "{often}");
    }
}

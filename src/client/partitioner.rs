//! Which partition a record goes to.
//!
//! A record that names its partition goes there. One with a key goes where every record of that key goes: murmur2 of the key, as all
//! of Kafka's clients compute it, so that clients in different languages agree. One without a key follows the *sticky* choice: one
//! partition until about `batch.size` bytes have gone there, then another, so that batches fill (KIP-480, KIP-794). Sticky choices
//! prefer partitions that have a leader. Simplified: KIP-794 also weighs partitions by the length of their queues.

use std::hash::{Hash, Hasher};

use crate::digest::Digest;

/// The sticky choice for one topic.
#[derive(Clone, Hash, Debug, Default)]
pub struct Sticky {
    partition: Option<i32>,
    bytes: usize,
    choices: u64,
}

impl Sticky {
    /// The present choice for a record of `size` bytes, unless `bytes_max` have gone there or it is not available any more.
    pub fn stay(&mut self, size: usize, bytes_max: usize, is_available: impl FnOnce(i32) -> bool) -> Option<i32> {
        let partition = self.partition.filter(|partition| self.bytes < bytes_max && is_available(*partition))?;
        self.bytes += size;
        Some(partition)
    }

    /// Another partition than the present one, if there is one, for a record of `size` bytes. `seed` decides; `None` only if
    /// nothing is available.
    pub fn switch(&mut self, seed: u64, topic: &str, available: &[i32], size: usize) -> Option<i32> {
        let others: Vec<i32> = available.iter().copied().filter(|partition| Some(*partition) != self.partition).collect();
        let candidates = if others.is_empty() { available } else { &others };
        self.choices += 1;
        let mut hash = Digest::new();
        (seed, topic, self.choices).hash(&mut hash);
        let place = hash.finish() % (candidates.len().max(1) as u64);
        self.partition = candidates.get(usize::try_from(place).expect("smaller than a length")).copied();
        self.bytes = size;
        self.partition
    }
}

/// The partition, of `partitions` ones, to which every record of this key goes.
#[must_use]
pub fn by_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & i32::MAX) % partitions.max(1)
}

/// 32-bit murmur2 under Kafka's seed, as the Java client computes it.
#[must_use]
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len() & 0xffff_ffff).expect("masked");
    let mut hash = SEED ^ length;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (place, byte) in tail.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ (hash >> 15)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_the_java_client() {
        let known = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
    }

    #[test]
    fn keys_are_never_sent_to_a_negative_partition() {
        assert_eq!(by_key(b"21", 1), 0);
        assert!((0..100u32).all(|key| (0..7).contains(&by_key(&key.to_be_bytes(), 7))));
    }

    fn choose(sticky: &mut Sticky, available: &[i32]) -> Option<i32> {
        let stay = sticky.stay(10, 30, |partition| available.contains(&partition));
        stay.or_else(|| sticky.switch(1, "t", available, 10))
    }

    #[test]
    fn sticky_choice_stays_until_a_batch_is_full() {
        let mut sticky = Sticky::default();
        let choices: Vec<i32> = (0..9).filter_map(|_| choose(&mut sticky, &[0, 1, 2])).collect();
        assert_eq!(choices.len(), 9);
        assert!(choices.chunks(3).all(|run| run.iter().all(|p| *p == run[0])), "{choices:?}");
        assert!(choices[0] != choices[3] && choices[3] != choices[6], "{choices:?}");
    }

    #[test]
    fn sticky_choice_leaves_a_partition_that_is_gone() {
        let mut sticky = Sticky::default();
        assert_eq!(choose(&mut sticky, &[4]), Some(4));
        assert_eq!(choose(&mut sticky, &[5]), Some(5));
        assert_eq!(choose(&mut sticky, &[]), None);
    }
}

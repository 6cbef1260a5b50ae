//! A hash over the whole state of an actor.
//!
//! Two runs of one seed must pass through the same states, not merely send the same frames; exploration and time
//! travel compare states by digest. A state derives `Hash` and feeds itself to [`Digest`], a standard hasher.

use std::hash::Hasher;

use xxhash_rust::xxh3::Xxh3;

/// Takes in a state piece by piece and gives 128 bits.
#[derive(Clone, Default)]
pub struct Digest(Xxh3);

impl Digest {
    /// The digest of nothing yet.
    #[must_use]
    pub fn new() -> Digest {
        Digest::default()
    }

    /// All 128 bits of what was taken in so far.
    #[must_use]
    pub fn value(&self) -> u128 {
        self.0.digest128()
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.digest()
    }
}

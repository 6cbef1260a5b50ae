//! What the members of a group with the assignor `sticky` tell each other in the user data of their subscriptions.
//!
//! Such members give up everything before they join, so the owned partitions of the subscription are empty; what they had, and in which
//! generation, travels here (KIP-54; the generation since KAFKA-7026). There is no version number: the newer form is the older one with the
//! generation behind it, so what is too short for the newer is read as the older.

use bytes::Bytes;

use super::consumer_protocol::TopicPartition;
use super::encoder::join;
use super::mistake::{DecodeError, EncodeError};
use super::schema::prelude::*;
use super::schema::structure;

structure! {
    /// What a member had.
    StickyUserData {
        /// The partitions by topic.
        previous_assignment: Vec<TopicPartition> [always()],
        /// The generation in which it had them, or -1.
        generation: i32 [since(1).ignorable()] = -1,
    }
}

impl Message for StickyUserData {
    const NAME: &'static str = "StickyUserData";
    const SCHEMA: &'static Schema = &StickyUserData::SCHEMA;
    const VERSIONS: Versions = Versions { min: 0, max: 1 };
    const FLEXIBLE: i16 = NEVER;
}

impl StickyUserData {
    /// Its bytes.
    pub fn to_bytes(&self) -> Result<Bytes, EncodeError> {
        self.to_chunks(1).map(|chunks| join(&chunks))
    }

    /// Reads such bytes, in the newer form if they are long enough for it.
    pub fn read(bytes: &Bytes) -> Result<StickyUserData, DecodeError> {
        StickyUserData::read_first(1, bytes, 0).or_else(|_| StickyUserData::read_first(0, bytes, 0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn data(generation: i32) -> StickyUserData {
        let partitions = TopicPartition { topic: "t".into(), partitions: vec![0, 2], ..Default::default() };
        StickyUserData { previous_assignment: vec![partitions], generation, ..Default::default() }
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(StickyUserData::read(&data(7).to_bytes().unwrap()).unwrap(), data(7));
        let older = join(&data(7).to_chunks(0).unwrap());
        assert_eq!(StickyUserData::read(&older).unwrap(), data(-1));
    }

    #[test]
    fn cut_bytes_are_refused() {
        let older = join(&data(7).to_chunks(0).unwrap());
        assert!((0..older.len()).all(|end| StickyUserData::read(&older.slice(..end)).is_err()));
    }
}

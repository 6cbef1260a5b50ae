//! The offset map: the newest offset of each key, within bounds.
//!
//! Kafka keeps a digest of 16 bytes for each key, so two keys with the same one would be taken for one; here the keys themselves are kept, and a
//! key counts with its length. The bound is `log.cleaner.dedupe.buffer.size`. It is a bound for the second batch on: one batch always fits,
//! or a log with a larger one would never be cleaned.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::types::Offset;
use crate::wire::record::{BatchRef, Record};

/// What a key takes beside its own bytes, about: its offset, its place in the tree.
const ENTRY_BYTES: usize = 48;

/// The map.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct OffsetMap {
    newest: BTreeMap<Bytes, Offset>,
    bytes: usize,
    bytes_max: usize,
}

impl OffsetMap {
    /// An empty map of at most `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> OffsetMap {
        OffsetMap { newest: BTreeMap::new(), bytes: 0, bytes_max }
    }

    /// Takes in the keys of the next batch. False if they do not fit any more: then the map ends before it.
    pub(super) fn take(&mut self, batch: &BatchRef) -> bool {
        if batch.header.is_control() {
            return true;
        }
        // A batch that cannot be opened is kept as it is, and replaces nothing.
        let opened = batch.opened_records().and_then(Iterator::collect::<Result<Vec<Record>, _>>);
        let records = opened.unwrap_or_default();
        let keys = || records.iter().filter_map(|record| record.key.as_ref().map(|key| (key, record.offset)));
        let new: usize = keys().filter(|(key, _)| !self.newest.contains_key(*key)).map(|(key, _)| key.len() + ENTRY_BYTES).sum();
        if new > 0 && !self.newest.is_empty() && self.bytes + new > self.bytes_max {
            return false;
        }
        for (key, offset) in keys() {
            self.put(key, offset);
        }
        true
    }

    fn put(&mut self, key: &Bytes, offset: Offset) {
        match self.newest.get_mut(key) {
            Some(newest) => *newest = offset,
            None => {
                self.bytes += key.len() + ENTRY_BYTES;
                // A slice would keep the whole batch alive.
                self.newest.insert(Bytes::copy_from_slice(key), offset);
            }
        }
    }

    /// Whether there is a newer record of the key.
    pub(super) fn replaces(&self, key: &Bytes, offset: Offset) -> bool {
        self.newest.get(key).is_some_and(|newest| *newest > offset)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::{LeaderEpoch, Timestamp};
    use crate::wire::record::BatchBuilder;

    fn batch(base: i64, keys: &[&str]) -> BatchRef {
        let mut builder = BatchBuilder::new().at(Offset(base), LeaderEpoch(0));
        for key in keys {
            builder.push(Timestamp(0), Some(key.as_bytes()), None, &[]);
        }
        BatchRef::parse(&builder.build()).unwrap()
    }

    #[test]
    fn the_newest_offset_of_a_key_counts() {
        let mut map = OffsetMap::new(1000);
        assert!(map.take(&batch(10, &["a", "b", "a"])));
        let key = |key: &'static str| Bytes::from_static(key.as_bytes());
        assert!(map.replaces(&key("a"), Offset(10)) && !map.replaces(&key("a"), Offset(12)));
        assert!(!map.replaces(&key("b"), Offset(11)) && !map.replaces(&key("c"), Offset(0)));
    }

    #[test]
    fn the_first_batch_always_fits_and_known_keys_cost_nothing() {
        let mut map = OffsetMap::new(1);
        assert!(map.take(&batch(0, &["a", "b"])));
        assert!(map.take(&batch(2, &["b", "a"])));
        assert!(!map.take(&batch(4, &["a", "c"])));
        assert!(!map.replaces(&Bytes::from_static(b"a"), Offset(3)), "what did not fit is not known");
    }
}

//! What a compacted partition still tells of each key, as people read it in the end.
//!
//! Compaction may take an acknowledged record only if a newer one of its key is there. Whoever misses a record asks here; of partitions that were never
//! compacted nothing is gathered.

use std::collections::BTreeMap;

use super::clients::Clients;
use super::ghost::Ghost;
use brokerlab::types::Offset;

/// The newest record of each key in the final read of a partition.
#[derive(Debug, Default)]
pub struct Survivors {
    newest: BTreeMap<u64, Offset>,
}

/// The survivors of all partitions, and what they are asked with.
#[derive(Debug, Default)]
pub struct AllSurvivors {
    by_value: Vec<(u64, usize)>,
    partitions: Vec<Survivors>,
}

impl AllSurvivors {
    /// Reads the final reads of compacted partitions.
    #[must_use]
    pub fn of(ghost: &Ghost, clients: &Clients) -> AllSurvivors {
        let is_compacted = ghost.partitions.iter().any(|p| p.cleaned > Offset::ZERO);
        let by_value = if is_compacted { clients.by_value() } else { Vec::new() };
        let mut all = AllSurvivors { by_value, partitions: Vec::new() };
        for (partition, p) in ghost.partitions.iter().enumerate() {
            let mut survivors = Survivors::default();
            let read = clients.finals.get(partition).filter(|_| p.cleaned > Offset::ZERO);
            for (offset, value) in read.into_iter().flat_map(|read| &read.records) {
                if let Some(key) = all.key_of(clients, *value) {
                    survivors.newest.insert(key, *offset);
                }
            }
            all.partitions.push(survivors);
        }
        all
    }

    /// Hash of the key that a value was written under; `None` without a key.
    #[must_use]
    pub fn key_of(&self, clients: &Clients, value: u64) -> Option<u64> {
        let at = self.by_value.binary_search_by_key(&value, |(known, _)| *known).ok()?;
        Some(clients.writes[self.by_value[at].1].key).filter(|key| *key != 0)
    }

    /// Whether compaction may have taken the record of `key` at `offset`: it lies below the cleaned point, and a newer one of the key is there.
    #[must_use]
    pub fn replace(&self, ghost: &Ghost, partition: usize, key: Option<u64>, offset: Offset) -> bool {
        let newest = key.and_then(|key| self.partitions.get(partition)?.newest.get(&key).copied());
        offset < ghost.partitions[partition].cleaned && newest.is_some_and(|newest| newest > offset)
    }
}

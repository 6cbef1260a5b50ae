//! The topics of the cluster, as far as groups care: which there are, and how many partitions each has.
//!
//! The broker keeps this beside its metadata and lends it for each step. It is what assignments are computed from (KIP-848) and judged by.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::{TopicId, TopicPartition};

/// One topic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TopicShape {
    /// Its identity.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
}

/// All topics.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Topics {
    by_name: BTreeMap<Arc<str>, TopicShape>,
    names: BTreeMap<TopicId, Arc<str>>,
    version: u64,
}

impl Topics {
    /// There is such a topic now.
    pub fn insert(&mut self, name: Arc<str>, shape: TopicShape) {
        self.version += 1;
        if let Some(former) = self.by_name.insert(name.clone(), shape) {
            self.names.remove(&former.id);
        }
        self.names.insert(shape.id, name);
    }

    /// There is no such topic any more. A younger one of the same name stays.
    pub fn remove(&mut self, id: TopicId) {
        self.version += 1;
        if let Some(name) = self.names.remove(&id) {
            self.by_name.remove(&name);
        }
    }

    /// Rises with every change: who has looked at this version need not look again.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The topic of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<TopicShape> {
        self.by_name.get(name).copied()
    }

    /// The name of a topic.
    #[must_use]
    pub fn name_of(&self, id: TopicId) -> Option<&Arc<str>> {
        self.names.get(&id)
    }

    /// All topics, in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, TopicShape)> {
        self.by_name.iter().map(|(name, shape)| (name, *shape))
    }

    /// All partitions of a topic; none if there is no such topic.
    pub fn partitions_of(&self, name: &str) -> impl Iterator<Item = TopicPartition> + use<> {
        let found = self.by_name.get_key_value(name).map(|(name, shape)| (name.clone(), shape.partitions));
        found.into_iter().flat_map(|(topic, count)| (0..count).map(move |index| TopicPartition { topic: topic.clone(), index }))
    }
}

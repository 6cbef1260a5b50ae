//! The partitions that a consumer reads, each with a number that is never used again.
//!
//! Partitions come and go while requests about others are on their way, so a request remembers the number of its place: an answer finds it
//! wherever it stands by then, or finds nothing.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use super::positions::Place;
use crate::types::TopicPartition;

/// Places in the order in which they were added, and so in the order of their numbers.
#[derive(Hash, Debug, Default)]
pub struct Places {
    list: Vec<Place>,
    added: u64,
}

impl Places {
    /// Adds a place.
    pub fn add(&mut self, mut place: Place) {
        self.added += 1;
        place.number = self.added;
        self.list.push(place);
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Forgets these.
    pub fn remove(&mut self, partitions: &BTreeSet<TopicPartition>) {
        self.list.retain(|place| !partitions.contains(&place.partition));
    }

    /// These are being given up: nothing of them is fetched or handed out any more.
    pub fn suspend(&mut self, partitions: &BTreeSet<TopicPartition>) {
        for place in self.list.iter_mut().filter(|place| partitions.contains(&place.partition)) {
            place.suspended = true;
        }
    }

    /// The place with this number.
    pub fn find(&mut self, number: u64) -> Option<&mut Place> {
        let at = self.list.binary_search_by_key(&number, |place| place.number).ok()?;
        Some(&mut self.list[at])
    }
}

impl Deref for Places {
    type Target = [Place];

    fn deref(&self) -> &[Place] {
        &self.list
    }
}

impl DerefMut for Places {
    fn deref_mut(&mut self) -> &mut [Place] {
        &mut self.list
    }
}

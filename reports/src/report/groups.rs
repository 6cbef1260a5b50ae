//! Consumer groups over time: who owned which partition, and how far the group has come in it.
//!
//! ```text
//!   who owned what     the members' own word: what they were assigned, gave up, lost; a process that dies owns nothing.
//!                      Two may believe to own one partition: that is what there is to be seen
//!   position           the end of what applications have processed last; it goes back when records come again
//!   committed          what the coordinator has stored
//!   lag                what is committed in the partition (its highest high watermark) less one of these
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use brokerlab::fact::{Fact, GroupFact};
use brokerlab::types::{Offset, TopicPartition};

use crate::event::{Event, NodeId, What, WorldFact};

use super::names::Names;
use super::spans::{Span, Spans};
use super::steps::Steps;

/// Generations that are kept of a group.
const GENERATIONS_MAX: usize = 2_000;

/// Groups, as far as the run was read.
#[derive(Debug, Default)]
pub struct Groups {
    groups: BTreeMap<Arc<str>, Group>,
    /// The group in which an application reads.
    member_of: BTreeMap<NodeId, Arc<str>>,
    ends: BTreeMap<TopicPartition, Offset>,
}

#[derive(Debug, Default)]
struct Group {
    generations: Vec<(u64, i32)>,
    rows: BTreeMap<TopicPartition, Row>,
}

#[derive(Debug, Default)]
struct Row {
    owners: BTreeMap<NodeId, Spans<i32>>,
    position: Option<Offset>,
    committed: Option<Offset>,
    unprocessed: Steps,
    uncommitted: Steps,
}

/// A group when all was read.
#[derive(Clone, Debug)]
pub struct GroupRead {
    /// Its id.
    pub id: Arc<str>,
    /// When generations, or group epochs, began.
    pub generations: Vec<(u64, i32)>,
    /// Its partitions, by name.
    pub rows: Vec<RowRead>,
}

/// What became of one partition in a group.
#[derive(Clone, Debug)]
pub struct RowRead {
    /// The partition.
    pub partition: TopicPartition,
    /// Who believed to own it, and in which generation or member epoch.
    pub owners: BTreeMap<NodeId, Vec<Span<i32>>>,
    /// Records that are committed and not processed.
    pub unprocessed: Steps,
    /// Records above the committed offset.
    pub uncommitted: Steps,
}

impl Groups {
    /// Takes in an event.
    pub fn observe(&mut self, event: &Event, names: &Names) {
        let at = event.at.0;
        match (&event.what, event.node) {
            (What::Fact(Fact::Group(fact)), Some(node)) => self.hear(at, node, fact),
            (What::Fact(Fact::HighWatermarkAdvanced { partition, to, .. }), _) => {
                if let Some(topic) = names.topic(partition.topic) {
                    let partition = TopicPartition { topic: topic.into(), index: partition.index };
                    self.end_rises(at, &partition, *to);
                }
            }
            (What::World(WorldFact::Processed { partition, to, .. }), Some(node)) => {
                let Some(group) = self.member_of.get(&node).and_then(|group| self.groups.get_mut(group)) else { return };
                let row = group.rows.entry(partition.clone()).or_default();
                row.position = Some(*to);
                row.measure(at, self.ends.get(partition));
            }
            (
                What::World(
                    WorldFact::ProcessCrashed | WorldFact::PowerLost { .. } | WorldFact::NodeStopped | WorldFact::Panicked { .. },
                ),
                Some(node),
            ) => self.dies(at, node),
            (_, _) => {}
        }
    }

    fn hear(&mut self, at: u64, node: NodeId, fact: &GroupFact) {
        if let GroupFact::GenerationBegun { group, generation, .. } = fact {
            let generations = &mut self.groups.entry(group.clone()).or_default().generations;
            if generations.len() < GENERATIONS_MAX {
                generations.push((at, *generation));
            }
        } else if let GroupFact::CommitStored { group, partition, offset, .. } = fact {
            let row = self.groups.entry(group.clone()).or_default().rows.entry(partition.clone()).or_default();
            row.committed = Some(*offset);
            row.measure(at, self.ends.get(partition));
        } else if let GroupFact::PartitionsAssigned { group, generation, partitions, .. } = fact {
            self.member_of.insert(node, group.clone());
            let rows = &mut self.groups.entry(group.clone()).or_default().rows;
            for partition in partitions {
                rows.entry(partition.clone()).or_default().owners.entry(node).or_default().set(at, *generation);
            }
        } else if let GroupFact::PartitionsRevoked { group, partitions, .. }
        | GroupFact::PartitionsLost { group, partitions, .. } = fact
        {
            let Some(known) = self.groups.get_mut(group) else { return };
            for partition in partitions {
                let owned = known.rows.get_mut(partition).and_then(|row| row.owners.get_mut(&node));
                owned.into_iter().for_each(|spans| spans.end(at));
            }
        }
    }

    fn end_rises(&mut self, at: u64, partition: &TopicPartition, to: Offset) {
        let end = self.ends.entry(partition.clone()).or_insert(to);
        *end = to.max(*end);
        for row in self.groups.values_mut().filter_map(|group| group.rows.get_mut(partition)) {
            row.measure(at, Some(end));
        }
    }

    fn dies(&mut self, at: u64, node: NodeId) {
        let rows = self.groups.values_mut().flat_map(|group| group.rows.values_mut());
        rows.filter_map(|row| row.owners.get_mut(&node)).for_each(|spans| spans.end(at));
    }

    /// Nothing more will come.
    #[must_use]
    pub fn finish(self, end: u64) -> Vec<GroupRead> {
        let read = |(partition, row): (TopicPartition, Row)| RowRead {
            partition,
            owners: row.owners.into_iter().map(|(node, spans)| (node, spans.until(end))).collect(),
            unprocessed: row.unprocessed,
            uncommitted: row.uncommitted,
        };
        let all = self.groups.into_iter().map(|(id, group)| {
            let rows = group.rows.into_iter().map(read).collect();
            GroupRead { id, generations: group.generations, rows }
        });
        all.collect()
    }
}

impl Row {
    fn measure(&mut self, at: u64, end: Option<&Offset>) {
        let Some(end) = end else { return };
        let behind = |place: Option<Offset>| place.map(|place| end.since(place).max(0));
        if let Some(lag) = behind(self.position) {
            self.unprocessed.push(at, lag);
        }
        if let Some(lag) = behind(self.committed) {
            self.uncommitted.push(at, lag);
        }
    }
}

impl RowRead {
    /// Moments in which two members believed to own it.
    #[must_use]
    pub fn shared(&self) -> Vec<(u64, u64)> {
        let all: Vec<(NodeId, &Span<i32>)> =
            self.owners.iter().flat_map(|(node, spans)| spans.iter().map(|span| (*node, span))).collect();
        let mut shared: Vec<(u64, u64)> = Vec::new();
        for (n, (node, one)) in all.iter().enumerate() {
            for (other, two) in &all[n + 1..] {
                let (from, to) = (one.from.max(two.from), one.to.min(two.to));
                if node != other && from < to {
                    shared.push((from, to));
                }
            }
        }
        shared.sort_unstable();
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_own_the_same_are_seen() {
        let span = |from, to| Span { from, to, state: 1 };
        let owners = BTreeMap::from([(NodeId(5), vec![span(1, 9)]), (NodeId(6), vec![span(2, 4), span(9, 12)])]);
        let partition = TopicPartition { topic: "orders".into(), index: 0 };
        let (unprocessed, uncommitted) = (Steps::default(), Steps::default());
        assert_eq!(RowRead { partition, owners, unprocessed, uncommitted }.shared(), [(2, 4)]);
    }

    #[test]
    fn lag_is_what_is_committed_and_not_yet_done() {
        let mut row = Row { position: Some(Offset(3)), committed: Some(Offset(2)), ..Row::default() };
        row.measure(1, None);
        assert_eq!(row.unprocessed.current(), None);
        row.measure(2, Some(&Offset(7)));
        assert_eq!((row.unprocessed.current(), row.uncommitted.current()), (Some(4), Some(5)));
    }
}

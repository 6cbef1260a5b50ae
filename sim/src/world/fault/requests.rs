//! What is asked of the cluster in the middle of its work: elections without need, deletion of records, and of whole topics.
//!
//! No fault in the strict sense, for nothing breaks; but it comes when nobody expects it. The laboratory's admin asks, as an operator
//! would, and its request goes the way of all requests.

use std::sync::Arc;

use brokerlab::operation::{Election, Operation};
use brokerlab::types::{Offset, TopicPartition};
use brokerlab_reports::event::EventId;

use super::super::cast::Role;
use super::super::state::{World, number};
use crate::scenario::model::Target;
use crate::workload::Driver;

impl World {
    /// Who asks.
    pub(super) fn admin(&self) -> Result<u16, String> {
        let admin = (0..number(self.nodes.len())).find(|node| self.member(*node).role == Role::Admin);
        admin.ok_or_else(|| "there is no admin".to_string())
    }

    /// Asks for the preferred leader of the partition, or of all.
    pub(super) fn elect_preferred(&mut self, admin: u16, target: &Target, began: EventId) {
        let partitions = partition_of(target).map(|partition| vec![partition]);
        self.command(admin, Operation::ElectLeaders { election: Election::Preferred, partitions }, began);
    }

    /// Has the topic deleted, and created again as it was.
    pub(super) fn recreate_topic(&mut self, admin: u16, target: &Target, began: EventId) {
        let Some((topic, _)) = target.partition() else { return };
        if let Driver::TopicCreator(creator) = &mut self.drivers[usize::from(admin)]
            && let Some(operation) = creator.renew(topic)
        {
            self.command(admin, operation, began);
        }
    }

    /// Has all but so many committed records of the partition deleted.
    pub(super) fn delete_records(&mut self, admin: u16, target: &Target, keep: u64, began: EventId) {
        let Some(partition) = partition_of(target) else { return };
        let index = u32::try_from(partition.index).unwrap_or(u32::MAX);
        let end = self.directory.partition(&partition.topic, index).map_or(Offset::ZERO, |entry| entry.high_watermark);
        // -1 lets the leader say where its high watermark stands.
        let before = if keep == 0 { Offset(-1) } else { Offset(end.0.saturating_sub_unsigned(keep).max(0)) };
        self.command(admin, Operation::DeleteRecords { partition, before }, began);
    }
}

/// The partition that a target is about, as clients name it.
fn partition_of(target: &Target) -> Option<TopicPartition> {
    let (topic, index) = target.partition()?;
    Some(TopicPartition { topic: Arc::from(topic), index: i32::try_from(index).ok()? })
}

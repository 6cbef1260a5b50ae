//! The life of a shard follows the role of its replica.
//!
//! ```text
//!   leader in epoch e ──▶ shard(e): its log is read, a piece in each step ──▶ serves
//!   leader in epoch f ──▶ shard(e) resigns, shard(f) begins anew
//!   follower, or gone ──▶ resigns
//! ```
//!
//! Everything happens at the end of the step in which the replica has changed, in order of leader epochs, so a late load cannot overtake an
//! unload (KAFKA-4704). Reading goes by pieces, one in each step: a log of a gigabyte must not keep heartbeats waiting.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::controller::Delta;
use crate::group::{Effects, GroupConfig, OFFSETS_TOPIC, Shard, TopicShape, Topics};
use crate::mutant::Mutant;
use crate::replica::{Changes, Replica};
use crate::types::{Offset, PartitionId, TopicId};

use super::BrokerActor;
use super::reply::Step;

/// Bytes read in one step.
const PIECE: usize = 1 << 20;

impl BrokerActor {
    /// A replica of the offsets topic has changed, or is gone.
    pub(super) fn look_at_shard(&mut self, partition: PartitionId, changes: Changes, step: &mut Step<'_>) {
        if changes.role {
            self.follow_role(partition, step);
        }
        if changes.role || changes.high_watermark {
            let high_watermark = self.partitions.replica(partition).map(Replica::high_watermark);
            if let Some(high_watermark) = high_watermark {
                self.with_shard(partition, step, |shard, turn| shard.on_high_watermark(high_watermark, turn));
            }
        }
    }

    fn follow_role(&mut self, partition: PartitionId, step: &mut Step<'_>) {
        let leads = self.partitions.replica(partition).filter(|replica| replica.is_leader());
        let leads =
            leads.map(|replica| (replica.leader_epoch(), (replica.log_start(), replica.log_end()), replica.high_watermark()));
        let epoch = leads.map(|(epoch, _, _)| epoch);
        let known = self.groups.shards.get(&partition).map(Shard::leader_epoch);
        if known == epoch {
            return;
        }
        if let Some(shard) = self.groups.shards.remove(&partition) {
            let mut effects = Effects::default();
            shard.resign(&mut effects);
            self.groups.loading.remove(&partition);
            self.groups.note_alarm(partition);
            self.carry_out(effects, step);
        }
        if let Some((epoch, bounds, high_watermark)) = leads {
            if self.groups.shards.is_empty() {
                self.groups.topics = self.all_topics();
            }
            let bounds = self.spoiled_bounds(bounds, high_watermark, known.is_some(), step);
            let config = GroupConfig { mutants: self.config.mutants, ..self.config.groups.clone() };
            let shard = Shard::new(partition, epoch, bounds, config, self.config.seed);
            if shard.wants().is_some() {
                self.groups.loading.insert(partition);
            }
            self.groups.shards.insert(partition, shard);
        }
    }

    /// What is read of a log when a shard begins: all of it. Planted bugs: up to the high watermark; nothing that counts, because the late end of
    /// the shard of a former epoch takes it away again.
    fn spoiled_bounds(
        &self,
        (start, end): (Offset, Offset),
        high_watermark: Offset,
        had_another: bool,
        step: &mut Step<'_>,
    ) -> (Offset, Offset) {
        let spoiled = [
            (Mutant::LoadToHwOnly, (start, high_watermark.clamp(start, end)), true),
            (Mutant::UnloadAfterLoadRace, (end, end), had_another),
        ];
        let acting = |(mutant, bounds, may): &(Mutant, (Offset, Offset), bool)| {
            *may && *bounds != (start, end) && self.config.mutants.is(*mutant)
        };
        let Some((mutant, bounds, _)) = spoiled.into_iter().find(acting) else { return (start, end) };
        step.out.fact(mutant.acted());
        bounds
    }

    /// Does what time brings to the shards, and reads on where a log is being loaded.
    pub(super) fn step_shards(&mut self, step: &mut Step<'_>) {
        for partition in self.groups.due(step.now.mono) {
            self.with_shard(partition, step, |shard, turn| shard.on_time(turn));
        }
        if let Some(partition) = self.groups.loading.first().copied() {
            self.load_piece(partition, step);
        }
    }

    fn load_piece(&mut self, partition: PartitionId, step: &mut Step<'_>) {
        let wanted = self.groups.shards.get(&partition).and_then(Shard::wants);
        let (Some((from, end)), Some((replica, _))) = (wanted, self.partitions.touch(partition)) else {
            self.groups.loading.remove(&partition);
            return;
        };
        // Without it the replica has failed, or lost its log start: then another leader is on its way.
        let Ok(bytes) = replica.read_own(from, end, PIECE, step.disk, step.out) else {
            self.groups.loading.remove(&partition);
            return;
        };
        self.with_shard(partition, step, |shard, turn| {
            // What cannot be read makes the shard refuse everyone; there is nothing else that could be done here.
            let _ = shard.load(&bytes, turn);
        });
        if self.groups.shards.get(&partition).is_none_or(|shard| shard.wants().is_none()) {
            self.groups.loading.remove(&partition);
        }
    }

    fn all_topics(&self) -> Topics {
        let mut topics = Topics::default();
        for topic in self.view.image().topics() {
            let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            topics.insert(topic.name.clone(), TopicShape { id: topic.id, partitions });
        }
        topics
    }

    /// Topics have come, grown or gone.
    pub(super) fn tell_shards_of_topics(&mut self, delta: &Delta, step: &mut Step<'_>) {
        if !delta.topics.is_empty() || !delta.deleted.is_empty() {
            self.groups.topic = self.view.image().topic_by_name(OFFSETS_TOPIC).map(|topic| topic.id);
        }
        if self.groups.shards.is_empty() {
            return;
        }
        delta.deleted.keys().for_each(|id| self.groups.topics.remove(*id));
        let touched: BTreeSet<TopicId> =
            delta.topics.iter().copied().chain(delta.partitions.iter().map(|partition| partition.topic)).collect();
        for topic in touched.iter().filter_map(|id| self.view.image().topic(*id)) {
            let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let shape = TopicShape { id: topic.id, partitions };
            if self.groups.topics.named(&topic.name) != Some(shape) {
                self.groups.topics.insert(topic.name.clone(), shape);
            }
        }
        if delta.deleted.is_empty() {
            return;
        }
        let gone: BTreeSet<Arc<str>> = delta.deleted.values().map(|topic| topic.name.clone()).collect();
        let shards: Vec<PartitionId> = self.groups.shards.keys().copied().collect();
        for partition in shards {
            self.with_shard(partition, step, |shard, turn| shard.on_topics_deleted(&gone, turn));
        }
    }
}

//! A topic gets more partitions (KIP-195), never fewer: keys would go elsewhere, and records have to stay where they are.
//!
//! New partitions have as many replicas as the first one. They are placed as if the topic had been created with them, so that the round of
//! first replicas goes on where it stopped, or as the request says.

use super::partition::Partition;
use super::placement::{Beginning, place};
use super::state::Controller;
use super::topics::{Refusal, refuse};
use crate::types::{BrokerId, PartitionId, TopicId};
use crate::wire::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use crate::wire::create_partitions_response::CreatePartitionsTopicResult;
use crate::wire::create_topics_request::CreatableReplicaAssignment;
use crate::wire::{CreatePartitionsRequest, CreatePartitionsResponse, ErrorCode};

use super::topics::PARTITIONS_MAX;

impl Controller {
    /// Creates partitions, or with `validate_only` says whether it would.
    pub fn on_create_partitions(&mut self, request: &CreatePartitionsRequest) -> CreatePartitionsResponse {
        let mut response = CreatePartitionsResponse::default();
        let mut created = 0;
        for (at, wanted) in request.topics.iter().enumerate() {
            let is_twice = request.topics.iter().enumerate().any(|(other, topic)| other != at && topic.name == wanted.name);
            let planned = match is_twice {
                true => refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic name."),
                false => self.plan_partitions(wanted, PARTITIONS_MAX - created),
            };
            let result = planned.map(|(topic, first, partitions)| {
                created += partitions.len();
                if !request.validate_only {
                    self.add(topic, first, &partitions);
                }
            });
            response.results.push(told(&wanted.name, result));
        }
        response
    }

    /// The topic, the index of its first new partition, and all new ones.
    fn plan_partitions(&self, wanted: &CreatePartitionsTopic, room: usize) -> Result<(TopicId, i32, Vec<Partition>), Refusal> {
        let Some(topic) = self.image.topic_by_name(&wanted.name) else {
            return refuse(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.");
        };
        self.check_not_internal(topic.id)?;
        let present = i32::try_from(topic.partitions.len()).expect("indexes are 32-bit numbers");
        if wanted.count == present {
            return refuse(ErrorCode::INVALID_PARTITIONS, format!("Topic already has {present} partition(s)."));
        }
        if wanted.count < present {
            let (name, count) = (&wanted.name, wanted.count);
            let why = format!("The topic {name} currently has {present} partition(s); {count} would not be an increase.");
            return refuse(ErrorCode::INVALID_PARTITIONS, why);
        }
        let more = usize::try_from(wanted.count - present).expect("larger than before");
        if more > room {
            return refuse(ErrorCode::INVALID_PARTITIONS, format!("{more} more partitions cannot be created at once."));
        }
        let replicas = topic.partitions.values().next().map_or(1, |partition| partition.replicas.len());
        let partitions = match &wanted.assignments {
            None => self.place_more(&wanted.name, topic.partitions.len(), more, replicas)?,
            Some(assignments) => self.assign_more(assignments, present, more, replicas)?,
        };
        Ok((topic.id, present, partitions))
    }

    fn place_more(&self, name: &str, present: usize, more: usize, replicas: usize) -> Result<Vec<Partition>, Refusal> {
        let active: Vec<BrokerId> = self.image.brokers().filter(|broker| broker.is_active()).map(|broker| broker.id).collect();
        if replicas > active.len() {
            let active = active.len();
            let why = format!("Unable to replicate the partition {replicas} time(s): only {active} broker(s) are active.");
            return refuse(ErrorCode::INVALID_REPLICATION_FACTOR, why);
        }
        let placed = place(&active, present + more, replicas, Beginning::of(self.config.seed, name));
        Ok(placed.into_iter().skip(present).map(|replicas| self.partition(replicas.clone(), replicas)).collect())
    }

    fn assign_more(
        &self,
        assignments: &[CreatePartitionsAssignment],
        present: i32,
        more: usize,
        replicas: usize,
    ) -> Result<Vec<Partition>, Refusal> {
        if assignments.len() != more {
            let given = assignments.len();
            let why = format!("Attempted to add {more} additional partition(s), but only {given} assignment(s) were specified.");
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why);
        }
        if assignments.iter().any(|assignment| assignment.broker_ids.len() != replicas) {
            let why = format!("Every partition of this topic has {replicas} replica(s).");
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why);
        }
        let numbered = (present..).zip(assignments);
        let assigned = numbered.map(|(partition_index, assignment)| {
            let broker_ids = assignment.broker_ids.clone();
            self.assigned(&CreatableReplicaAssignment { partition_index, broker_ids, ..CreatableReplicaAssignment::default() })
        });
        assigned.collect()
    }

    fn add(&mut self, topic: TopicId, first: i32, partitions: &[Partition]) {
        assert!(self.image.partition(PartitionId { topic, index: first }).is_none(), "only new partitions are added");
        for (index, partition) in (first..).zip(partitions) {
            self.write(partition.record(PartitionId { topic, index }));
        }
    }
}

fn told(name: &str, result: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    let name = name.to_owned();
    match result {
        Ok(()) => CreatePartitionsTopicResult { name, ..CreatePartitionsTopicResult::default() },
        Err(Refusal { error, message }) => CreatePartitionsTopicResult {
            name,
            error_code: error.code(),
            error_message: Some(message),
            ..CreatePartitionsTopicResult::default()
        },
    }
}

//! Topics come and go.
//!
//! A request names several topics and each succeeds or fails on its own. A topic's records are written together: the topic, what was
//! configured, and each partition with all its replicas in sync and the first of them leading.
//!
//! Replicas are placed on active brokers only, by [`place`], or as the request says. A topic is identified by an id that
//! is never used again, made of the seed, the name and the place of its record in the log: whoever still holds a replica of a
//! deleted topic can tell it from the new one of the same name (KIP-516).
//!
//! Simplified: Kafka also places replicas on fenced brokers as long as an active one is among them; here a topic needs as many
//! active brokers as it has replicas, unless its assignment is given by hand.

use std::collections::BTreeSet;
use std::hash::Hasher;

use super::image::TOPIC_RESOURCE;
use super::partition::{Partition, brokers};
use super::placement::{Beginning, place};
use super::state::Controller;
use super::topic_config::{Property, TopicConfig};
use crate::digest::Digest;
use crate::types::{BrokerId, OFFSETS_TOPIC, PartitionId, TopicId, Uuid};
use crate::wire::ErrorCode;
use crate::wire::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest};
use crate::wire::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse};
use crate::wire::delete_topics_request::DeleteTopicsRequest;
use crate::wire::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use crate::wire::metadata::{ConfigRecord, RemoveTopicRecord, TopicRecord};

/// Longest name of a topic.
const NAME_MAX: usize = 249;
/// Most partitions created by one request: their records must fit into one batch.
pub(super) const PARTITIONS_MAX: usize = 10_000;
/// The metadata log's own topic id; never given to a topic.
const METADATA_TOPIC: Uuid = Uuid(1);
/// `CreatableTopicConfigs.config_source` of a property set for the topic.
const DYNAMIC_TOPIC_CONFIG: i8 = 1;
/// The same of one that has its default.
const DEFAULT_CONFIG: i8 = 5;

/// Why a topic is not created or deleted: a code, and a sentence for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub error: ErrorCode,
    pub message: String,
}

pub(super) fn refuse<T>(error: ErrorCode, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { error, message: message.into() })
}

/// A topic that can be created.
struct Plan {
    name: String,
    config: TopicConfig,
    partitions: Vec<Partition>,
}

impl Controller {
    /// Creates topics, or with `validate_only` says whether it would.
    pub fn on_create_topics(&mut self, request: &CreateTopicsRequest) -> CreateTopicsResponse {
        let mut response = CreateTopicsResponse::default();
        let mut created = 0;
        for (i, topic) in request.topics.iter().enumerate() {
            let is_twice = request.topics.iter().enumerate().any(|(j, other)| i != j && other.name == topic.name);
            let plan = match is_twice {
                true => refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic name."),
                false => self.plan(topic, PARTITIONS_MAX - created),
            };
            let result = plan.map(|plan| {
                created += plan.partitions.len();
                let id = if request.validate_only { Uuid::ZERO } else { self.create(&plan) };
                success(id, &plan)
            });
            response.topics.push(result.unwrap_or_else(|refusal| failure(&topic.name, refusal)));
        }
        response
    }

    /// Deletes topics, named by name or by id.
    pub fn on_delete_topics(&mut self, request: &DeleteTopicsRequest) -> DeleteTopicsResponse {
        let by_state = request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id));
        let by_name = request.topic_names.iter().map(|name| (Some(name.clone()), Uuid::ZERO));
        let wanted: Vec<(Option<String>, TopicId)> = by_state.chain(by_name).collect();
        let found: Vec<Result<TopicId, Refusal>> = wanted.iter().map(|(name, id)| self.find(name.as_deref(), *id)).collect();
        let mut response = DeleteTopicsResponse::default();
        for (i, (name, id)) in wanted.into_iter().enumerate() {
            let is_twice = found.iter().enumerate().any(|(j, other)| i != j && other.is_ok() && *other == found[i]);
            let result = match is_twice {
                true => refuse(ErrorCode::INVALID_REQUEST, "Duplicate topic name or id."),
                false => found[i].clone().and_then(|id| self.check_not_internal(id)).map(|id| self.delete(id)),
            };
            response.responses.push(match result {
                Ok(deleted) => deleted,
                Err(Refusal { error, message }) => DeletableTopicResult {
                    name,
                    topic_id: id,
                    error_code: error.code(),
                    error_message: Some(message),
                    ..DeletableTopicResult::default()
                },
            });
        }
        response
    }

    fn plan(&self, topic: &CreatableTopic, room: usize) -> Result<Plan, Refusal> {
        self.check_name(&topic.name)?;
        let entries = topic.configs.iter().map(|config| (config.name.as_str(), config.value.as_deref()));
        let config = TopicConfig::checked(entries)
            .map_err(|error| Refusal { error: ErrorCode::INVALID_CONFIG, message: error.to_string() })?;
        let partitions = match topic.assignments.is_empty() {
            true => self.place(topic, room)?,
            false => self.assign(topic, room)?,
        };
        Ok(Plan { name: topic.name.clone(), config, partitions })
    }

    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        if let Err(why) = check_topic_name(name) {
            return refuse(ErrorCode::INVALID_TOPIC_EXCEPTION, why);
        }
        if self.image.topic_by_name(name).is_some() {
            return refuse(ErrorCode::TOPIC_ALREADY_EXISTS, format!("Topic '{name}' already exists."));
        }
        // Metric names turn '.' into '_', so two names that differ only in that would be mixed up.
        let blurred = |name: &str| name.replace('.', "_");
        match self.image.topics().find(|other| blurred(&other.name) == blurred(name)) {
            None => Ok(()),
            Some(other) => {
                refuse(ErrorCode::INVALID_TOPIC_EXCEPTION, format!("Topic '{name}' collides with existing topic: {}", other.name))
            }
        }
    }

    fn place(&self, topic: &CreatableTopic, room: usize) -> Result<Vec<Partition>, Refusal> {
        let count = or_default(topic.num_partitions, self.config.default_partitions);
        let Some(count) = count else {
            return refuse(ErrorCode::INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.");
        };
        if count > room {
            return refuse(ErrorCode::INVALID_PARTITIONS, format!("{} partitions cannot be created.", topic.num_partitions));
        }
        let replicas = or_default(i32::from(topic.replication_factor), i32::from(self.config.default_replication));
        let active: Vec<BrokerId> = self.image.brokers().filter(|broker| broker.is_active()).map(|broker| broker.id).collect();
        let Some(replicas) = replicas else {
            let why = "Replication factor must be larger than 0, or -1 to use the default value.";
            return refuse(ErrorCode::INVALID_REPLICATION_FACTOR, why);
        };
        if replicas > active.len() {
            let (wanted, active) = (topic.replication_factor, active.len());
            let why = format!("Unable to replicate the partition {wanted} time(s): only {active} broker(s) are active.");
            return refuse(ErrorCode::INVALID_REPLICATION_FACTOR, why);
        }
        let placed = place(&active, count, replicas, Beginning::of(self.config.seed, &topic.name));
        Ok(placed.into_iter().map(|replicas| self.partition(replicas.clone(), replicas)).collect())
    }

    fn assign(&self, topic: &CreatableTopic, room: usize) -> Result<Vec<Partition>, Refusal> {
        if topic.replication_factor != -1 || topic.num_partitions != -1 {
            let why = "A manual partition assignment was specified, but the number of partitions or replicas was not set to -1.";
            return refuse(ErrorCode::INVALID_REQUEST, why);
        }
        let mut assignments: Vec<&CreatableReplicaAssignment> = topic.assignments.iter().collect();
        assignments.sort_by_key(|assignment| assignment.partition_index);
        let is_dense = assignments.iter().zip(0..).all(|(assignment, index)| assignment.partition_index == index);
        let size = assignments[0].broker_ids.len();
        if !is_dense || assignments.len() > room || assignments.iter().any(|assignment| assignment.broker_ids.len() != size) {
            let why = "Partitions must be numbered from 0 without gap and all have as many replicas.";
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why);
        }
        assignments.into_iter().map(|assignment| self.assigned(assignment)).collect()
    }

    pub(super) fn assigned(&self, assignment: &CreatableReplicaAssignment) -> Result<Partition, Refusal> {
        let replicas = brokers(&assignment.broker_ids);
        let index = assignment.partition_index;
        if let Some(unknown) = replicas.iter().find(|id| self.image.broker(**id).is_none()) {
            let why = format!("The manual partition assignment includes broker {unknown}, but no such broker is registered.");
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why);
        }
        if replicas.is_empty() || replicas.iter().collect::<BTreeSet<_>>().len() != replicas.len() {
            let why = format!("The assignment of partition {index} is not a set of brokers.");
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why);
        }
        let isr: Vec<BrokerId> = replicas.iter().copied().filter(|id| self.image.is_active(*id)).collect();
        if isr.is_empty() {
            let why = format!("All brokers of partition {index} are fenced or in controlled shutdown.");
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why);
        }
        Ok(self.partition(replicas, isr))
    }

    /// A replica goes to its broker's directory if there is one only; which of several is the broker's choice.
    pub(super) fn partition(&self, replicas: Vec<BrokerId>, isr: Vec<BrokerId>) -> Partition {
        let directory = |id: &BrokerId| match self.image.broker(*id).map(|broker| broker.directories.as_slice()) {
            Some([only]) => *only,
            Some(_) | None => Uuid::ZERO,
        };
        let directories = replicas.iter().map(directory).collect();
        Partition::created(replicas, directories, isr)
    }

    fn create(&mut self, plan: &Plan) -> TopicId {
        let id = self.topic_id(&plan.name);
        self.write(TopicRecord { name: plan.name.clone(), topic_id: id, ..TopicRecord::default() });
        for (name, value) in plan.config.iter() {
            self.write(ConfigRecord {
                resource_type: TOPIC_RESOURCE,
                resource_name: plan.name.clone(),
                name: name.to_owned(),
                value: Some(value.to_owned()),
                ..ConfigRecord::default()
            });
        }
        for (partition, index) in plan.partitions.iter().zip(0..) {
            self.write(partition.record(PartitionId { topic: id, index }));
        }
        id
    }

    fn topic_id(&self, name: &str) -> TopicId {
        let mut digest = Digest::new();
        digest.write_u64(self.config.seed);
        digest.write_i64(self.image.end().0);
        digest.write(name.as_bytes());
        let is_taken = |id: TopicId| id == Uuid::ZERO || id == METADATA_TOPIC || self.image.topic(id).is_some();
        while is_taken(Uuid(digest.value())) {
            digest.write_u8(0);
        }
        Uuid(digest.value())
    }

    fn find(&self, name: Option<&str>, id: TopicId) -> Result<TopicId, Refusal> {
        match (name, id) {
            (None, Uuid::ZERO) => refuse(ErrorCode::INVALID_REQUEST, "Neither topic name nor id were specified."),
            (None, id) if self.image.topic(id).is_some() => Ok(id),
            (None, _) => refuse(ErrorCode::UNKNOWN_TOPIC_ID, "This server does not host this topic ID."),
            (Some(name), Uuid::ZERO) => match self.image.topic_by_name(name) {
                Some(topic) => Ok(topic.id),
                None => refuse(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition."),
            },
            (Some(_), _) => refuse(ErrorCode::INVALID_REQUEST, "You may not specify both topic name and topic id."),
        }
    }

    /// What coordinators keep is not given up, nor divided anew: each group would look for its state where it is not.
    pub(super) fn check_not_internal(&self, id: TopicId) -> Result<TopicId, Refusal> {
        match self.image.topic(id).is_some_and(|topic| &*topic.name == OFFSETS_TOPIC) {
            true => refuse(ErrorCode::INVALID_REQUEST, format!("Topic {OFFSETS_TOPIC} is internal.")),
            false => Ok(id),
        }
    }

    fn delete(&mut self, id: TopicId) -> DeletableTopicResult {
        let name = self.image.topic(id).map(|topic| topic.name.to_string());
        assert!(name.is_some(), "callers name existing topics");
        self.write(RemoveTopicRecord { topic_id: id, ..RemoveTopicRecord::default() });
        DeletableTopicResult { name, topic_id: id, ..DeletableTopicResult::default() }
    }
}

/// Whether a topic may have this name.
///
/// # Errors
/// Why it may not.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        name if name.len() > NAME_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {NAME_MAX}")
        }
        name if !name.chars().all(is_legal) => {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {why}"))
}

/// -1 stands for the default; what is not positive cannot be had.
fn or_default(wanted: i32, default: i32) -> Option<usize> {
    let number = if wanted == -1 { default } else { wanted };
    usize::try_from(number).ok().filter(|number| *number > 0)
}

fn success(id: TopicId, plan: &Plan) -> CreatableTopicResult {
    let config = |property: Property| CreatableTopicConfigs {
        name: property.name.to_owned(),
        value: plan.config.value(property.name).map(str::to_owned),
        config_source: if plan.config.is_set(property.name) { DYNAMIC_TOPIC_CONFIG } else { DEFAULT_CONFIG },
        ..CreatableTopicConfigs::default()
    };
    let replicas = plan.partitions.first().map_or(0, |partition| partition.replicas.len());
    CreatableTopicResult {
        name: plan.name.clone(),
        topic_id: id,
        error_message: None,
        num_partitions: i32::try_from(plan.partitions.len()).expect("at most PARTITIONS_MAX"),
        replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
        configs: Some(TopicConfig::properties().map(config).collect()),
        ..CreatableTopicResult::default()
    }
}

fn failure(name: &str, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.to_owned(),
        error_code: refusal.error.code(),
        error_message: Some(refusal.message),
        configs: None,
        ..CreatableTopicResult::default()
    }
}

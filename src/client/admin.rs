//! The admin client: creates, deletes and describes topics, deletes records, asks for elections. Any broker will do, for brokers forward
//! to the controller themselves; only records are deleted by the leader of their partition.
//!
//! A request whose answer was lost may have been carried out, so its repetition can meet its own effect:
//!
//! ```text
//!   create ──▶ answer lost ──▶ create again ──▶ TOPIC_ALREADY_EXISTS ──▶ describe ──▶ as many partitions? then it is ours
//!   delete ──▶ answer lost ──▶ delete again ──▶ UNKNOWN_TOPIC_OR_PARTITION ──▶ it was deleted
//! ```
//!
//! Records deleted twice are deleted once, and an election that was lost shows as one that is not needed.
//!
//! Without such a doubt the same errors are simply failures. Retriable errors are retried until `default.api.timeout.ms`.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use super::cluster::Cluster;
use super::config::AdminConfig;
use super::connections::Reply;
use crate::actor::{Actor, Event, Now, Outbox};
use crate::digest::Digest;
use crate::disk::Disk;
use crate::operation::{Certainty, Command, Completion, Election, Operation, OperationId, Outcome, PartitionDescription};
use crate::types::{LeaderEpoch, Offset, Time, TopicPartition};
use crate::wire::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use crate::wire::delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use crate::wire::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use crate::wire::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use crate::wire::elect_leaders_response::ElectLeadersResponse;
use crate::wire::metadata_request::{MetadataRequest, MetadataRequestTopic};
use crate::wire::metadata_response::{MetadataResponse, MetadataResponsePartition, MetadataResponseTopic};
use crate::wire::{ApiKey, ErrorCode, Request, Response};

/// Administers topics.
#[derive(Hash, Debug)]
pub struct AdminActor {
    config: AdminConfig,
    cluster: Cluster<OperationId>,
    tasks: Vec<Task>,
    wake: Option<Time>,
}

/// One command on its way.
#[derive(Hash, Debug)]
struct Task {
    operation: OperationId,
    topic: Arc<str>,
    work: Work,
    expires: Time,
    asked: bool,
    retry_at: Time,
    failures: u32,
    /// An attempt may have had its effect.
    in_doubt: bool,
    /// What a broker answered last.
    error: ErrorCode,
}

#[derive(Clone, Hash, Debug)]
enum Work {
    Create(Blueprint),
    /// The topic exists already: is it the one that an attempt in doubt was to create?
    Recognise(Blueprint),
    Delete,
    Describe,
    DeleteRecords {
        partition: i32,
        before: Offset,
    },
    Elect {
        election: Election,
        partitions: Option<Vec<TopicPartition>>,
    },
}

#[derive(Clone, Hash, Debug)]
struct Blueprint {
    partitions: i32,
    replicas: i16,
    config: BTreeMap<String, String>,
}

/// What an answer means for a task.
enum Step {
    Done(Outcome),
    Failed(ErrorCode),
    Retry(ErrorCode),
    Recognise(Blueprint),
}

impl AdminActor {
    /// An admin client without any task.
    #[must_use]
    pub fn new(config: AdminConfig) -> AdminActor {
        AdminActor { cluster: Cluster::new(&config.common), config, tasks: Vec::new(), wake: None }
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    fn on_command(&mut self, now: Time, command: Command, out: &mut Outbox) {
        let (topic, work) = match command.operation {
            Operation::CreateTopic { name, partitions, replicas, config } => {
                (name, Work::Create(Blueprint { partitions, replicas, config }))
            }
            Operation::DeleteTopic { name } => (name, Work::Delete),
            Operation::DescribeTopic { name } => (name, Work::Describe),
            Operation::DeleteRecords { partition: TopicPartition { topic, index }, before } => {
                self.cluster.follow(&topic);
                (topic, Work::DeleteRecords { partition: index, before })
            }
            Operation::ElectLeaders { election, partitions } => (Arc::from(""), Work::Elect { election, partitions }),
            _ => {
                let outcome = Outcome::Failed { code: ErrorCode::INVALID_REQUEST.code(), certainty: Certainty::Definite };
                return out.complete(Completion { id: command.id, outcome });
            }
        };
        self.tasks.push(Task {
            operation: command.id,
            topic,
            work,
            expires: now.plus(self.config.common.api_timeout),
            asked: false,
            retry_at: Time::ZERO,
            failures: 0,
            in_doubt: false,
            error: ErrorCode::NONE,
        });
    }

    fn on_reply(&mut self, now: Time, reply: Reply<OperationId>, out: &mut Outbox) {
        let Some(at) = self.tasks.iter().position(|task| task.operation == reply.context) else { return };
        let task = &mut self.tasks[at];
        task.asked = false;
        let step = match &reply.response {
            Some(response) => task.judge(response),
            None => {
                task.in_doubt |= task.may_change();
                Step::Retry(task.error)
            }
        };
        match step {
            Step::Done(outcome) => {
                out.complete(Completion { id: task.operation, outcome });
                self.tasks.remove(at);
                self.forget_topics();
            }
            Step::Failed(error) => {
                task.error = error;
                out.complete(task.failure());
                self.tasks.remove(at);
                self.forget_topics();
            }
            Step::Retry(error) => {
                if task.partition().is_some() {
                    self.cluster.refresh();
                }
                task.error = error;
                task.failures = task.failures.saturating_add(1);
                task.retry_at = now.plus(self.config.common.retry_backoff.after(task.failures));
            }
            Step::Recognise(blueprint) => task.work = Work::Recognise(blueprint),
        }
    }

    fn drive(&mut self, now: Time, out: &mut Outbox) {
        for task in self.tasks.iter_mut().filter(|task| task.expires <= now) {
            task.in_doubt |= task.asked && task.may_change();
            out.complete(task.failure());
        }
        self.tasks.retain(|task| task.expires > now);
        self.forget_topics();
        for task in self.tasks.iter_mut().filter(|task| !task.asked && task.retry_at <= now) {
            let contact = match task.partition() {
                Some(index) => {
                    let leader = self.cluster.leader(&task.topic, index);
                    leader.and_then(|leader| self.cluster.version(leader.broker, task.api(), now, out))
                }
                None => self.cluster.any(task.api(), now, out),
            };
            let Some(contact) = contact else { continue };
            let left = task.expires.since(now).min(self.config.common.request_timeout);
            let timeout_ms = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
            let sent = contact.version.is_some_and(|version| {
                let request = task.request(version, timeout_ms);
                self.cluster.send(&contact.address, version, request, Some(task.operation), now, out).is_ok()
            });
            task.asked = sent;
            if !sent {
                task.error = ErrorCode::UNSUPPORTED_VERSION;
                task.failures = task.failures.saturating_add(1);
                task.retry_at = now.plus(self.config.common.retry_backoff.after(task.failures));
            }
        }
    }

    /// Leaders are only of interest while records are to be deleted.
    fn forget_topics(&mut self) {
        let needed = |topic: &str| self.tasks.iter().any(|task| task.partition().is_some() && *task.topic == *topic);
        let idle: Vec<Arc<str>> = self.cluster.followed().filter(|topic| !needed(topic)).cloned().collect();
        idle.iter().for_each(|topic| self.cluster.unfollow(topic));
    }

    fn next_wake(&self, now: Time) -> Option<Time> {
        let waiting = self.tasks.iter().filter(|task| !task.asked).map(|task| task.retry_at);
        let own = self.tasks.iter().map(|task| task.expires).chain(waiting).filter(|at| *at > now).min();
        [own, self.cluster.deadline(now)].into_iter().flatten().min()
    }
}

impl Actor for AdminActor {
    fn step(&mut self, now: Now, event: Event, _disk: &mut dyn Disk, out: &mut Outbox) {
        for reply in self.cluster.on_event(now.mono, &event, out) {
            self.on_reply(now.mono, reply, out);
        }
        if let Event::Command(command) = event {
            self.on_command(now.mono, command, out);
        }
        self.drive(now.mono, out);
        self.cluster.drive(now.mono, out);
        self.wake = self.next_wake(now.mono);
    }

    fn deadline(&self) -> Option<Time> {
        self.wake
    }

    fn digest(&self, hash: &mut Digest) {
        self.hash(hash);
    }
}

impl Task {
    fn api(&self) -> ApiKey {
        match self.work {
            Work::Create(_) => ApiKey::CreateTopics,
            Work::Delete => ApiKey::DeleteTopics,
            Work::Recognise(_) | Work::Describe => ApiKey::Metadata,
            Work::DeleteRecords { .. } => ApiKey::DeleteRecords,
            Work::Elect { .. } => ApiKey::ElectLeaders,
        }
    }

    /// The partition whose leader must be asked; `None` if any broker will do.
    fn partition(&self) -> Option<i32> {
        match self.work {
            Work::DeleteRecords { partition, .. } => Some(partition),
            Work::Create(_) | Work::Recognise(_) | Work::Delete | Work::Describe | Work::Elect { .. } => None,
        }
    }

    /// Whether the request now due may change the cluster.
    fn may_change(&self) -> bool {
        matches!(self.work, Work::Create(_) | Work::Delete | Work::DeleteRecords { .. } | Work::Elect { .. })
    }

    fn failure(&self) -> Completion {
        let certainty = if self.in_doubt { Certainty::Indefinite } else { Certainty::Definite };
        Completion { id: self.operation, outcome: Outcome::Failed { code: self.error.code(), certainty } }
    }

    fn request(&self, version: i16, timeout_ms: i32) -> Request {
        match &self.work {
            Work::Create(blueprint) => Request::CreateTopics(CreateTopicsRequest {
                topics: vec![blueprint.topic(&self.topic)],
                timeout_ms,
                ..CreateTopicsRequest::default()
            }),
            Work::Delete => {
                let name = self.topic.to_string();
                let mut request = DeleteTopicsRequest { timeout_ms, ..DeleteTopicsRequest::default() };
                match version >= 6 {
                    true => request.topics.push(DeleteTopicState { name: Some(name), ..DeleteTopicState::default() }),
                    false => request.topic_names.push(name),
                }
                Request::DeleteTopics(request)
            }
            Work::DeleteRecords { partition, before } => {
                Request::DeleteRecords(delete_records(&self.topic, *partition, *before, timeout_ms))
            }
            Work::Elect { election, partitions } => Request::ElectLeaders(ElectLeadersRequest {
                election_type: i8::from(*election == Election::Unclean),
                topic_partitions: partitions.as_ref().map(|partitions| partitions.iter().map(elect).collect()),
                timeout_ms,
                ..ElectLeadersRequest::default()
            }),
            Work::Recognise(_) | Work::Describe => {
                let topic = MetadataRequestTopic { name: Some(self.topic.to_string()), ..MetadataRequestTopic::default() };
                Request::Metadata(MetadataRequest {
                    topics: Some(vec![topic]),
                    // Before version 4 there is no choice.
                    allow_auto_topic_creation: version < 4,
                    ..MetadataRequest::default()
                })
            }
        }
    }

    fn judge(&mut self, response: &Response) -> Step {
        match (&self.work, response) {
            (Work::Create(blueprint), Response::CreateTopics(response)) => {
                let found = response.topics.iter().find(|topic| *topic.name == *self.topic);
                let Some(found) = found else { return self.unmentioned() };
                match ErrorCode(found.error_code) {
                    ErrorCode::NONE => Step::Done(Outcome::TopicCreated { topic: found.topic_id }),
                    ErrorCode::TOPIC_ALREADY_EXISTS if self.in_doubt => Step::Recognise(blueprint.clone()),
                    error => self.judge_error(error),
                }
            }
            (Work::Delete, Response::DeleteTopics(response)) => {
                let found = response.responses.iter().find(|topic| topic.name.as_deref() == Some(&*self.topic));
                let Some(found) = found else { return self.unmentioned() };
                match ErrorCode(found.error_code) {
                    ErrorCode::NONE => Step::Done(Outcome::TopicDeleted),
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION if self.in_doubt => Step::Done(Outcome::TopicDeleted),
                    error @ ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Step::Failed(error),
                    error => self.judge_error(error),
                }
            }
            (Work::DeleteRecords { partition, .. }, Response::DeleteRecords(response)) => {
                let topics = response.topics.iter().filter(|topic| *topic.name == *self.topic);
                let found = topics.flat_map(|topic| &topic.partitions).find(|found| found.partition_index == *partition);
                let Some(found) = found else { return self.unmentioned() };
                match ErrorCode(found.error_code) {
                    ErrorCode::NONE => Step::Done(Outcome::RecordsDeleted { low_watermark: Offset(found.low_watermark) }),
                    error => self.judge_error(error),
                }
            }
            (Work::Elect { .. }, Response::ElectLeaders(response)) => match ErrorCode(response.error_code) {
                ErrorCode::NONE => Step::Done(elected(response)),
                error => self.judge_error(error),
            },
            (Work::Describe, Response::Metadata(response)) => match self.find(response) {
                Some(topic) if topic.error_code == 0 => Step::Done(describe(topic)),
                Some(topic) if ErrorCode(topic.error_code) == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                    Step::Failed(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                }
                Some(topic) => self.judge_error(ErrorCode(topic.error_code)),
                None => self.unmentioned(),
            },
            (Work::Recognise(blueprint), Response::Metadata(response)) => match self.find(response) {
                Some(topic) if topic.error_code == 0 && blueprint.matches(topic) => {
                    Step::Done(Outcome::TopicCreated { topic: topic.topic_id })
                }
                Some(topic) if topic.error_code == 0 => Step::Failed(ErrorCode::TOPIC_ALREADY_EXISTS),
                // This broker may not have heard of it so far.
                Some(_) | None => Step::Retry(ErrorCode::TOPIC_ALREADY_EXISTS),
            },
            (
                Work::Create(_)
                | Work::Delete
                | Work::Describe
                | Work::Recognise(_)
                | Work::DeleteRecords { .. }
                | Work::Elect { .. },
                _,
            ) => self.unmentioned(),
        }
    }

    fn find<'r>(&self, response: &'r MetadataResponse) -> Option<&'r MetadataResponseTopic> {
        response.topics.iter().find(|topic| topic.name.as_deref() == Some(&*self.topic))
    }

    /// A broker that does not mention the topic has said nothing about it.
    fn unmentioned(&mut self) -> Step {
        self.in_doubt |= self.may_change();
        Step::Retry(ErrorCode::UNKNOWN_SERVER_ERROR)
    }

    fn judge_error(&mut self, error: ErrorCode) -> Step {
        let doubtful = matches!(
            error,
            ErrorCode::REQUEST_TIMED_OUT
                | ErrorCode::UNKNOWN_SERVER_ERROR
                | ErrorCode::NETWORK_EXCEPTION
                | ErrorCode::NOT_CONTROLLER
        );
        self.in_doubt |= doubtful && self.may_change();
        if error.is_retriable() { Step::Retry(error) } else { Step::Failed(error) }
    }
}

impl Blueprint {
    fn topic(&self, name: &str) -> CreatableTopic {
        let config = |(name, value): (&String, &String)| CreatableTopicConfig {
            name: name.clone(),
            value: Some(value.clone()),
            ..CreatableTopicConfig::default()
        };
        CreatableTopic {
            name: name.to_owned(),
            num_partitions: self.partitions,
            replication_factor: self.replicas,
            configs: self.config.iter().map(config).collect(),
            ..CreatableTopic::default()
        }
    }

    /// A negative count leaves the number to the broker, so any will do.
    fn matches(&self, topic: &MetadataResponseTopic) -> bool {
        let partitions = self.partitions < 0 || usize::try_from(self.partitions) == Ok(topic.partitions.len());
        let replicas =
            |partition: &MetadataResponsePartition| usize::try_from(self.replicas) == Ok(partition.replica_nodes.len());
        partitions && (self.replicas < 0 || topic.partitions.iter().all(replicas))
    }
}

fn delete_records(topic: &str, partition_index: i32, before: Offset, timeout_ms: i32) -> DeleteRecordsRequest {
    let partition = DeleteRecordsPartition { partition_index, offset: before.0, ..DeleteRecordsPartition::default() };
    let (name, partitions) = (topic.to_owned(), vec![partition]);
    let topics = vec![DeleteRecordsTopic { name, partitions, ..DeleteRecordsTopic::default() }];
    DeleteRecordsRequest { topics, timeout_ms, ..DeleteRecordsRequest::default() }
}

fn elect(partition: &TopicPartition) -> TopicPartitions {
    let (topic, partitions) = (partition.topic.to_string(), vec![partition.index]);
    TopicPartitions { topic, partitions, ..TopicPartitions::default() }
}

fn elected(response: &ElectLeadersResponse) -> Outcome {
    let mut partitions = Vec::new();
    for result in &response.replica_election_results {
        let topic: Arc<str> = Arc::from(result.topic.as_str());
        let told = result.partition_result.iter();
        partitions.extend(told.map(|p| (TopicPartition { topic: topic.clone(), index: p.partition_id }, p.error_code)));
    }
    Outcome::LeadersElected { partitions }
}

fn describe(topic: &MetadataResponseTopic) -> Outcome {
    let describe = |partition: &MetadataResponsePartition| PartitionDescription {
        index: partition.partition_index,
        leader: partition.leader_id,
        leader_epoch: LeaderEpoch(partition.leader_epoch),
        replicas: partition.replica_nodes.clone(),
        isr: partition.isr_nodes.clone(),
    };
    let mut partitions: Vec<PartitionDescription> = topic.partitions.iter().map(describe).collect();
    partitions.sort_by_key(|partition| partition.index);
    Outcome::TopicDescribed { topic: topic.topic_id, partitions }
}

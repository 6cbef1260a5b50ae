//! What tools ask of the cluster: its brokers, its partitions page by page, the sizes of logs.
//!
//! DescribeCluster and DescribeTopicPartitions tell the image as it stands here. DescribeLogDirs tells of this broker's own logs.
//!
//! A page of partitions (KIP-966) goes through the topics in order of names, whatever the order in the request, so that a cursor says
//! where to go on; it holds no more partitions than asked for, nor more than a broker gives at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::controller::partition::numbers;
use crate::controller::{Broker, Partition, Topic};
use crate::replica::Replica;
use crate::types::{BrokerId, OFFSETS_TOPIC};
use crate::wire::alter_replica_log_dirs_response::{AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult};
use crate::wire::describe_cluster_response::DescribeClusterBroker;
use crate::wire::describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic};
use crate::wire::describe_topic_partitions_request::Cursor;
use crate::wire::describe_topic_partitions_response::{
    Cursor as NextCursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::wire::{
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, ErrorCode,
};

use super::BrokerActor;
use super::reply::{Caller, Step};
use super::topics::is_valid_name;

/// Most partitions on one page (`max.request.partition.size.limit`).
const PAGE_MAX: i32 = 2000;
/// `endpoint_type` of brokers.
const BROKERS: i8 = 1;

impl BrokerActor {
    /// Answers DescribeCluster.
    pub(super) fn on_describe_cluster(&mut self, caller: Caller, request: &DescribeClusterRequest, step: &mut Step<'_>) {
        if request.endpoint_type != BROKERS {
            let (error, why) = match request.endpoint_type {
                2 => (ErrorCode::MISMATCHED_ENDPOINT_TYPE, "The request was sent to an endpoint of the wrong type."),
                _ => (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, "This endpoint type is not supported yet."),
            };
            let error_message = Some(why.to_owned());
            let refused = DescribeClusterResponse { error_code: error.code(), error_message, ..Default::default() };
            return caller.answer(refused, step.out);
        }
        let is_listed = |broker: &&Broker| request.include_fenced_brokers || !broker.is_fenced;
        let brokers = self.view.image().brokers().filter(is_listed).map(|broker| DescribeClusterBroker {
            broker_id: broker.id.0,
            host: broker.address.host.to_string(),
            port: i32::from(broker.address.port),
            is_fenced: broker.is_fenced,
            ..DescribeClusterBroker::default()
        });
        let response = DescribeClusterResponse {
            cluster_id: self.config.cluster_id.clone(),
            controller_id: self.admin_broker().0,
            brokers: brokers.collect(),
            ..DescribeClusterResponse::default()
        };
        caller.answer(response, step.out);
    }

    /// Answers DescribeTopicPartitions.
    pub(super) fn on_describe_topic_partitions(
        &mut self,
        caller: Caller,
        request: &DescribeTopicPartitionsRequest,
        step: &mut Step<'_>,
    ) {
        let image = self.view.image();
        let from = request.cursor.as_ref();
        let is_due = |name: &&str| from.is_none_or(|cursor| *name >= cursor.topic_name.as_str());
        let names: BTreeSet<&str> = match request.topics.is_empty() {
            true => image.topics().map(|topic| &*topic.name).filter(is_due).collect(),
            false => request.topics.iter().map(|topic| topic.name.as_str()).filter(is_due).collect(),
        };
        let mut room = usize::try_from(request.response_partition_limit.clamp(1, PAGE_MAX)).expect("from 1 on");
        let mut response = DescribeTopicPartitionsResponse::default();
        for name in names {
            let Some(topic) = image.topic_by_name(name) else {
                response.topics.push(unknown(name));
                continue;
            };
            let first = from.filter(|cursor| cursor.topic_name == name).map_or(0, first_partition);
            let mut left = topic.partitions.range(first..);
            let page: Vec<_> = left.by_ref().take(room).map(|(index, state)| self.tell_partition(*index, state)).collect();
            room -= page.len();
            let next = left.next();
            if !page.is_empty() || next.is_none() {
                response.topics.push(told(topic, page));
            }
            if let Some((index, _)) = next {
                let (topic_name, partition_index) = (name.to_owned(), *index);
                response.next_cursor = Some(NextCursor { topic_name, partition_index, ..NextCursor::default() });
                break;
            }
        }
        caller.answer(response, step.out);
    }

    fn tell_partition(&self, index: i32, partition: &Partition) -> DescribeTopicPartitionsResponsePartition {
        let told = self.describe_partition(index, partition);
        DescribeTopicPartitionsResponsePartition {
            error_code: told.error_code,
            partition_index: index,
            leader_id: told.leader_id,
            leader_epoch: told.leader_epoch,
            replica_nodes: numbers(&partition.replicas),
            isr_nodes: numbers(&partition.isr),
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: told.offline_replicas,
            ..DescribeTopicPartitionsResponsePartition::default()
        }
    }

    /// Answers DescribeLogDirs.
    pub(super) fn on_describe_log_dirs(&mut self, caller: Caller, request: &DescribeLogDirsRequest, step: &mut Step<'_>) {
        let is_wanted = |replica: &&Replica| match &request.topics {
            None => true,
            Some(topics) => topics
                .iter()
                .any(|topic| topic.topic == *replica.name().topic && topic.partitions.contains(&replica.name().index)),
        };
        let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
        for replica in self.partitions.replicas().filter(is_wanted) {
            topics.entry(replica.name().topic.to_string()).or_default().push(log_size(replica));
        }
        let topics = topics.into_iter().map(|(name, mut partitions)| {
            partitions.sort_by_key(|partition| partition.partition_index);
            DescribeLogDirsTopic { name, partitions, ..DescribeLogDirsTopic::default() }
        });
        let log_dir = self.config.log_dir.clone();
        let directory = DescribeLogDirsResult { log_dir, topics: topics.collect(), ..DescribeLogDirsResult::default() };
        caller.answer(DescribeLogDirsResponse { results: vec![directory], ..DescribeLogDirsResponse::default() }, step.out);
    }

    /// Answers AlterReplicaLogDirs: there is one directory, and everything is in it already.
    pub(super) fn on_alter_replica_log_dirs(&mut self, caller: Caller, request: AlterReplicaLogDirsRequest, step: &mut Step<'_>) {
        let mut results = Vec::new();
        for directory in request.dirs {
            let is_known = directory.path == self.config.log_dir;
            for topic in directory.topics {
                let result = |index: i32| {
                    let error = match self.partition_named(&topic.name, index) {
                        _ if !is_known => ErrorCode::LOG_DIR_NOT_FOUND,
                        Ok(partition) if self.partitions.replica(partition).is_some() => ErrorCode::NONE,
                        Ok(_) => ErrorCode::REPLICA_NOT_AVAILABLE,
                        Err(error) => error,
                    };
                    AlterReplicaLogDirPartitionResult { partition_index: index, error_code: error.code(), ..Default::default() }
                };
                let partitions = topic.partitions.iter().map(|index| result(*index)).collect();
                results.push(AlterReplicaLogDirTopicResult { topic_name: topic.name, partitions, ..Default::default() });
            }
        }
        caller.answer(AlterReplicaLogDirsResponse { results, ..AlterReplicaLogDirsResponse::default() }, step.out);
    }

    /// The broker that is named as controller: admin requests can go to any.
    pub(super) fn admin_broker(&self) -> BrokerId {
        let image = self.view.image();
        let other = || image.brokers().find(|broker| !broker.is_fenced).map_or(BrokerId::NONE, |broker| broker.id);
        if image.broker(self.config.id).is_some_and(|own| !own.is_fenced) { self.config.id } else { other() }
    }
}

fn first_partition(cursor: &Cursor) -> i32 {
    cursor.partition_index
}

fn told(topic: &Topic, partitions: Vec<DescribeTopicPartitionsResponsePartition>) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: &*topic.name == OFFSETS_TOPIC,
        partitions,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let error = match is_valid_name(name) {
        true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        false => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    DescribeTopicPartitionsResponseTopic {
        error_code: error.code(),
        name: Some(name.to_owned()),
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn log_size(replica: &Replica) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: replica.name().index,
        partition_size: i64::try_from(replica.log().size_bytes()).unwrap_or(i64::MAX),
        offset_lag: replica.high_watermark().since(replica.log_end()).max(0),
        ..DescribeLogDirsPartition::default()
    }
}

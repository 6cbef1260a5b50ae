//! Metadata: what this broker tells clients about the cluster.
//!
//! The answer is the image as it stands, which may lag behind the controller; a client that is sent to a leader of yesterday gets an error
//! there and asks again. A partition whose leader is missing or fenced is listed with LEADER_NOT_AVAILABLE, so that clients wait for it.
//!
//! Asking for a topic that does not exist may create it, if both sides allow it. The client is told that it does not exist *yet*, which every
//! client answers by asking again; meanwhile the controller creates it.
//!
//! Clients need some broker to send admin requests to, under the name "controller". Every broker passes them on, so each names itself.

use crate::controller::partition::numbers;
use crate::controller::{Partition, Topic};
use crate::types::{BrokerId, OFFSETS_TOPIC};
use crate::wire::create_topics_request::CreatableTopic;
use crate::wire::metadata_request::MetadataRequestTopic;
use crate::wire::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use crate::wire::{ErrorCode, MetadataRequest, MetadataResponse};

use super::BrokerActor;
use super::config::BrokerConfig;
use super::find_coordinator::offsets_topic;
use super::reply::{Caller, Step};

/// Longest topic name: with a partition number it must fit into a file name.
const NAME_MAX: usize = 249;
/// First version in which a topic asked for by id needs no name.
const FIRST_WITH_NULL_NAME: i16 = 12;

impl BrokerActor {
    /// Answers Metadata.
    pub(super) fn on_metadata(&mut self, caller: Caller, request: MetadataRequest, step: &mut Step<'_>) {
        let may_create = self.config.auto_create_topics && request.allow_auto_topic_creation;
        // Version 0 has no null: there, no topic means all topics.
        let all = request.topics.as_ref().is_none_or(|topics| caller.version == 0 && topics.is_empty());
        let topics = match request.topics.filter(|_| !all) {
            Some(wanted) => {
                wanted.into_iter().map(|topic| self.describe_wanted(caller.version, topic, may_create, step)).collect()
            }
            None => self.view.image().topics().map(|topic| self.describe(topic)).collect(),
        };
        let response = MetadataResponse {
            brokers: self.live_brokers(),
            cluster_id: Some(self.config.cluster_id.clone()),
            controller_id: self.admin_broker().0,
            topics,
            ..MetadataResponse::default()
        };
        caller.answer(response, step.out);
    }

    fn live_brokers(&self) -> Vec<MetadataResponseBroker> {
        let live = self.view.image().brokers().filter(|broker| !broker.is_fenced);
        live.map(|broker| MetadataResponseBroker {
            node_id: broker.id.0,
            host: broker.address.host.to_string(),
            port: i32::from(broker.address.port),
            ..MetadataResponseBroker::default()
        })
        .collect()
    }

    fn describe_wanted(
        &mut self,
        version: i16,
        wanted: MetadataRequestTopic,
        may_create: bool,
        step: &mut Step<'_>,
    ) -> MetadataResponseTopic {
        let image = self.view.image();
        let (found, error) = match &wanted.name {
            Some(name) if !is_valid_name(name) => (None, ErrorCode::INVALID_TOPIC_EXCEPTION),
            Some(name) => (image.topic_by_name(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            None => (image.topic(wanted.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
        };
        if let Some(topic) = found {
            return self.describe(topic);
        }
        if let Some(name) = wanted.name.as_deref().filter(|_| may_create && error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) {
            let topic = topic_on_demand(name, &self.config);
            self.forwarding.create_topic(topic, step.now.mono.plus(self.config.request_timeout));
        }
        let name = if version < FIRST_WITH_NULL_NAME { Some(wanted.name.unwrap_or_default()) } else { wanted.name };
        MetadataResponseTopic { error_code: error.code(), name, topic_id: wanted.topic_id, ..MetadataResponseTopic::default() }
    }

    fn describe(&self, topic: &Topic) -> MetadataResponseTopic {
        let partition = |(index, partition): (&i32, &Partition)| self.describe_partition(*index, partition);
        MetadataResponseTopic {
            name: Some(topic.name.to_string()),
            topic_id: topic.id,
            is_internal: &*topic.name == OFFSETS_TOPIC,
            partitions: topic.partitions.iter().map(partition).collect(),
            ..MetadataResponseTopic::default()
        }
    }

    pub(super) fn describe_partition(&self, index: i32, partition: &Partition) -> MetadataResponsePartition {
        let is_live = |id: &BrokerId| self.view.image().broker(*id).is_some_and(|broker| !broker.is_fenced);
        let leader = partition.leader.filter(is_live);
        let error = if leader.is_some() { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE };
        MetadataResponsePartition {
            error_code: error.code(),
            partition_index: index,
            leader_id: leader.unwrap_or(BrokerId::NONE).0,
            leader_epoch: partition.leader_epoch.0,
            replica_nodes: numbers(&partition.replicas),
            isr_nodes: numbers(&partition.isr),
            offline_replicas: partition.replicas.iter().filter(|id| !is_live(id)).map(|id| id.0).collect(),
            ..MetadataResponsePartition::default()
        }
    }
}

/// A topic as it is created when somebody asks for it.
fn topic_on_demand(name: &str, config: &BrokerConfig) -> CreatableTopic {
    if name == OFFSETS_TOPIC {
        return offsets_topic(config);
    }
    CreatableTopic {
        name: name.to_owned(),
        num_partitions: config.num_partitions,
        replication_factor: config.default_replication_factor,
        ..CreatableTopic::default()
    }
}

/// Whether a topic may be called so: it becomes the name of a directory.
pub(super) fn is_valid_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= NAME_MAX && name != "." && name != ".." && name.bytes().all(is_legal)
}

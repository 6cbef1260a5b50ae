//! FindCoordinator: the leader of the partition to which a group's name hashes.
//!
//! The first who asks makes the broker have `__consumer_offsets` created. Until it is there, and while the partition has no leader that lives,
//! the answer is COORDINATOR_NOT_AVAILABLE, and clients ask again. There are no transactions here; who asks for a coordinator of one is told
//! so at once, instead of trying for ever.

use crate::group::OFFSETS_TOPIC;
use crate::types::Address;
use crate::wire::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use crate::wire::find_coordinator_response::Coordinator;
use crate::wire::{ErrorCode, FindCoordinatorRequest, FindCoordinatorResponse};

use super::BrokerActor;
use super::config::BrokerConfig;
use super::reply::{Caller, Step};

/// First version that asks for many at once.
const FIRST_BATCHED: i16 = 4;
/// `key_type` of groups.
const GROUP: i8 = 0;
/// `key_type` of transactions.
const TRANSACTION: i8 = 1;

impl BrokerActor {
    /// Answers FindCoordinator.
    pub(super) fn on_find_coordinator(&mut self, caller: Caller, request: &FindCoordinatorRequest, step: &mut Step<'_>) {
        if caller.version >= FIRST_BATCHED {
            let keys = request.coordinator_keys.iter();
            let coordinators = keys.map(|key| told(key, self.find_coordinator(request.key_type, key, step))).collect();
            return caller.answer(FindCoordinatorResponse { coordinators, ..Default::default() }, step.out);
        }
        let alone = told(&request.key, self.find_coordinator(request.key_type, &request.key, step));
        let response = FindCoordinatorResponse {
            error_code: alone.error_code,
            error_message: alone.error_message,
            node_id: alone.node_id,
            host: alone.host,
            port: alone.port,
            ..FindCoordinatorResponse::default()
        };
        caller.answer(response, step.out);
    }

    fn find_coordinator(&mut self, key_type: i8, key: &str, step: &mut Step<'_>) -> Result<(i32, Address), ErrorCode> {
        match key_type {
            GROUP => {}
            TRANSACTION => return Err(ErrorCode::UNSUPPORTED_VERSION),
            _ => return Err(ErrorCode::INVALID_REQUEST),
        }
        let Some(partition) = self.partition_of_group(key) else {
            let give_up_at = step.now.mono.plus(self.config.request_timeout);
            self.forwarding.create_topic(offsets_topic(&self.config), give_up_at);
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        };
        let leader = self.view.leader_of(partition).filter(|(leader, _)| !leader.is_fenced);
        leader.map(|(leader, _)| (leader.id.0, leader.address.clone())).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
    }
}

fn told(key: &str, found: Result<(i32, Address), ErrorCode>) -> Coordinator {
    let told = Coordinator { key: key.to_owned(), error_message: None, ..Coordinator::default() };
    match found {
        Ok((node_id, address)) => Coordinator { node_id, host: address.host.to_string(), port: i32::from(address.port), ..told },
        Err(error) => Coordinator { node_id: -1, port: -1, error_code: error.code(), ..told },
    }
}

/// The topic of the coordinators' state, as it is created.
pub(super) fn offsets_topic(config: &BrokerConfig) -> CreatableTopic {
    let segment_bytes = config.offsets_topic_segment_bytes.to_string();
    let entries = [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", segment_bytes.as_str())];
    let entry = |(name, value): (&str, &str)| CreatableTopicConfig {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..CreatableTopicConfig::default()
    };
    CreatableTopic {
        name: OFFSETS_TOPIC.to_owned(),
        num_partitions: config.offsets_topic_partitions,
        replication_factor: config.offsets_topic_replication_factor,
        configs: entries.map(entry).to_vec(),
        ..CreatableTopic::default()
    }
}

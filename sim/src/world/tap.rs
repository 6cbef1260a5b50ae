//! Taps: what frames promise and show, decoded from their bytes as the world carries them.
//!
//! Acknowledgements and exposures are the contract between brokers and clients, so they are not taken from what a broker says about
//! itself. Only brokers are tapped. A response is tapped when it leaves the process, a follower's fetch when it is delivered. Names of
//! topics are turned into ids by the [directory](super::directory); what it does not know is not tapped.

use brokerlab::types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionId, Timestamp, TopicId, Uuid};
use brokerlab::wire::{
    ApiKey, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, ProduceRequest, ProduceResponse,
};
use brokerlab::wire::{Request as Ask, Response as Answer, decode_request, decode_response};
use brokerlab_reports::event::{EventId, NodeId, Tap, What};
use bytes::Bytes;

use super::batches::{read_batch, read_batches};
use super::cast::Role;
use super::process::{FrameHeader, Request};
use super::state::World;

impl World {
    /// A request is delivered. For a consumer's fetch, says its isolation level.
    pub fn tap_request(&mut self, node: u16, header: FrameHeader, frame: &Bytes, delivered: EventId) -> Option<i8> {
        if !self.is_tapped(node) || header.api_key != ApiKey::Fetch.code() {
            return None;
        }
        let Ok((_, Ask::Fetch(fetch))) = decode_request(frame) else { return None };
        let follower = fetch.replica_state.replica_id.max(fetch.replica_id);
        if follower < 0 {
            return Some(fetch.isolation_level);
        }
        self.tap_follower(node, &fetch, BrokerId(follower), delivered);
        None
    }

    /// A response leaves the process.
    pub fn tap_response(&mut self, node: u16, peer: u16, request: &Request, frame: &Bytes, cause: EventId) {
        if !self.is_tapped(node) {
            return;
        }
        let Some(api) = ApiKey::from_code(request.header.api_key) else { return };
        let is_consumer = request.isolation.is_some();
        if !(matches!(api, ApiKey::Produce | ApiKey::ListOffsets) || (api == ApiKey::Fetch && is_consumer)) {
            return;
        }
        let Ok((_, answer)) = decode_response(api, request.header.api_version, frame) else { return };
        let ask = if api == ApiKey::Fetch { None } else { decode_request(&request.frame).ok().map(|(_, ask)| ask) };
        let scene = Scene { node, peer, cause, request: request.event };
        #[allow(clippy::wildcard_enum_match_arm)]
        match (ask, answer) {
            (Some(Ask::Produce(ask)), Answer::Produce(answer)) => self.tap_produce(scene, &ask, &answer),
            (Some(Ask::ListOffsets(ask)), Answer::ListOffsets(answer)) => self.tap_offsets(scene, &ask, &answer),
            (None, Answer::Fetch(answer)) => self.tap_exposure(scene, request.isolation.unwrap_or(0), &answer),
            // Bytes of a foreign actor that only look like one of these.
            _ => {}
        }
    }

    fn is_tapped(&self, node: u16) -> bool {
        matches!(self.member(node).role, Role::Broker(_))
    }

    fn tap_follower(&mut self, node: u16, fetch: &FetchRequest, follower: BrokerId, delivered: EventId) {
        let broker_epoch = BrokerEpoch(fetch.replica_state.replica_epoch);
        for topic in &fetch.topics {
            let Some(id) = self.topic_of(&topic.topic, topic.topic_id) else { continue };
            for asked in &topic.partitions {
                let tap = Tap::FollowerFetch {
                    partition: PartitionId { topic: id, index: asked.partition },
                    follower,
                    broker_epoch,
                    fetch_offset: Offset(asked.fetch_offset),
                    leader_epoch: LeaderEpoch(asked.current_leader_epoch),
                    last_fetched_epoch: LeaderEpoch(asked.last_fetched_epoch),
                };
                self.note(Some(node), delivered, EventId::NONE, What::Tap(tap));
            }
        }
    }

    fn tap_produce(&mut self, scene: Scene, ask: &ProduceRequest, answer: &ProduceResponse) {
        for topic in &answer.responses {
            let Some(id) = self.topic_of(&topic.name, topic.topic_id) else { continue };
            let Some(asked) = ask.topic_data.iter().find(|asked| asked.name == topic.name && asked.topic_id == topic.topic_id)
            else {
                continue;
            };
            for part in &topic.partition_responses {
                let sent = asked.partition_data.iter().find(|sent| sent.index == part.index);
                let Some((batch, _)) = sent.and_then(|sent| read_batch(sent.records.as_ref()?)) else { continue };
                self.note_tap(
                    scene,
                    Tap::ProduceAnswered {
                        partition: PartitionId { topic: id, index: part.index },
                        acks: ask.acks,
                        error: part.error_code,
                        base_offset: Offset(part.base_offset),
                        batch,
                        producer: NodeId(scene.peer),
                        request: scene.request,
                    },
                );
            }
        }
    }

    fn tap_exposure(&mut self, scene: Scene, isolation: i8, answer: &FetchResponse) {
        for topic in &answer.responses {
            let Some(id) = self.topic_of(&topic.topic, topic.topic_id) else { continue };
            for part in &topic.partitions {
                let batches = part.records.as_ref().map_or_else(Vec::new, |records| read_batches(records).0);
                self.note_tap(
                    scene,
                    Tap::Exposed {
                        partition: PartitionId { topic: id, index: part.partition_index },
                        error: part.error_code,
                        high_watermark: Offset(part.high_watermark),
                        last_stable: Offset(part.last_stable_offset),
                        isolation,
                        batches,
                        consumer: NodeId(scene.peer),
                    },
                );
            }
        }
    }

    fn tap_offsets(&mut self, scene: Scene, ask: &ListOffsetsRequest, answer: &ListOffsetsResponse) {
        for topic in &answer.topics {
            let Some(id) = self.topic_of(&topic.name, Uuid::ZERO) else { continue };
            let Some(asked) = ask.topics.iter().find(|asked| asked.name == topic.name) else { continue };
            for part in &topic.partitions {
                let wanted = asked.partitions.iter().find(|wanted| wanted.partition_index == part.partition_index);
                let Some(wanted) = wanted else { continue };
                self.note_tap(
                    scene,
                    Tap::OffsetListed {
                        partition: PartitionId { topic: id, index: part.partition_index },
                        timestamp: Timestamp(wanted.timestamp),
                        error: part.error_code,
                        offset: Offset(part.offset),
                        asker: NodeId(scene.peer),
                    },
                );
            }
        }
    }

    fn note_tap(&mut self, scene: Scene, tap: Tap) {
        self.note(Some(scene.node), scene.cause, EventId::NONE, What::Tap(tap));
    }

    fn topic_of(&self, name: &str, id: Uuid) -> Option<TopicId> {
        if id == Uuid::ZERO { self.directory.topic(name) } else { Some(id) }
    }
}

/// Between whom an answer goes.
#[derive(Clone, Copy)]
struct Scene {
    node: u16,
    peer: u16,
    cause: EventId,
    request: EventId,
}

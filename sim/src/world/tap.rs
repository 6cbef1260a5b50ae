//! Taps: what frames promise and show, decoded from their bytes as the world carries them.
//!
//! Acknowledgements and exposures are the contract between brokers and clients, so they are not taken from what a broker says about
//! itself. Only brokers are tapped, and the controller where it grants changes of an ISR. A response is tapped when it leaves the process, a follower's fetch when it is delivered. Names of
//! topics are turned into ids by the [directory](super::directory); what it does not know is not tapped.

use brokerlab::types::{
    BrokerEpoch, BrokerId, Duration, LeaderEpoch, Offset, PartitionEpoch, PartitionId, ProducerEpoch, ProducerId, Timestamp,
    TopicId, Uuid,
};
use brokerlab::wire::{
    AlterPartitionRequest, AlterPartitionResponse, ApiKey, BrokerHeartbeatRequest, FetchRequest, FetchResponse,
    ListOffsetsRequest, ListOffsetsResponse, ProduceRequest, ProduceResponse,
};
use brokerlab::wire::{Request as Ask, Response as Answer, decode_request, decode_response};
use brokerlab_reports::event::{EventId, NodeId, Tap, What};
use bytes::Bytes;

use super::batches::{read_batch, read_batches};
use super::cast::Role;
use super::process::{FrameHeader, Request};
use super::state::{World, number};
use super::tap_groups;

impl World {
    /// A request is delivered. For a consumer's fetch, says its isolation level; for any fetch, how long it may wait.
    pub fn tap_request(&mut self, node: u16, header: FrameHeader, frame: &Bytes, delivered: EventId) -> (Option<i8>, Duration) {
        if !self.is_tapped(node) || header.api_key != ApiKey::Fetch.code() {
            return (None, Duration::ZERO);
        }
        let Ok((_, Ask::Fetch(fetch))) = decode_request(frame) else { return (None, Duration::ZERO) };
        let allowed = Duration::from_millis_field(i64::from(fetch.max_wait_ms));
        let follower = fetch.replica_state.replica_id.max(fetch.replica_id);
        if follower < 0 {
            return (Some(fetch.isolation_level), allowed);
        }
        self.tap_follower(node, &fetch, BrokerId(follower), delivered);
        (None, allowed)
    }

    /// Requests that nobody has answered when the run is over, of those that have had time enough.
    pub fn tap_unanswered(&mut self) {
        for node in 0..number(self.nodes.len()) {
            if !matches!(self.member(node).role, Role::Broker(_) | Role::Controller(_)) {
                continue;
            }
            let Some(process) = &self.nodes[usize::from(node)].process else { continue };
            let unanswered: Vec<Request> = process.unanswered().cloned().collect();
            for request in unanswered {
                let allowed = allowed(&request);
                if self.now.since(request.at).0 >= allowed.0.max(UNANSWERED_MIN.0) {
                    self.note_wait(node, &request, allowed, EventId::NONE, false);
                }
            }
        }
    }

    fn note_wait(&mut self, node: u16, request: &Request, allowed: Duration, cause: EventId, answered: bool) {
        let waited = self.now.since(request.at);
        let tap = Tap::Waited { request: request.event, waited, allowed, answered };
        self.note(Some(node), cause, EventId::NONE, What::Tap(tap));
    }

    /// A response leaves the process.
    pub fn tap_response(&mut self, node: u16, peer: u16, request: &Request, frame: &Bytes, cause: EventId) {
        let Some(api) = ApiKey::from_code(request.header.api_key) else { return };
        if !self.is_tapped(node) && ![ApiKey::AlterPartition, ApiKey::BrokerHeartbeat].contains(&api) {
            return;
        }
        if request.allowed > Duration::ZERO && self.now.since(request.at) >= request.allowed {
            self.note_wait(node, request, request.allowed, cause, true);
        }
        let is_consumer = request.isolation.is_some();
        let is_promise = matches!(
            api,
            ApiKey::Produce | ApiKey::ListOffsets | ApiKey::InitProducerId | ApiKey::AlterPartition | ApiKey::BrokerHeartbeat
        );
        if !(is_promise || tap_groups::is_about_groups(api) || (api == ApiKey::Fetch && is_consumer)) {
            return;
        }
        let Ok((_, answer)) = decode_response(api, request.header.api_version, frame) else { return };
        let ask = if api == ApiKey::Fetch { None } else { decode_request(&request.frame).ok().map(|(_, ask)| ask) };
        let scene = Scene { node, peer, cause, request: request.event };
        #[allow(clippy::wildcard_enum_match_arm)]
        match (ask, answer) {
            (Some(Ask::Produce(ask)), Answer::Produce(answer)) => {
                let allowed = produce_allowed(&ask);
                if allowed > Duration::ZERO && self.now.since(request.at) >= allowed {
                    self.note_wait(node, request, allowed, cause, true);
                }
                self.tap_produce(scene, &ask, &answer);
            }
            (Some(_), Answer::InitProducerId(answer)) if answer.error_code == 0 => {
                let (id, epoch) = (ProducerId(answer.producer_id), ProducerEpoch(answer.producer_epoch));
                self.note_tap(scene, Tap::ProducerIdGiven { id, epoch, producer: NodeId(peer) });
            }
            (Some(Ask::AlterPartition(ask)), Answer::AlterPartition(answer)) => self.tap_isr_change(scene, &ask, &answer),
            (Some(Ask::BrokerHeartbeat(ask)), Answer::BrokerHeartbeat(answer)) => {
                self.tap_heartbeat(scene, &ask, answer.error_code);
            }
            (Some(Ask::ListOffsets(ask)), Answer::ListOffsets(answer)) => self.tap_offsets(scene, &ask, &answer),
            (None, Answer::Fetch(answer)) => self.tap_exposure(scene, request.isolation.unwrap_or(0), &answer),
            (Some(ask), answer) if tap_groups::is_about_groups(api) => self.tap_group(scene, ask, &answer),
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

    fn tap_heartbeat(&mut self, scene: Scene, ask: &BrokerHeartbeatRequest, error: i16) {
        let (broker, broker_epoch) = (BrokerId(ask.broker_id), BrokerEpoch(ask.broker_epoch));
        if self.directory.is_former_life(broker, broker_epoch) {
            self.note_tap(scene, Tap::StaleHeartbeatAnswered { broker, broker_epoch, error, request: scene.request });
        }
    }

    fn tap_isr_change(&mut self, scene: Scene, ask: &AlterPartitionRequest, answer: &AlterPartitionResponse) {
        for topic in &ask.topics {
            let answered = answer.topics.iter().find(|answered| answered.topic_id == topic.topic_id);
            for asked in &topic.partitions {
                let part =
                    answered.and_then(|topic| topic.partitions.iter().find(|part| part.partition_index == asked.partition_index));
                let error = if answer.error_code == 0 { part.map_or(-1, |part| part.error_code) } else { answer.error_code };
                let with_epochs = asked.new_isr_with_epochs.iter().map(|member| BrokerId(member.broker_id));
                let isr = asked.new_isr.iter().map(|member| BrokerId(*member)).chain(with_epochs).collect();
                self.note_tap(
                    scene,
                    Tap::IsrChangeAnswered {
                        partition: PartitionId { topic: topic.topic_id, index: asked.partition_index },
                        broker: BrokerId(ask.broker_id),
                        broker_epoch: BrokerEpoch(ask.broker_epoch),
                        leader_epoch: LeaderEpoch(asked.leader_epoch),
                        partition_epoch: PartitionEpoch(asked.partition_epoch),
                        isr,
                        error,
                        request: scene.request,
                    },
                );
            }
        }
    }

    pub(super) fn note_tap(&mut self, scene: Scene, tap: Tap) {
        self.note(Some(scene.node), scene.cause, EventId::NONE, What::Tap(tap));
    }

    fn topic_of(&self, name: &str, id: Uuid) -> Option<TopicId> {
        if id == Uuid::ZERO { self.directory.topic(name) } else { Some(id) }
    }
}

/// A request that has not been answered for less than this may just be on its way.
const UNANSWERED_MIN: Duration = Duration::secs(10);

/// How long a request may wait in a broker.
fn allowed(request: &Request) -> Duration {
    match decode_request(&request.frame) {
        Ok((_, Ask::Produce(ask))) => produce_allowed(&ask),
        Ok((_, ask)) => request.allowed.max(tap_groups::allowed(&ask)).max(controller_allowed(&ask)),
        Err(_) => request.allowed,
    }
}

/// `request.timeout.ms` of a broker that nobody has set: so long it waits for the controller, whose host may have lost its power without a word.
const CONTROLLER_PATIENCE: Duration = Duration::secs(30);

/// A broker hands some requests on to the controller, or needs an answer of its own from there.
fn controller_allowed(ask: &Ask) -> Duration {
    let needs_controller = matches!(
        ask,
        Ask::CreateTopics(_)
            | Ask::DeleteTopics(_)
            | Ask::CreatePartitions(_)
            | Ask::ElectLeaders(_)
            | Ask::DescribeQuorum(_)
            | Ask::AlterConfigs(_)
            | Ask::IncrementalAlterConfigs(_)
            | Ask::InitProducerId(_)
            | Ask::FindCoordinator(_)
    );
    if needs_controller { CONTROLLER_PATIENCE } else { Duration::ZERO }
}

/// Only acks=all waits for anybody.
fn produce_allowed(ask: &ProduceRequest) -> Duration {
    if ask.acks == -1 { Duration::from_millis_field(i64::from(ask.timeout_ms)) } else { Duration::ZERO }
}

/// Between whom an answer goes.
#[derive(Clone, Copy)]
pub(super) struct Scene {
    node: u16,
    /// Who gets the answer.
    pub(super) peer: u16,
    cause: EventId,
    /// The event at which the request was delivered.
    pub(super) request: EventId,
}

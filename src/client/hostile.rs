//! Clients survive anything a broker sends: plausible answers with bytes overwritten, and plain noise.
//!
//! A client must neither panic, nor wake up for nothing, nor leave a command without its one answer. What it says is not judged here: a
//! broker that lies can make it say anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::scripts::group::with_group_apis;
use super::{AdminActor, AdminConfig, ConsumerActor, ConsumerConfig, ProducerActor, ProducerConfig};
use crate::actor::{Action, Actor, Event, Now, Outbox};
use crate::fact::Fact;
use crate::operation::{Command, CommitMode, Election, Operation, OperationId, Position};
use crate::testing::MemoryDisk;
use crate::types::{ConnectionId, LeaderEpoch, Offset, Time, Timestamp, TopicPartition, Uuid};
use crate::wire::api_versions_response::ApiVersionsResponse;
use crate::wire::consumer_group_heartbeat_response::{Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions};
use crate::wire::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use crate::wire::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult};
use crate::wire::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use crate::wire::elect_leaders_response::{ElectLeadersResponse, PartitionResult, ReplicaElectionResult};
use crate::wire::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use crate::wire::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use crate::wire::heartbeat_response::HeartbeatResponse;
use crate::wire::init_producer_id_response::InitProducerIdResponse;
use crate::wire::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use crate::wire::leave_group_response::LeaveGroupResponse;
use crate::wire::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse};
use crate::wire::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::wire::offset_commit_response::{OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::wire::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::wire::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult};
use crate::wire::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use crate::wire::record::BatchBuilder;
use crate::wire::sync_group_response::SyncGroupResponse;
use crate::wire::{ErrorCode, Listener, Request, Response, api_versions, decode_request, encode_response, join};

/// More events than any of these runs should need.
const EVENTS_MAX: usize = 20_000;

#[allow(clippy::wildcard_enum_match_arm)]
fn plausible(request: &Request, version: i16) -> Response {
    let (name, topic_id) = ("t".to_owned(), Uuid(1));
    match request {
        Request::ApiVersions(_) => {
            let api_keys = with_group_apis(api_versions(Listener::Broker));
            Response::ApiVersions(ApiVersionsResponse { api_keys, ..Default::default() })
        }
        Request::Metadata(_) => {
            let broker = MetadataResponseBroker { node_id: 1, host: "b1".to_owned(), port: 9092, ..Default::default() };
            let partition = MetadataResponsePartition { leader_id: 1, leader_epoch: 2, ..Default::default() };
            let (name, partitions) = (Some(name), vec![partition]);
            let topic = MetadataResponseTopic { name, topic_id, partitions, ..Default::default() };
            Response::Metadata(MetadataResponse { brokers: vec![broker], topics: vec![topic], ..Default::default() })
        }
        Request::Produce(_) => {
            let partition_responses = vec![PartitionProduceResponse::default()];
            let topic = TopicProduceResponse { topic_id, partition_responses, ..Default::default() };
            Response::Produce(ProduceResponse { responses: vec![topic], ..Default::default() })
        }
        Request::Fetch(request) => {
            let offset = request.topics[0].partitions[0].fetch_offset.clamp(0, i64::MAX / 2);
            let mut builder = BatchBuilder::new().at(Offset(offset), LeaderEpoch(2));
            builder.push(Timestamp(0), Some(b"k"), Some(b"v"), &[]);
            let partitions = vec![PartitionData { records: Some(builder.build()), ..Default::default() }];
            let topic = FetchableTopicResponse { topic_id, partitions, ..Default::default() };
            Response::Fetch(FetchResponse { responses: vec![topic], ..Default::default() })
        }
        Request::ListOffsets(_) => {
            // Older versions cannot say in which epoch.
            let leader_epoch = if version >= 4 { 1 } else { -1 };
            let partitions = vec![ListOffsetsPartitionResponse { offset: 7, leader_epoch, ..Default::default() }];
            let topics = vec![ListOffsetsTopicResponse { name, partitions, ..Default::default() }];
            Response::ListOffsets(ListOffsetsResponse { topics, ..Default::default() })
        }
        Request::OffsetForLeaderEpoch(_) => {
            let partitions = vec![EpochEndOffset { leader_epoch: 2, end_offset: 9, ..Default::default() }];
            let topics = vec![OffsetForLeaderTopicResult { topic: name, partitions, ..Default::default() }];
            Response::OffsetForLeaderEpoch(OffsetForLeaderEpochResponse { topics, ..Default::default() })
        }
        Request::InitProducerId(_) => Response::InitProducerId(InitProducerIdResponse { producer_id: 5, ..Default::default() }),
        Request::CreateTopics(_) => {
            let topics = vec![CreatableTopicResult { name, ..Default::default() }];
            Response::CreateTopics(CreateTopicsResponse { topics, ..Default::default() })
        }
        Request::DeleteTopics(_) => {
            let responses = vec![DeletableTopicResult { name: Some(name), ..Default::default() }];
            Response::DeleteTopics(DeleteTopicsResponse { responses, ..Default::default() })
        }
        Request::DeleteRecords(_) => {
            let partitions = vec![DeleteRecordsPartitionResult { low_watermark: 3, ..Default::default() }];
            let topics = vec![DeleteRecordsTopicResult { name, partitions, ..Default::default() }];
            Response::DeleteRecords(DeleteRecordsResponse { topics, ..Default::default() })
        }
        Request::ElectLeaders(_) => {
            let result =
                ReplicaElectionResult { topic: name, partition_result: vec![PartitionResult::default()], ..Default::default() };
            Response::ElectLeaders(ElectLeadersResponse { replica_election_results: vec![result], ..Default::default() })
        }
        member => plausible_to_member(member),
    }
}

/// The only member, who leads and has one partition.
#[allow(clippy::wildcard_enum_match_arm)]
fn plausible_to_member(request: &Request) -> Response {
    let (host, port, name) = ("b1".to_owned(), 9092, "t".to_owned());
    match request {
        Request::FindCoordinator(request) => Response::FindCoordinator(match request.coordinator_keys.first() {
            Some(key) => {
                let found = Coordinator { key: key.clone(), host, port, ..Default::default() };
                FindCoordinatorResponse { coordinators: vec![found], ..Default::default() }
            }
            None => FindCoordinatorResponse { host, port, ..Default::default() },
        }),
        Request::JoinGroup(request) => {
            let (id, protocol) = ("m".to_owned(), &request.protocols[0]);
            let (member_id, metadata) = (id.clone(), protocol.metadata.clone());
            let member = JoinGroupResponseMember { member_id, metadata, ..Default::default() };
            Response::JoinGroup(JoinGroupResponse {
                generation_id: 3,
                protocol_name: Some(protocol.name.clone()),
                leader: id.clone(),
                member_id: id,
                members: vec![member],
                ..Default::default()
            })
        }
        Request::SyncGroup(request) => {
            let assignment = request.assignments.first().map(|part| part.assignment.clone()).unwrap_or_default();
            Response::SyncGroup(SyncGroupResponse { assignment, ..Default::default() })
        }
        // A rebalance is on every now and then.
        Request::Heartbeat(request) => {
            let error_code = if request.generation_id % 2 == 0 { ErrorCode::REBALANCE_IN_PROGRESS.code() } else { 0 };
            Response::Heartbeat(HeartbeatResponse { error_code, ..Default::default() })
        }
        // What it may own comes and goes with the epochs.
        Request::ConsumerGroupHeartbeat(request) => {
            let member_epoch = request.member_epoch.max(0) % 5 + 1;
            let partitions = if member_epoch % 2 == 0 { Vec::new() } else { vec![0] };
            let topic = TopicPartitions { topic_id: Uuid(1), partitions, ..Default::default() };
            let assignment = Some(Assignment { topic_partitions: vec![topic], ..Default::default() });
            let (member_id, heartbeat_interval_ms) = (Some(request.member_id.clone()), 1_000);
            let answer = ConsumerGroupHeartbeatResponse {
                member_id,
                member_epoch,
                heartbeat_interval_ms,
                assignment,
                ..Default::default()
            };
            Response::ConsumerGroupHeartbeat(answer)
        }
        Request::LeaveGroup(_) => Response::LeaveGroup(LeaveGroupResponse::default()),
        Request::OffsetCommit(_) => {
            let partitions = vec![OffsetCommitResponsePartition::default()];
            let topics = vec![OffsetCommitResponseTopic { name, partitions, ..Default::default() }];
            Response::OffsetCommit(OffsetCommitResponse { topics, ..Default::default() })
        }
        Request::OffsetFetch(request) => Response::OffsetFetch(match request.groups.first() {
            Some(group) => {
                let partitions = vec![OffsetFetchResponsePartitions { committed_offset: 7, ..Default::default() }];
                let topics = vec![OffsetFetchResponseTopics { name, partitions, ..Default::default() }];
                let group_id = group.group_id.clone();
                let groups = vec![OffsetFetchResponseGroup { group_id, topics, ..Default::default() }];
                OffsetFetchResponse { groups, ..Default::default() }
            }
            None => {
                let partitions = vec![OffsetFetchResponsePartition { committed_offset: 7, ..Default::default() }];
                let topics = vec![OffsetFetchResponseTopic { name, partitions, ..Default::default() }];
                OffsetFetchResponse { topics, ..Default::default() }
            }
        }),
        other => panic!("clients do not ask {other:?}"),
    }
}

/// What is done to one answer.
#[derive(Clone, Debug)]
enum Harm {
    None,
    Overwrite(Vec<(u16, u8)>),
    Noise(Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        3 => Just(Harm::None),
        3 => prop::collection::vec((4..200u16, any::<u8>()), 1..4).prop_map(Harm::Overwrite),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Harm::Noise),
    ]
}

fn harmed(frame: &Bytes, harm: &Harm) -> Bytes {
    match harm {
        Harm::None => frame.clone(),
        Harm::Overwrite(places) => {
            let mut bytes = frame.to_vec();
            for (at, byte) in places {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *byte;
            }
            bytes.into()
        }
        Harm::Noise(noise) => [&frame[..4], noise].concat().into(),
    }
}

/// Runs the commands, a second apart, and then everything to its end. Gives who was answered.
fn run(mut client: impl Actor, commands: Vec<Operation>, harms: Vec<Harm>) -> BTreeSet<u64> {
    let (mut out, mut now, mut answered) = (Outbox::new(), Time::ZERO, BTreeSet::new());
    let (mut harms, mut events): (VecDeque<Harm>, VecDeque<Event>) = (harms.into(), VecDeque::new());
    let mut closed: BTreeSet<ConnectionId> = BTreeSet::new();
    let mut commands: VecDeque<Operation> = commands.into();
    let mut id = 0;
    for _ in 0..EVENTS_MAX {
        let next_command = (!commands.is_empty()).then(|| Time(id * 1_000_000_000));
        let event = match (events.pop_front(), next_command, client.deadline()) {
            (Some(event), _, _) => event,
            (None, Some(at), deadline) if deadline.is_none_or(|deadline| at <= deadline) => {
                now = now.max(at);
                let operation = commands.pop_front().expect("there is one");
                id += 1;
                Event::Command(Command { id: OperationId(id - 1), operation })
            }
            (None, _, Some(at)) if at < Time(200_000_000_000) => {
                now = at;
                Event::Woken
            }
            (None, _, _) => return answered,
        };
        client.step(Now { mono: now, wall: Timestamp(0) }, event, &mut MemoryDisk::new(), &mut out);
        assert!(client.deadline().is_none_or(|at| at > now), "busy waiting");
        for action in out.drain() {
            #[allow(clippy::wildcard_enum_match_arm)]
            match action {
                Action::Connect { connection, to } => {
                    events.push_back(Event::Opened { connection, peer: to, accepted: false });
                }
                Action::Close { connection } => {
                    closed.insert(connection);
                }
                Action::Send { connection, chunks, .. } => {
                    let (header, request) = decode_request(&join(&chunks)).expect("clients send requests");
                    let response = plausible(&request, header.api_version);
                    let answer = encode_response(header.api_key, header.api_version, header.correlation_id, &response);
                    let harm = harms.pop_front().unwrap_or(Harm::None);
                    let frame = harmed(&join(&answer.expect("possible")), &harm);
                    events.push_back(Event::Frame { connection, frame });
                }
                Action::Complete(completion) => {
                    assert!(answered.insert(completion.id.0), "command {} was answered twice", completion.id.0);
                }
                Action::Fact(Fact::Group(_)) => {}
                other => panic!("a client does not ask for {other:?}"),
            }
        }
        events.retain(|event| !matches!(event, Event::Frame { connection, .. } if closed.contains(connection)));
    }
    panic!("the client does not come to rest");
}

fn bootstrap() -> BTreeMap<String, String> {
    [("bootstrap.servers".to_owned(), "b1:9092".to_owned())].into()
}

/// The life of a member.
fn membership() -> Vec<Operation> {
    let mut commands = vec![Operation::Subscribe { topics: vec![Arc::from("t")] }];
    for mode in [CommitMode::Sync, CommitMode::Async] {
        commands.extend((0..4).map(|_| Operation::Poll { records_max: 3, wait_ms: 900 }));
        commands.push(Operation::Commit { offsets: None, mode });
    }
    commands.extend([Operation::Unsubscribe, Operation::Subscribe { topics: vec![Arc::from("t")] }]);
    commands.extend([Operation::Poll { records_max: 3, wait_ms: 900 }, Operation::Shutdown]);
    commands
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn producer_survives_anything(harms in prop::collection::vec(harm(), 0..40)) {
        let client = ProducerActor::new(ProducerConfig::from_properties(&bootstrap()).expect("allowed"));
        let produce = |partition| Operation::Produce { topic: Arc::from("t"), partition, key: None, value: Bytes::from("v") };
        let commands = (0..10).map(|n| produce((n % 2 == 0).then_some(0))).collect();
        prop_assert_eq!(run(client, commands, harms).len(), 10);
    }

    #[test]
    fn consumer_survives_anything(harms in prop::collection::vec(harm(), 0..40)) {
        let client = ConsumerActor::new(ConsumerConfig::from_properties(&bootstrap()).expect("allowed"));
        let partition = TopicPartition { topic: Arc::from("t"), index: 0 };
        let mut commands = vec![Operation::Assign { partitions: vec![(partition.clone(), Position::Beginning)] }];
        commands.extend((0..8).map(|_| Operation::Poll { records_max: 3, wait_ms: 700 }));
        commands.push(Operation::ListOffset { partition, position: Position::End });
        prop_assert_eq!(run(client, commands, harms).len(), 10);
    }

    #[test]
    fn modern_member_survives_anything(harms in prop::collection::vec(harm(), 0..60)) {
        let mut properties = bootstrap();
        properties.insert("group.id".to_owned(), "g".to_owned());
        properties.insert("group.protocol".to_owned(), "consumer".to_owned());
        let client = ConsumerActor::new(ConsumerConfig::from_properties(&properties).expect("allowed"));
        let commands = membership();
        let asked = commands.len();
        prop_assert_eq!(run(client, commands, harms).len(), asked);
    }

    #[test]
    fn member_survives_anything(harms in prop::collection::vec(harm(), 0..60), cooperative in any::<bool>()) {
        let mut properties = bootstrap();
        let assignor = if cooperative { "cooperative-sticky" } else { "sticky" };
        properties.insert("group.id".to_owned(), "g".to_owned());
        properties.insert("partition.assignment.strategy".to_owned(), assignor.to_owned());
        let client = ConsumerActor::new(ConsumerConfig::from_properties(&properties).expect("allowed"));
        let commands = membership();
        let asked = commands.len();
        prop_assert_eq!(run(client, commands, harms).len(), asked);
    }

    #[test]
    fn admin_survives_anything(harms in prop::collection::vec(harm(), 0..40)) {
        let client = AdminActor::new(AdminConfig::from_properties(&bootstrap()).expect("allowed"));
        let name: Arc<str> = Arc::from("t");
        let create = Operation::CreateTopic { name: Arc::clone(&name), partitions: 1, replicas: 0, config: BTreeMap::new() };
        let describe = Operation::DescribeTopic { name: Arc::clone(&name) };
        let partition = TopicPartition { topic: Arc::clone(&name), index: 0 };
        let partitions = Some(vec![partition.clone()]);
        let (before, election) = (Offset(3), Election::Preferred);
        let (records, leaders) = (Operation::DeleteRecords { partition, before }, Operation::ElectLeaders { election, partitions });
        let round = [create, records, describe, leaders, Operation::DeleteTopic { name }];
        let commands: Vec<Operation> = round.iter().cycle().take(10).cloned().collect();
        prop_assert_eq!(run(client, commands, harms).len(), 10);
    }
}

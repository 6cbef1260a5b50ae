//! Golden scripts of the clients: one client, and brokers that answer by hand.
//!
//! ApiVersions, Metadata and InitProducerId are answered at once, as the script describes the cluster; everything else is printed and
//! waits for `answer`. Time passes only in `wait`, and every time the client wants to be woken it is; one that wants to be woken
//! in the past is busy waiting, and the script fails.
//!
//! ```text
//!   producer|consumer|admin [property=value ..]      the client
//!   topic t leaders=b1/b2 [epochs=0/0] [id=1] [error=..]   what metadata say from now on; anything else is no leader
//!   produce t [partition=0] [key=k] a b c            a command for each value: o1, o2 ...
//!   assign t-0@beginning ..    poll [max=10] [wait=1000]    list t-0@end
//!   create t partitions= replicas=    delete t    describe t
//!   delete-records t below=5    elect t|all          of partition 0; the preferred leaders
//!   coordinator b2|none                              answered at once to FindCoordinator; a member's requests: see `group`
//!   subscribe t ..    unsubscribe    close    commit [t-0=5 ..] [mode=async]
//!   answer b1 [Api] [t-0 ..] [error=..] [offset=..] [epoch=..] [end=..] [records=a/b] [hint=b2@3]     the oldest request (of that API) at b1
//!   cut b1    down b1    up b1                       connection reset; refuse connections; accept them
//!   versions b1 api=min..max ..                      what b1 speaks, for connections to come
//!   wait 100ms
//! ```

mod answer;
mod asked;
pub(super) mod group;
mod told;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use goldenscript::{ArgumentConsumer, Command, Context, Runner};

use self::answer::{Answer, error};
use self::told::tell;
use super::{AdminActor, AdminConfig, ConsumerActor, ConsumerConfig, ProducerActor, ProducerConfig};
use crate::actor::{Action, Actor, CloseReason, Event, Now, Outbox};
use crate::fact::Fact;
use crate::operation::{self, Election, Operation, OperationId, Position};
use crate::testing::MemoryDisk;
use crate::types::{Address, ConnectionId, Duration, Offset, Time, Timestamp, TopicPartition, Uuid};
use crate::wire::api_versions_response::{ApiVersion, ApiVersionsResponse};
use crate::wire::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use crate::wire::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use crate::wire::init_producer_id_response::InitProducerIdResponse;
use crate::wire::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse};
use crate::wire::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::wire::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult};
use crate::wire::{
    ApiKey, ErrorCode, Listener, Request, RequestHeader, Response, api_versions, decode_request, encode_response, join,
    unsupported_api_versions,
};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// One client and three scripted brokers.
struct Script {
    client: Option<Box<dyn Actor>>,
    out: Outbox,
    disk: MemoryDisk,
    now: Time,
    operations: u64,
    topics: BTreeMap<String, Topic>,
    brokers: BTreeMap<String, Broker>,
    /// The group's.
    coordinator: Option<String>,
    producers: i64,
    printed: String,
    /// What is still to happen at this moment.
    events: VecDeque<Event>,
    is_busy: bool,
}

struct Topic {
    id: u128,
    error: ErrorCode,
    leaders: Vec<(i32, i32)>,
}

#[derive(Default)]
struct Broker {
    is_down: bool,
    connections: BTreeSet<ConnectionId>,
    versions: BTreeMap<ApiKey, (i16, i16)>,
    /// In the order of the wire; those with an answer wait for the ones before them on their connection.
    pending: Vec<Pending>,
}

/// A request without an answer so far, or whose answer has to wait.
struct Pending {
    connection: ConnectionId,
    header: RequestHeader,
    request: Request,
    answer: Option<Response>,
}

impl Script {
    fn new() -> Script {
        let brokers = ["b1", "b2", "b3"].map(|name| (name.to_owned(), Broker::default()));
        Script {
            client: None,
            out: Outbox::new(),
            disk: MemoryDisk::new(),
            now: Time::ZERO,
            operations: 0,
            topics: BTreeMap::new(),
            brokers: brokers.into(),
            coordinator: None,
            producers: 6,
            printed: String::new(),
            events: VecDeque::new(),
            is_busy: false,
        }
    }

    // ---- the world --------------------------------------------------------------------------------------------

    /// Something happens, and then everything that follows from it at once.
    fn step(&mut self, event: Event) {
        self.events.push_back(event);
        self.pump();
    }

    fn pump(&mut self) {
        if std::mem::replace(&mut self.is_busy, true) {
            return;
        }
        while let Some(event) = self.events.pop_front() {
            let client = self.client.as_mut().expect("the script names the client first");
            let now = Now { mono: self.now, wall: Timestamp(0) };
            client.step(now, event, &mut self.disk, &mut self.out);
            assert!(client.deadline().is_none_or(|at| at > self.now), "busy waiting at {:?}", self.now);
            let actions: Vec<Action> = self.out.drain().collect();
            for action in actions {
                self.carry_out(action);
            }
        }
        self.is_busy = false;
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect { connection, to } => {
                let broker = self.brokers.get_mut(&*to.host).expect("only b1 to b3 are known");
                if broker.is_down {
                    self.step(Event::Closed { connection, reason: CloseReason::Refused });
                } else {
                    broker.connections.insert(connection);
                    self.step(Event::Opened { connection, peer: to, accepted: false });
                }
            }
            Action::Send { connection, chunks, .. } => self.receive(connection, &join(&chunks)),
            Action::Close { connection } => {
                let name = self.broker_of(connection);
                let _ = writeln!(self.printed, "{name} closed by the client");
                self.forget(&name, connection);
            }
            Action::Complete(completion) => {
                let line = tell(&completion);
                let _ = writeln!(self.printed, "o{} {line}", completion.id.0);
            }
            Action::Fact(Fact::Group(fact)) => {
                let _ = writeln!(self.printed, "{}", group::state(&fact));
            }
            other => panic!("a client does not ask for {other:?}"),
        }
    }

    fn broker_of(&self, connection: ConnectionId) -> String {
        let found = self.brokers.iter().find(|(_, broker)| broker.connections.contains(&connection));
        found.map(|(name, _)| name.clone()).expect("the connection is open")
    }

    fn forget(&mut self, name: &str, connection: ConnectionId) {
        let broker = self.brokers.get_mut(name).expect("it has the connection");
        broker.pending.retain(|pending| pending.connection != connection);
        broker.connections.remove(&connection);
    }

    fn receive(&mut self, connection: ConnectionId, frame: &Bytes) {
        let name = self.broker_of(connection);
        let header = crate::wire::peek_request_header(frame).expect("clients send requests");
        let range = self.brokers[&name].versions.get(&header.api_key).copied();
        if header.api_key == ApiKey::ApiVersions && range.is_some_and(|(_, max)| header.api_version > max) {
            let _ = writeln!(self.printed, "{name} <- ApiVersions v{}: UNSUPPORTED_VERSION", header.api_version);
            let refusal = join(&unsupported_api_versions(header.correlation_id));
            return self.step(Event::Frame { connection, frame: refusal_range(&refusal, range) });
        }
        let (header, request) = decode_request(frame).expect("clients send what brokers understand");
        let answer = self.at_once(&name, &header, &request);
        if let Some(line) = self.describe(&header, &request) {
            let _ = writeln!(self.printed, "{name} <- {line}");
        }
        if !is_unanswered(&request) {
            let pending = Pending { connection, header, request, answer };
            self.brokers.get_mut(&name).expect("it has a connection").pending.push(pending);
            self.flush(&name);
        }
    }

    /// Sends the answers that wait for nothing.
    fn flush(&mut self, name: &str) {
        let broker = self.brokers.get_mut(name).expect("it has a connection");
        let mut blocked = BTreeSet::new();
        for pending in std::mem::take(&mut broker.pending) {
            let connection = pending.connection;
            match &pending.answer {
                Some(response) if !blocked.contains(&connection) => {
                    let frame = encode(&pending.header, response);
                    self.events.push_back(Event::Frame { connection, frame });
                }
                Some(_) | None => {
                    blocked.insert(connection);
                    broker.pending.push(pending);
                }
            }
        }
    }

    fn reply(&mut self, name: &str, pending: &Pending, response: &Response) {
        let connection = pending.connection;
        self.events.push_back(Event::Frame { connection, frame: encode(&pending.header, response) });
        self.flush(name);
        self.pump();
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    fn at_once(&mut self, name: &str, header: &RequestHeader, request: &Request) -> Option<Response> {
        match request {
            Request::ApiVersions(_) => {
                let mut api_keys = group::with_group_apis(api_versions(Listener::Broker));
                for range in &mut api_keys {
                    let ours = ApiKey::from_code(range.api_key).and_then(|api| self.brokers[name].versions.get(&api));
                    (range.min_version, range.max_version) = ours.copied().unwrap_or((range.min_version, range.max_version));
                }
                Some(Response::ApiVersions(ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() }))
            }
            Request::Metadata(request) => {
                let names = request.topics.iter().flatten().filter_map(|topic| topic.name.clone());
                let topics = names.map(|name| self.metadata_of(name, header.api_version)).collect();
                let broker = |node_id: i32| MetadataResponseBroker {
                    node_id,
                    host: format!("b{node_id}"),
                    port: 9092,
                    ..MetadataResponseBroker::default()
                };
                let brokers = (1..=3).map(broker).collect();
                Some(Response::Metadata(MetadataResponse { brokers, topics, ..MetadataResponse::default() }))
            }
            Request::FindCoordinator(request) => Some(group::coordinator(request, self.coordinator.as_deref())),
            Request::InitProducerId(_) => {
                self.producers += 1;
                let producer_id = self.producers;
                Some(Response::InitProducerId(InitProducerIdResponse { producer_id, ..InitProducerIdResponse::default() }))
            }
            _ => None,
        }
    }

    fn metadata_of(&self, name: String, version: i16) -> MetadataResponseTopic {
        let Some(topic) = self.topics.get(&name) else {
            let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.code();
            return MetadataResponseTopic { name: Some(name), error_code, ..MetadataResponseTopic::default() };
        };
        let partition = |(index, (leader_id, leader_epoch)): (i32, &(i32, i32))| MetadataResponsePartition {
            partition_index: index,
            leader_id: *leader_id,
            leader_epoch: *leader_epoch,
            replica_nodes: vec![1, 2, 3],
            isr_nodes: vec![1, 2, 3],
            ..MetadataResponsePartition::default()
        };
        MetadataResponseTopic {
            name: Some(name),
            error_code: topic.error.code(),
            topic_id: if version >= 10 { Uuid(topic.id) } else { Uuid::ZERO },
            partitions: (0..).zip(&topic.leaders).map(partition).collect(),
            ..MetadataResponseTopic::default()
        }
    }

    // ---- what is printed --------------------------------------------------------------------------------------

    fn name_of(&self, name: &str, id: Uuid) -> String {
        let found = self.topics.iter().find(|(_, topic)| Uuid(topic.id) == id).map(|(name, _)| name.clone());
        if name.is_empty() { found.unwrap_or_else(|| format!("?{}", id.0)) } else { name.to_owned() }
    }

    fn id_of(&self, name: &str) -> Uuid {
        self.topics.get(name).map_or(Uuid::ZERO, |topic| Uuid(topic.id))
    }

    // ---- answers ----------------------------------------------------------------------------------------------

    #[allow(clippy::wildcard_enum_match_arm)]
    fn answer(&mut self, name: &str, answer: &Answer) -> Fallible<()> {
        let broker = self.brokers.get_mut(name).ok_or("no such broker")?;
        let is_meant = |pending: &Pending| pending.answer.is_none() && answer.api.is_none_or(|api| api == pending.header.api_key);
        let at = broker.pending.iter().position(is_meant).ok_or("nothing was asked")?;
        let pending = broker.pending.remove(at);
        let response = match &pending.request {
            Request::Produce(request) => answer.produce(request),
            Request::Fetch(request) => answer.fetch(request, |name, id| self.name_of(name, id)),
            Request::ListOffsets(request) => {
                let topic = &request.topics[0];
                let partition = ListOffsetsPartitionResponse {
                    partition_index: topic.partitions[0].partition_index,
                    error_code: answer.error.code(),
                    offset: answer.offset,
                    leader_epoch: answer.epoch,
                    ..ListOffsetsPartitionResponse::default()
                };
                let name = topic.name.clone();
                let topics = vec![ListOffsetsTopicResponse { name, partitions: vec![partition], ..Default::default() }];
                Response::ListOffsets(ListOffsetsResponse { topics, ..Default::default() })
            }
            Request::OffsetForLeaderEpoch(request) => {
                let topic = &request.topics[0];
                let partition = EpochEndOffset {
                    partition: topic.partitions[0].partition,
                    error_code: answer.error.code(),
                    leader_epoch: answer.epoch,
                    end_offset: answer.end,
                    ..Default::default()
                };
                let result =
                    OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions: vec![partition], ..Default::default() };
                Response::OffsetForLeaderEpoch(OffsetForLeaderEpochResponse { topics: vec![result], ..Default::default() })
            }
            Request::CreateTopics(request) => {
                let name = request.topics[0].name.clone();
                let topic =
                    CreatableTopicResult { name, error_code: answer.error.code(), topic_id: Uuid(1), ..Default::default() };
                Response::CreateTopics(CreateTopicsResponse { topics: vec![topic], ..Default::default() })
            }
            Request::DeleteTopics(request) => {
                let name = request.topics[0].name.clone();
                let topic = DeletableTopicResult { name, error_code: answer.error.code(), ..Default::default() };
                Response::DeleteTopics(DeleteTopicsResponse { responses: vec![topic], ..Default::default() })
            }
            Request::DeleteRecords(request) => answer.delete_records(request),
            Request::ElectLeaders(request) => answer.elect_leaders(request),
            other => {
                answer.to_member(other, |name| self.id_of(name)).ok_or_else(|| format!("no answer to {}", other.api_key()))?
            }
        };
        self.reply(name, &pending, &response);
        Ok(())
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    fn command(&mut self, operation: Operation) {
        self.operations += 1;
        self.step(Event::Command(operation::Command { id: OperationId(self.operations), operation }));
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now.plus(span);
        while let Some(at) = self.client.as_ref().and_then(|client| client.deadline()).filter(|at| *at <= end) {
            self.now = at;
            let before = self.printed.len();
            self.step(Event::Woken);
            let said = self.printed.split_off(before);
            for line in said.lines() {
                let _ = writeln!(self.printed, "{:>6} {line}", format!("{}ms", self.now.since(Time::ZERO).as_millis()));
            }
        }
        self.now = end;
    }

    fn create(&mut self, kind: &str, args: &mut ArgumentConsumer<'_>) -> Fallible<()> {
        let mut properties = BTreeMap::new();
        while let Some((key, value)) = args.next_key() {
            properties.insert(key.to_owned(), value.to_owned());
        }
        let bootstrap = vec![Address::new("b1", 9092)];
        self.client = Some(match kind {
            "producer" => {
                let mut config = ProducerConfig::from_properties(&properties)?;
                config.common.bootstrap = bootstrap;
                Box::new(ProducerActor::new(config))
            }
            "consumer" => {
                let mut config = ConsumerConfig::from_properties(&properties)?;
                config.common.bootstrap = bootstrap;
                Box::new(ConsumerActor::new(config))
            }
            _ => {
                let mut config = AdminConfig::from_properties(&properties)?;
                config.common.bootstrap = bootstrap;
                Box::new(AdminActor::new(config))
            }
        });
        Ok(())
    }

    fn topic(&mut self, args: &mut ArgumentConsumer<'_>) -> Fallible<()> {
        let name = args.next_pos().ok_or("which topic?")?.to_owned();
        let leaders = args.take_key("leaders").unwrap_or("b1");
        let epochs = args.take_key("epochs").map(|epochs| epochs.split('/').map(str::parse).collect::<Result<Vec<i32>, _>>());
        let epochs = epochs.transpose()?.unwrap_or_default();
        let leader = |leader: &str| leader.strip_prefix('b').and_then(|id| id.parse().ok()).unwrap_or(-1);
        let leaders = leaders.split('/').enumerate().map(|(at, b)| (leader(b), epochs.get(at).copied().unwrap_or(0))).collect();
        let id = args.take_key("id").map_or(Ok(1), str::parse)?;
        self.topics.insert(name, Topic { id, error: error(args)?, leaders });
        Ok(())
    }

    fn produce(&mut self, args: &mut ArgumentConsumer<'_>) -> Fallible<()> {
        let topic: Arc<str> = Arc::from(args.next_pos().ok_or("which topic?")?);
        let partition = args.take_key("partition").map(str::parse).transpose()?;
        let key = args.take_key("key").map(|key| Bytes::copy_from_slice(key.as_bytes()));
        while let Some(value) = args.next_pos() {
            let value = Bytes::copy_from_slice(value.as_bytes());
            self.command(Operation::Produce { topic: Arc::clone(&topic), partition, key: key.clone(), value });
        }
        Ok(())
    }

    fn admin(&mut self, what: &str, args: &mut ArgumentConsumer<'_>) -> Fallible<()> {
        let name: Arc<str> = Arc::from(args.next_pos().ok_or("which topic?")?);
        let partitions = args.take_key("partitions").map_or(Ok(1), str::parse)?;
        let replicas = args.take_key("replicas").map_or(Ok(3), str::parse)?;
        self.command(match what {
            "create" => Operation::CreateTopic { name, partitions, replicas, config: BTreeMap::new() },
            "delete" => Operation::DeleteTopic { name },
            "delete-records" => {
                let before = Offset(args.take_key("below").ok_or("below what?")?.parse()?);
                Operation::DeleteRecords { partition: TopicPartition { topic: name, index: 0 }, before }
            }
            "elect" => {
                let partitions = (*name != *"all").then(|| vec![TopicPartition { topic: Arc::clone(&name), index: 0 }]);
                Operation::ElectLeaders { election: Election::Preferred, partitions }
            }
            _ => Operation::DescribeTopic { name },
        });
        Ok(())
    }

    fn network(&mut self, what: &str, args: &mut ArgumentConsumer<'_>) -> Fallible<()> {
        let name = args.next_pos().ok_or("which broker?")?.to_owned();
        let broker = self.brokers.get_mut(&name).ok_or("no such broker")?;
        match what {
            "down" => broker.is_down = true,
            "up" => broker.is_down = false,
            "versions" => {
                while let Some((api, range)) = args.next_key() {
                    let api = ApiKey::ALL.iter().find(|key| key.name() == api).ok_or("no such API")?;
                    let (min, max) = range.split_once("..").ok_or("a range is written 0..3")?;
                    broker.versions.insert(*api, (min.parse()?, max.parse()?));
                }
            }
            _ => {}
        }
        if matches!(what, "cut" | "down") {
            for connection in self.brokers[&name].connections.clone() {
                self.forget(&name, connection);
                self.step(Event::Closed { connection, reason: CloseReason::Reset });
            }
        }
        Ok(())
    }
}

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Fallible<String> {
        let mut args = command.consume_args();
        match command.name.as_str() {
            kind @ ("producer" | "consumer" | "admin") => self.create(kind, &mut args)?,
            "topic" => self.topic(&mut args)?,
            "produce" => self.produce(&mut args)?,
            "assign" => {
                let mut partitions = Vec::new();
                while let Some(text) = args.next_pos() {
                    partitions.push(place(text)?);
                }
                self.command(Operation::Assign { partitions });
            }
            "poll" => {
                let records_max = args.take_key("max").map_or(Ok(10), str::parse)?;
                let wait_ms = args.take_key("wait").map_or(Ok(1000), str::parse)?;
                self.command(Operation::Poll { records_max, wait_ms });
            }
            "coordinator" => self.coordinator = args.next_pos().map(str::to_owned).filter(|name| name != "none"),
            what @ ("subscribe" | "unsubscribe" | "close" | "commit") => self.command(group::operation(what, &mut args)?),
            "list" => {
                let (partition, position) = place(args.next_pos().ok_or("which partition?")?)?;
                self.command(Operation::ListOffset { partition, position });
            }
            what @ ("create" | "delete" | "describe" | "delete-records" | "elect") => self.admin(what, &mut args)?,
            "answer" => {
                let name = args.next_pos().ok_or("which broker?")?.to_owned();
                let answer = Answer::read(&mut args)?;
                self.answer(&name, &answer)?;
            }
            what @ ("cut" | "down" | "up" | "versions") => self.network(what, &mut args)?,
            "wait" => {
                let span = args.next_pos().ok_or("how long?")?;
                let span = span.strip_suffix("ms").ok_or("a time is written 5ms")?;
                self.wait(Duration::millis(span.parse()?));
            }
            other => return Err(format!("no command {other}").into()),
        }
        args.reject_next()?;
        Ok(std::mem::take(&mut self.printed))
    }
}

fn place(text: &str) -> Fallible<(TopicPartition, Position)> {
    let (partition, position) = text.split_once('@').ok_or("a place is written t-0@end")?;
    let (topic, index) = partition.rsplit_once('-').ok_or("a partition is written t-0")?;
    let position = match position {
        "beginning" => Position::Beginning,
        "end" => Position::End,
        offset => Position::At(Offset(offset.parse()?)),
    };
    Ok((TopicPartition { topic: Arc::from(topic), index: index.parse()? }, position))
}

fn encode(header: &RequestHeader, response: &Response) -> Bytes {
    let chunks = encode_response(header.api_key, header.api_version, header.correlation_id, response);
    join(&chunks.expect("scripts give possible answers"))
}

fn is_unanswered(request: &Request) -> bool {
    matches!(request, Request::Produce(request) if request.acks == 0)
}

/// The refusal of an ApiVersions request, under another range than our own.
fn refusal_range(refusal: &Bytes, range: Option<(i16, i16)>) -> Bytes {
    let correlation = i32::from_be_bytes(*refusal.first_chunk().expect("a header"));
    let (min_version, max_version) = range.unwrap_or_default();
    let api_keys = vec![ApiVersion { api_key: ApiKey::ApiVersions.code(), min_version, max_version, ..ApiVersion::default() }];
    let error_code = ErrorCode::UNSUPPORTED_VERSION.code();
    let response = Response::ApiVersions(ApiVersionsResponse { error_code, api_keys, ..Default::default() });
    join(&encode_response(ApiKey::ApiVersions, 0, correlation, &response).expect("version 0 carries both"))
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/client/testscripts/", stringify!($name));
                goldenscript::run(&mut Script::new(), path).expect("the script is there");
            }
        )*
    };
}

scripts! {
    retry_keeps_order first_batch_alone doubtful_expiry certainty reorder_without_idempotence
    epoch_restart acks_zero metadata_refresh versions partitioning
    consumer_reads consumer_validates consumer_resets list_offset admin admin_records_and_leaders
    group_joins group_eager group_cooperative group_loses group_poll_interval group_coordinator_moves group_deposed_coordinator group_leaves
    group_auto_commit group_leads group_stale_heartbeat
    modern_joins modern_reconciles modern_loses modern_leaves modern_coordinator_moves modern_stale_epoch
}

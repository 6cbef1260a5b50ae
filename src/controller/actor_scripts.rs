//! Golden scripts of the controller as an actor: frames, a disk that takes its time, crashes.
//!
//! ```text
//!   start                                  a new process on the same disk; it is woken at once
//!   slow, fast                             whether syncs end only when told to, or at once
//!   sync [fail]                            what the disk was asked for so far ends
//!   crash, power                           the process dies; power is lost, and all that was not synced
//!   register c1 b1 [life=1]   beat c1 b1   requests on connection c1, opened when first named
//!   create c1 orders on=1/2 [bare]         CreateTopics in an Envelope, or not
//!   fetch c1 from=0 [epoch=1] [last=1] [wait=500] [version=12]
//!   versions c1 [version=4]   garbage c1   unserved c1   close c1
//!   time 9s, shutdown
//! ```
//!
//! Printed is what the actor wants done: facts, answers, and what it asks of the disk.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use bytes::Bytes;
use goldenscript::{ArgumentConsumer, Command, Context, Runner};

use super::metadata_log::METADATA_TOPIC;
use super::{ControllerActor, ControllerConfig};
use crate::actor::{Action, Actor, CloseReason, Event, Now, Outbox};
use crate::digest::Digest;
use crate::disk::{Disk, DiskError};
use crate::fact::Fact;
use crate::operation::{Command as Order, Operation, OperationId};
use crate::testing::MemoryDisk;
use crate::types::{Address, BrokerId, ConnectionId, Duration, Ticket, Time, Timestamp, Uuid};
use crate::wire::broker_registration_request::Listener;
use crate::wire::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest};
use crate::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use crate::wire::fetch_response::FetchResponse;
use crate::wire::record::batches;
use crate::wire::{
    ApiKey, ApiVersionsRequest, BrokerHeartbeatRequest, BrokerRegistrationRequest, EnvelopeRequest, ErrorCode,
    ListOffsetsRequest, MetadataRecord, Request, RequestHeader, Response, decode_response, encode_request, join,
};

type Output = Result<String, Box<dyn Error>>;

/// One controller, its disk and its peers.
struct Script {
    actor: ControllerActor,
    disk: MemoryDisk,
    out: Outbox,
    now: Time,
    is_slow: bool,
    /// What the disk was asked for, and what was on it then.
    asked: Vec<(Action, MemoryDisk)>,
    /// What a power loss leaves.
    durable: MemoryDisk,
    connections: BTreeMap<String, ConnectionId>,
    requests: BTreeMap<ConnectionId, (ApiKey, i16)>,
    epochs: BTreeMap<BrokerId, i64>,
    told: String,
}

impl Script {
    fn new() -> Script {
        Script {
            actor: ControllerActor::new(ControllerConfig::default()),
            disk: MemoryDisk::new(),
            out: Outbox::new(),
            now: Time::ZERO,
            is_slow: false,
            asked: Vec::new(),
            durable: MemoryDisk::new(),
            connections: BTreeMap::new(),
            requests: BTreeMap::new(),
            epochs: BTreeMap::new(),
            told: String::new(),
        }
    }

    fn step(&mut self, event: Event) {
        let now = Now { mono: self.now, wall: Timestamp(1_000_000) };
        self.actor.step(now, event, &mut self.disk, &mut self.out);
        self.actor.digest(&mut Digest::new());
        let actions: Vec<Action> = self.out.drain().collect();
        actions.into_iter().for_each(|action| self.carry_out(action));
    }

    /// Steps on until nothing is left to be done, unless the disk is slow.
    fn settle(&mut self) {
        while !self.is_slow && !self.asked.is_empty() {
            self.sync(Ok(()));
        }
    }

    fn sync(&mut self, result: Result<(), DiskError>) {
        let mut asked = std::mem::take(&mut self.asked);
        while !asked.is_empty() {
            let (action, then) = asked.remove(0);
            #[allow(clippy::wildcard_enum_match_arm)]
            let ticket: Ticket = match action {
                Action::Sync { ticket, .. } => {
                    self.durable = if result.is_ok() { then } else { self.durable.clone() };
                    ticket
                }
                Action::Replace { ticket, path, content } => {
                    let later = asked.iter_mut().map(|(_, then)| then);
                    for disk in later.chain([&mut self.disk, &mut self.durable]).filter(|_| result.is_ok()) {
                        disk.replace(&path, &content);
                    }
                    ticket
                }
                other => panic!("not for the disk: {other:?}"),
            };
            self.step(Event::Synced { ticket, result });
        }
    }

    /// Rot in the first batch of the log.
    fn rot(&mut self) -> Result<(), DiskError> {
        let file = self.disk.open("__cluster_metadata-0/00000000000000000000.log")?;
        let byte = self.disk.read(file, 70, 1)?;
        self.disk.write(file, 70, &[&[!byte[0]]])
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Sync { .. } | Action::Replace { .. } => {
                if self.is_slow {
                    let what = if let Action::Replace { path, .. } = &action { path.as_str() } else { "sync" };
                    self.tell(format!("asks for {what}"));
                }
                self.asked.push((action, self.disk.clone()));
            }
            Action::Fact(fact) => self.tell(format!("fact {}", tell(&fact))),
            Action::Send { connection, chunks, after: None } => self.answered(connection, &join(&chunks)),
            Action::Close { connection } => {
                let name = self.name(connection);
                self.connections.remove(&name);
                self.tell(format!("closes {name}"));
            }
            Action::Complete(completion) => self.tell(format!("complete {:?}", completion.outcome)),
            Action::Connect { .. } | Action::Send { .. } | Action::Done { .. } | Action::Read { .. } => {
                panic!("a controller does not do that: {action:?}")
            }
        }
    }

    fn tell(&mut self, line: impl AsRef<str>) {
        writeln!(self.told, "{}", line.as_ref().trim_end()).expect("a string takes everything");
    }

    fn name(&self, connection: ConnectionId) -> String {
        let named = self.connections.iter().find(|(_, known)| **known == connection);
        named.map(|(name, _)| name.clone()).expect("the actor names open connections only")
    }

    fn answered(&mut self, connection: ConnectionId, frame: &Bytes) {
        let (api, version) = self.requests.remove(&connection).expect("one answer to one request");
        let (_, response) = decode_response(api, version, frame).expect("the actor sends what can be read");
        let name = self.name(connection);
        #[allow(clippy::wildcard_enum_match_arm)]
        let line = match response {
            Response::BrokerRegistration(response) => {
                self.epochs.insert(BrokerId(1), response.broker_epoch);
                format!("{} be={}", ErrorCode(response.error_code), response.broker_epoch)
            }
            Response::BrokerHeartbeat(response) => format!("{} fenced={}", ErrorCode(response.error_code), response.is_fenced),
            Response::CreateTopics(response) => format!("{}", ErrorCode(response.topics[0].error_code)),
            Response::ApiVersions(response) => {
                format!("{} {} apis", ErrorCode(response.error_code), response.api_keys.len())
            }
            Response::Envelope(response) => match response.response_data {
                Some(inner) => {
                    let (_, inner) = decode_response(ApiKey::CreateTopics, 7, &inner).expect("an embedded response");
                    let Response::CreateTopics(inner) = inner else { panic!("{inner:?}") };
                    format!("{} [{}]", ErrorCode(response.error_code), ErrorCode(inner.topics[0].error_code))
                }
                None => format!("{}", ErrorCode(response.error_code)),
            },
            Response::Fetch(response) => fetched(&response),
            other => panic!("not asked for: {other:?}"),
        };
        self.tell(format!("{name} <- {} {line}", api.name()));
    }

    fn connect(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<ConnectionId, Box<dyn Error>> {
        let name = args.next_pos().ok_or("on which connection?")?.to_owned();
        if let Some(known) = self.connections.get(&name) {
            return Ok(*known);
        }
        let connection = self.out.next_connection();
        self.connections.insert(name, connection);
        self.step(Event::Opened { connection, peer: Address::new("b1", 1), accepted: true });
        Ok(connection)
    }

    fn request(&mut self, connection: ConnectionId, version: i16, request: &Request) -> Output {
        if !self.connections.values().any(|open| *open == connection) {
            return Ok(String::new());
        }
        let api = request.api_key();
        let frame = join(&encode_request(&RequestHeader::new(api, version, 7), request)?);
        self.requests.insert(connection, (api, version));
        self.step(Event::Frame { connection, frame });
        Ok(String::new())
    }

    // ---- commands ---------------------------------------------------------------------------------------------

    fn start(&mut self) {
        self.actor = ControllerActor::new(ControllerConfig::default());
        assert_eq!(self.actor.deadline(), Some(Time::ZERO));
        self.step(Event::Woken);
    }

    fn end_process(&mut self) {
        self.asked.clear();
        self.connections.clear();
        self.requests.clear();
        self.actor = ControllerActor::new(ControllerConfig::default());
        self.out = Outbox::new();
    }

    fn register(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let connection = self.connect(args)?;
        let id = broker(args)?;
        let listener = Listener { name: "PLAINTEXT".to_owned(), host: format!("b{id}"), port: 9092, ..Listener::default() };
        let request = BrokerRegistrationRequest {
            broker_id: id.0,
            cluster_id: "brokerlab".to_owned(),
            incarnation_id: Uuid(args.take_key("life").map_or(Ok(1), str::parse)?),
            listeners: vec![listener],
            ..BrokerRegistrationRequest::default()
        };
        self.request(connection, 4, &request.into())
    }

    fn beat(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let connection = self.connect(args)?;
        let id = broker(args)?;
        let broker_epoch = args.take_key("be").map_or(Ok(self.epochs.get(&id).copied().unwrap_or(-1)), str::parse)?;
        let request = BrokerHeartbeatRequest {
            broker_id: id.0,
            broker_epoch,
            current_metadata_offset: broker_epoch,
            ..BrokerHeartbeatRequest::default()
        };
        self.request(connection, 1, &request.into())
    }

    fn create(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let connection = self.connect(args)?;
        let mut topic = CreatableTopic {
            name: args.next_pos().ok_or("which topic?")?.to_owned(),
            num_partitions: -1,
            replication_factor: -1,
            ..CreatableTopic::default()
        };
        if let Some(on) = args.take_key("on") {
            let broker_ids = on.split('/').map(str::parse).collect::<Result<_, _>>()?;
            topic.assignments.push(CreatableReplicaAssignment { broker_ids, ..CreatableReplicaAssignment::default() });
        }
        let request: Request = CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() }.into();
        if args.next_pos() == Some("bare") {
            return self.request(connection, 7, &request);
        }
        let request_data = join(&encode_request(&RequestHeader::new(ApiKey::CreateTopics, 7, 1), &request)?);
        self.request(connection, 0, &EnvelopeRequest { request_data, ..EnvelopeRequest::default() }.into())
    }

    fn fetch(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let connection = self.connect(args)?;
        let partition = FetchPartition {
            fetch_offset: args.take_key("from").map_or(Ok(0), str::parse)?,
            current_leader_epoch: args.take_key("epoch").map_or(Ok(-1), str::parse)?,
            last_fetched_epoch: args.take_key("last").map_or(Ok(-1), str::parse)?,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let topic = FetchTopic {
            topic: args.take_key("topic").unwrap_or(METADATA_TOPIC).to_owned(),
            topic_id: Uuid::ZERO,
            partitions: vec![partition],
            ..FetchTopic::default()
        };
        let request = FetchRequest {
            cluster_id: args.take_key("cluster").map(str::to_owned),
            max_wait_ms: args.take_key("wait").map_or(Ok(0), str::parse)?,
            topics: vec![topic],
            ..FetchRequest::default()
        };
        let version = args.take_key("version").map_or(Ok(12), str::parse)?;
        self.request(connection, version, &request.into())
    }

    fn versions(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let connection = self.connect(args)?;
        let version = args.take_key("version").map_or(Ok(4), str::parse)?;
        if version <= 4 {
            return self.request(connection, version, &ApiVersionsRequest::default().into());
        }
        self.requests.insert(connection, (ApiKey::ApiVersions, 0));
        let frame = Bytes::from_static(&[0, 18, 0, 99, 0, 0, 0, 7, 255, 255, 0]);
        self.step(Event::Frame { connection, frame });
        Ok(String::new())
    }

    fn on_connection(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Output {
        let connection = self.connect(args)?;
        match command {
            "garbage" => self.step(Event::Frame { connection, frame: Bytes::from_static(b"garbage") }),
            "close" => {
                let name = self.name(connection);
                self.connections.remove(&name);
                self.step(Event::Closed { connection, reason: CloseReason::Eof });
            }
            _ => return self.request(connection, 7, &ListOffsetsRequest::default().into()),
        }
        Ok(String::new())
    }

    fn time(&mut self, args: &mut ArgumentConsumer<'_>) -> Output {
        let span = args.next_pos().and_then(|span| span.strip_suffix("ms")).ok_or("how many ms?")?;
        let end = self.now.plus(Duration::millis(span.parse()?));
        while let Some(deadline) = self.actor.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.step(Event::Woken);
            self.settle();
        }
        self.now = end;
        Ok(String::new())
    }
}

impl Runner for Script {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Output {
        let mut args = command.consume_args();
        match command.name.as_str() {
            "start" => self.start(),
            "slow" => self.is_slow = true,
            "fast" => self.is_slow = false,
            "sync" if args.next_pos().is_some() => self.sync(Err(DiskError::Io)),
            "sync" => self.sync(Ok(())),
            "crash" => self.end_process(),
            "power" => {
                self.disk = self.durable.clone();
                self.end_process();
            }
            "rot" => self.rot()?,
            "register" => self.register(&mut args).map(drop)?,
            "beat" => self.beat(&mut args).map(drop)?,
            "create" => self.create(&mut args).map(drop)?,
            "fetch" => self.fetch(&mut args).map(drop)?,
            "versions" => self.versions(&mut args).map(drop)?,
            "garbage" | "unserved" | "close" => self.on_connection(&command.name, &mut args).map(drop)?,
            "time" => self.time(&mut args).map(drop)?,
            "shutdown" => self.step(Event::Command(Order { id: OperationId(1), operation: Operation::Shutdown })),
            other => return Err(format!("unknown command {other}").into()),
        }
        args.reject_next()?;
        self.settle();
        Ok(std::mem::take(&mut self.told))
    }
}

fn tell(fact: &Fact) -> String {
    #[allow(clippy::wildcard_enum_match_arm)]
    match fact {
        Fact::MetadataCommitted { end } => format!("MetadataCommitted end={end}"),
        Fact::ControllerActivated { controller_epoch, .. } => format!("ControllerActivated epoch={controller_epoch}"),
        Fact::RegistrationAccepted { broker, broker_epoch, .. } => format!("RegistrationAccepted {broker:?} {broker_epoch:?}"),
        Fact::BrokerFenced { broker, .. } | Fact::BrokerUnfenced { broker, .. } => format!("{} {broker:?}", fact.name()),
        Fact::TopicCreated { name, .. } => format!("TopicCreated {name}"),
        Fact::PartitionCreated { state, .. } | Fact::LeaderElected { state, .. } => {
            format!("{} leader={:?} le={} isr={:?}", fact.name(), state.leader, state.leader_epoch, state.isr)
        }
        Fact::LogFailed { error, .. } => format!("LogFailed {error}"),
        Fact::CorruptionFound { at, below_recovery_point, .. } => {
            format!("CorruptionFound at={at} below-recovery-point={below_recovery_point}")
        }
        other => other.name().to_owned(),
    }
}

fn fetched(response: &FetchResponse) -> String {
    let Some(topic) = response.responses.first() else { return ErrorCode(response.error_code).to_string() };
    let partition = &topic.partitions[0];
    let mut line = format!("{} hw={}", ErrorCode(partition.error_code), partition.high_watermark);
    write!(line, " leader={}@{}", partition.current_leader.leader_id, partition.current_leader.leader_epoch).expect("a string");
    if partition.diverging_epoch.end_offset >= 0 {
        let diverging = &partition.diverging_epoch;
        write!(line, " diverging epoch={} end={}", diverging.epoch, diverging.end_offset).expect("a string");
    }
    let records = partition.records.clone().unwrap_or_default();
    for batch in batches(&records).map(|batch| batch.expect("whole batches")) {
        let base = batch.header.base_offset;
        let names = batch.records().expect("not compressed").map(|record| {
            let value = record.expect("readable").value.expect("not null");
            MetadataRecord::decode(&value).expect("a metadata record").name().trim_end_matches("Record").to_owned()
        });
        let names: Vec<String> = names.collect();
        write!(line, "\n      {base:?} e{} {}", batch.header.leader_epoch, names.join(" ")).expect("a string");
    }
    line
}

fn broker(args: &mut ArgumentConsumer<'_>) -> Result<BrokerId, Box<dyn Error>> {
    let name = args.next_pos().ok_or("which broker?")?;
    Ok(BrokerId(name.strip_prefix('b').ok_or("a broker is written b1")?.parse()?))
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/controller/testscripts/actor/", stringify!($name));
                goldenscript::run(&mut Script::new(), path).expect("the script is there");
            }
        )*
    };
}

scripts! { deferred_replies observers restart disk_failures frames }

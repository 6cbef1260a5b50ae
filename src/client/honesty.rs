//! A producer must not lie, whatever happens to its requests: a property over random mishaps.
//!
//! One broker keeps a log by the rules of idempotence (the last five batches of a producer are recognised, a gap is refused). What
//! happens to each request is drawn: it is written or not, the answer says so, says something else, or is lost with the connection;
//! or the request is held up and written long after its connection died. Afterwards:
//!
//! ```text
//!   every command was answered exactly once           written at offset o   ⇒  the log holds it at o
//!   definitely failed                ⇒  not in the log     idempotent       ⇒  no value twice, and in the order of sending
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{ProducerActor, ProducerConfig};
use crate::actor::{Action, Actor, CloseReason, Event, Now, Outbox};
use crate::operation::{Certainty, Command, Operation, OperationId, Outcome};
use crate::testing::MemoryDisk;
use crate::types::{Address, ConnectionId, Time, Timestamp, Uuid};
use crate::wire::api_versions_response::ApiVersionsResponse;
use crate::wire::init_producer_id_response::InitProducerIdResponse;
use crate::wire::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::wire::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use crate::wire::record::batches;
use crate::wire::{ErrorCode, Listener, Request, Response, api_versions, decode_request, encode_response, join};

/// The log, as the rules of idempotence let it grow.
#[derive(Default)]
struct Log {
    values: Vec<u64>,
    /// For each producer its epoch, and its last five batches.
    producers: BTreeMap<i64, (i16, VecDeque<Known>)>,
}

/// A batch in the log: first and next sequence, offset.
type Known = (i32, i32, i64);

impl Log {
    fn append(&mut self, bytes: &Bytes) -> Result<i64, ErrorCode> {
        let batch = batches(bytes).next().expect("a batch").expect("well formed");
        let (header, first) = (batch.header, batch.header.base_sequence.0);
        let offset = i64::try_from(self.values.len()).expect("small");
        if header.has_producer() {
            let epoch = header.producer_epoch.0;
            let (known, window) = self.producers.entry(header.producer_id.0).or_insert((epoch, VecDeque::new()));
            if epoch < *known {
                return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
            }
            let next = first + header.record_count;
            if let Some((_, _, offset)) = window.iter().find(|(f, n, _)| epoch == *known && (*f, *n) == (first, next)) {
                return Ok(*offset);
            }
            let expected = if epoch > *known { Some(0) } else { window.back().map(|(_, next, _)| *next) };
            if expected.is_some_and(|expected| expected != first) {
                return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
            }
            if epoch > *known {
                window.clear();
            }
            *known = epoch;
            window.push_back((first, next, offset));
            if window.len() > 5 {
                window.pop_front();
            }
        }
        let value = |value: Bytes| u64::from_be_bytes(*value.first_chunk().expect("eight bytes"));
        let records = batch.records().expect("not compressed");
        self.values.extend(records.map(|record| value(record.expect("well formed").value.expect("a value"))));
        Ok(offset)
    }
}

/// What happens to one request.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// Nothing: written and answered.
    None,
    /// Refused before the append.
    Refused,
    /// Written, but the answer says something else.
    Doubtful,
    /// Written, the answer lost.
    AnswerLost,
    /// Not written, the connection lost.
    RequestLost,
    /// The connection is lost; written when so many more requests have come.
    HeldUp(u8),
    /// No answer at all; written when so many more requests have come.
    Stuck(u8),
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        4 => Just(Mishap::None),
        2 => Just(Mishap::Refused),
        1 => Just(Mishap::Doubtful),
        1 => Just(Mishap::AnswerLost),
        1 => Just(Mishap::RequestLost),
        1 => (0..9u8).prop_map(Mishap::HeldUp),
        1 => (0..9u8).prop_map(Mishap::Stuck),
    ]
}

/// One producer, one broker, and what goes wrong between them.
struct World {
    client: ProducerActor,
    out: Outbox,
    now: Time,
    events: VecDeque<Event>,
    mishaps: VecDeque<Mishap>,
    log: Log,
    held: Vec<(u8, Bytes)>,
    stuck: Vec<ConnectionId>,
    producers: i64,
    outcomes: BTreeMap<u64, Outcome>,
}

impl World {
    fn new(properties: &[(&str, &str)], mishaps: Vec<Mishap>) -> World {
        let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut config = ProducerConfig::from_properties(&properties).expect("allowed");
        config.common.bootstrap = vec![Address::new("b1", 9092)];
        World {
            client: ProducerActor::new(config),
            out: Outbox::new(),
            now: Time::ZERO,
            events: VecDeque::new(),
            mishaps: mishaps.into(),
            log: Log::default(),
            held: Vec::new(),
            stuck: Vec::new(),
            producers: 0,
            outcomes: BTreeMap::new(),
        }
    }

    fn step(&mut self, event: Event) {
        let now = Now { mono: self.now, wall: Timestamp(0) };
        self.client.step(now, event, &mut MemoryDisk::new(), &mut self.out);
        assert!(self.client.deadline().is_none_or(|at| at > self.now), "busy waiting");
        let actions: Vec<Action> = self.out.drain().collect();
        for action in actions {
            self.carry_out(action);
        }
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect { connection, to } => {
                self.events.push_back(Event::Opened { connection, peer: to, accepted: false });
            }
            Action::Close { connection } => self.drop_frames(connection),
            Action::Send { connection, chunks, .. } => self.receive(connection, &join(&chunks)),
            Action::Complete(completion) => {
                let before = self.outcomes.insert(completion.id.0, completion.outcome);
                assert!(before.is_none(), "command {} was answered twice", completion.id.0);
            }
            other => panic!("a client does not ask for {other:?}"),
        }
    }

    fn drop_frames(&mut self, gone: ConnectionId) {
        self.events.retain(|event| !matches!(event, Event::Frame { connection, .. } if *connection == gone));
    }

    fn receive(&mut self, connection: ConnectionId, frame: &Bytes) {
        if self.stuck.contains(&connection) {
            return;
        }
        let (header, request) = decode_request(frame).expect("clients send requests");
        if let Some(response) = self.answer(connection, request) {
            let chunks = encode_response(header.api_key, header.api_version, header.correlation_id, &response);
            self.events.push_back(Event::Frame { connection, frame: join(&chunks.expect("possible")) });
        }
    }

    #[allow(clippy::wildcard_enum_match_arm)]
    fn answer(&mut self, connection: ConnectionId, request: Request) -> Option<Response> {
        Some(match request {
            Request::ApiVersions(_) => {
                let api_keys = api_versions(Listener::Broker);
                Response::ApiVersions(ApiVersionsResponse { api_keys, ..Default::default() })
            }
            Request::Metadata(_) => metadata(),
            Request::InitProducerId(_) => {
                self.producers += 1;
                Response::InitProducerId(InitProducerIdResponse { producer_id: self.producers, ..Default::default() })
            }
            Request::Produce(request) => {
                let records = request.topic_data[0].partition_data[0].records.clone().expect("records");
                let (error, offset) = self.produce(connection, &records)?;
                let partition = PartitionProduceResponse { error_code: error.code(), base_offset: offset, ..Default::default() };
                let topic =
                    TopicProduceResponse { topic_id: Uuid(1), partition_responses: vec![partition], ..Default::default() };
                Response::Produce(ProduceResponse { responses: vec![topic], ..Default::default() })
            }
            other => panic!("a producer does not ask {other:?}"),
        })
    }

    fn produce(&mut self, connection: ConnectionId, records: &Bytes) -> Option<(ErrorCode, i64)> {
        for (left, records) in std::mem::take(&mut self.held) {
            match left {
                0 => {
                    let _ = self.log.append(&records);
                }
                _ => self.held.push((left - 1, records)),
            }
        }
        match self.mishaps.pop_front().unwrap_or(Mishap::None) {
            Mishap::None => Some(told(self.log.append(records))),
            Mishap::Refused => Some((ErrorCode::NOT_ENOUGH_REPLICAS, -1)),
            Mishap::Doubtful => {
                let told = told(self.log.append(records));
                Some(if told.0.is_none() { (ErrorCode::NOT_LEADER_OR_FOLLOWER, -1) } else { told })
            }
            Mishap::AnswerLost => {
                let _ = self.log.append(records);
                self.lose(connection)
            }
            Mishap::RequestLost => self.lose(connection),
            Mishap::HeldUp(span) => {
                self.held.push((span, records.clone()));
                self.lose(connection)
            }
            Mishap::Stuck(span) => {
                self.held.push((span, records.clone()));
                self.stuck.push(connection);
                None
            }
        }
    }

    fn lose(&mut self, connection: ConnectionId) -> Option<(ErrorCode, i64)> {
        self.stuck.push(connection);
        self.events.push_back(Event::Closed { connection, reason: CloseReason::Reset });
        None
    }

    fn happen(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.step(event);
        }
    }

    /// Lets everything happen up to `until`.
    fn run(&mut self, until: Time) {
        loop {
            if !self.events.is_empty() {
                self.happen();
            } else if let Some(at) = self.client.deadline().filter(|at| *at <= until) {
                self.now = at;
                self.step(Event::Woken);
            } else {
                self.now = until;
                return;
            }
        }
    }
}

fn told(result: Result<i64, ErrorCode>) -> (ErrorCode, i64) {
    match result {
        Ok(offset) => (ErrorCode::NONE, offset),
        Err(error) => (error, -1),
    }
}

fn metadata() -> Response {
    let broker = MetadataResponseBroker { node_id: 1, host: "b1".to_owned(), port: 9092, ..Default::default() };
    let partition = MetadataResponsePartition { leader_id: 1, leader_epoch: 0, ..Default::default() };
    let topic = MetadataResponseTopic {
        name: Some("t".to_owned()),
        topic_id: Uuid(1),
        partitions: vec![partition],
        ..Default::default()
    };
    Response::Metadata(MetadataResponse { brokers: vec![broker], topics: vec![topic], ..Default::default() })
}

/// A shorter pause (in milliseconds) is no time at all.
const PAUSE_MIN: u16 = 150;

/// Writes a value at each of these moments (milliseconds apart), lets everything come to an end, and gives the world.
fn history(properties: &[(&str, &str)], pauses: &[u16], mishaps: Vec<Mishap>) -> World {
    let mut world = World::new(properties, mishaps);
    let topic: Arc<str> = Arc::from("t");
    for (id, pause) in (0..).zip(pauses) {
        let value = Bytes::copy_from_slice(&u64::to_be_bytes(id));
        let operation = Operation::Produce { topic: Arc::clone(&topic), partition: None, key: None, value };
        world.step(Event::Command(Command { id: OperationId(id), operation }));
        if *pause > PAUSE_MIN {
            world.run(Time(world.now.0 + u64::from(*pause) * 1_000_000));
        } else {
            // The next record comes when only so much has happened, so that several requests are on their way.
            let some = usize::from(pause % 8).min(world.events.len());
            (0..some).for_each(|_| world.happen());
        }
    }
    world.run(Time(world.now.0 + 60_000_000_000));
    for (_, records) in std::mem::take(&mut world.held) {
        let _ = world.log.append(&records);
    }
    world
}

fn check_honesty(world: &World, commands: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(world.outcomes.len(), commands, "every command is answered");
    for (id, outcome) in &world.outcomes {
        let places = world.log.values.iter().filter(|value| *value == id).count();
        if let Outcome::Produced { offset, .. } = outcome {
            prop_assert!(places > 0, "{} is told written, but is not", id);
            if let Some(offset) = offset {
                let at = usize::try_from(offset.0).expect("an offset of the log");
                prop_assert_eq!(world.log.values[at], *id, "{} is told to lie at {}", id, offset);
            }
        } else if let Outcome::Failed { certainty: Certainty::Definite, .. } = outcome {
            prop_assert_eq!(places, 0, "{} is told not written, but is", id);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn idempotent_producer_is_honest_and_keeps_the_order(
        pauses in prop::collection::vec(0..400u16, 1..40),
        mishaps in prop::collection::vec(mishap(), 0..60),
    ) {
        let patience = [("linger.ms", "0"), ("request.timeout.ms", "700"), ("delivery.timeout.ms", "2000")];
        let world = history(&patience, &pauses, mishaps);
        check_honesty(&world, pauses.len())?;
        prop_assert!(world.log.values.is_sorted(), "out of order: {:?}", world.log.values);
        prop_assert!(world.log.values.windows(2).all(|pair| pair[0] != pair[1]), "twice: {:?}", world.log.values);
    }

    #[test]
    fn producer_without_idempotence_is_honest(
        pauses in prop::collection::vec(0..400u16, 1..40),
        mishaps in prop::collection::vec(mishap(), 0..60),
    ) {
        let properties = [
            ("enable.idempotence", "false"), ("linger.ms", "3"), ("request.timeout.ms", "700"), ("delivery.timeout.ms", "2000"),
        ];
        check_honesty(&history(&properties, &pauses, mishaps), pauses.len())?;
    }
}

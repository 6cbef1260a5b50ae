//! A controller that says what the script says: it accepts every registration, believes every heartbeat, and commits at once.

use bytes::Bytes;

use crate::controller::{MetadataImage, Partition};
use crate::types::{BrokerId, Duration, LeaderEpoch, Offset, PartitionId, Time, Timestamp, Uuid};
use crate::wire::alter_partition_response::{PartitionData as AlteredPartition, TopicData as AlteredTopic};
use crate::wire::create_topics_response::CreatableTopicResult;
use crate::wire::fetch_response::{FetchableTopicResponse, PartitionData};
use crate::wire::metadata::{
    BrokerEndpoint, BrokerRegistrationChangeRecord, ConfigRecord, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord,
    RemoveTopicRecord, TopicRecord,
};
use crate::wire::record::BatchBuilder;
use crate::wire::{
    AllocateProducerIdsResponse, AlterPartitionRequest, AlterPartitionResponse, ApiKey, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse, CreateTopicsRequest, CreateTopicsResponse,
    EnvelopeResponse, ErrorCode, FetchRequest, FetchResponse, MetadataRecord, Request, Response, decode_request, encode_response,
    join,
};

use crate::broker::metadata_view::METADATA_TOPIC;

/// A fetch of the metadata log that waits for the log to grow.
struct Parked {
    connection: usize,
    correlation: i32,
    version: i16,
    from: Offset,
    until: Time,
}

/// The metadata log, and who waits for it.
#[derive(Default)]
pub(super) struct ScriptedController {
    pub image: MetadataImage,
    log: Vec<Bytes>,
    parked: Vec<Parked>,
    next_producer_id: i64,
    /// What every AlterPartition is refused with.
    pub refusal: Option<ErrorCode>,
}

impl ScriptedController {
    /// Commits a record.
    pub fn append(&mut self, record: impl Into<MetadataRecord>) {
        let record = record.into();
        let offset = self.image.end();
        self.image.apply(&record, offset).expect("the script says what can be");
        self.log.push(record.encode().expect("the newest version carries everything"));
    }

    /// Answers to one request: to whoever sent it now, or nothing yet.
    pub fn on_frame(&mut self, now: Time, connection: usize, frame: &Bytes) -> Option<Bytes> {
        let (header, request) = decode_request(frame).expect("brokers speak the protocol");
        if let Request::Fetch(fetch) = &request {
            let from = wanted(fetch);
            let until = now.plus(Duration::from_millis_field(i64::from(fetch.max_wait_ms)));
            let (correlation, version) = (header.correlation_id, header.api_version);
            self.parked.push(Parked { connection, correlation, version, from, until });
            return None;
        }
        let response = self.answer(request);
        Some(encode(header.api_key, header.api_version, header.correlation_id, response))
    }

    fn answer(&mut self, request: Request) -> Response {
        #[allow(clippy::wildcard_enum_match_arm)]
        match request {
            Request::BrokerRegistration(request) => self.register(request).into(),
            Request::BrokerHeartbeat(request) => self.beat(&request).into(),
            Request::AlterPartition(request) => self.alter(&request).into(),
            Request::AllocateProducerIds(_) => {
                let producer_id_start = self.next_producer_id;
                self.next_producer_id += 2;
                AllocateProducerIdsResponse { producer_id_start, producer_id_len: 2, ..Default::default() }.into()
            }
            Request::Envelope(request) => {
                let (header, inner) = decode_request(&request.request_data).expect("a broker forwards what it could read");
                let Request::CreateTopics(create) = inner else { panic!("only CreateTopics is scripted") };
                let data = encode(header.api_key, header.api_version, header.correlation_id, self.create_topics(&create).into());
                EnvelopeResponse { response_data: Some(data), ..Default::default() }.into()
            }
            other => panic!("a broker asks the controller for {}", other.api_key()),
        }
    }

    fn register(&mut self, request: BrokerRegistrationRequest) -> BrokerRegistrationResponse {
        let broker_epoch = self.image.end().0;
        let listener = request.listeners.into_iter().next().expect("a broker has a listener");
        let end_point = BrokerEndpoint { name: listener.name, host: listener.host, port: listener.port, ..Default::default() };
        self.append(RegisterBrokerRecord {
            broker_id: request.broker_id,
            incarnation_id: request.incarnation_id,
            broker_epoch,
            end_points: vec![end_point],
            log_dirs: request.log_dirs,
            ..RegisterBrokerRecord::default()
        });
        BrokerRegistrationResponse { broker_epoch, ..Default::default() }
    }

    fn beat(&mut self, request: &BrokerHeartbeatRequest) -> BrokerHeartbeatResponse {
        let is_caught_up = request.current_metadata_offset >= request.broker_epoch;
        let known = self.image.broker(BrokerId(request.broker_id)).expect("registered before");
        if known.epoch.0 != request.broker_epoch {
            return BrokerHeartbeatResponse { error_code: ErrorCode::STALE_BROKER_EPOCH.code(), ..Default::default() };
        }
        if known.is_fenced && is_caught_up && !request.want_fence {
            self.append(BrokerRegistrationChangeRecord {
                broker_id: request.broker_id,
                broker_epoch: request.broker_epoch,
                fenced: -1,
                ..BrokerRegistrationChangeRecord::default()
            });
        }
        let is_fenced = self.image.broker(BrokerId(request.broker_id)).is_some_and(|broker| broker.is_fenced);
        let should_shut_down = request.want_shut_down;
        BrokerHeartbeatResponse { is_caught_up, is_fenced, should_shut_down, ..Default::default() }
    }

    fn alter(&mut self, request: &AlterPartitionRequest) -> AlterPartitionResponse {
        let mut topics = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for wanted in &topic.partitions {
                let id = PartitionId { topic: topic.topic_id, index: wanted.partition_index };
                let isr: Vec<i32> = wanted.new_isr_with_epochs.iter().map(|member| member.broker_id).collect();
                if self.refusal.is_none() {
                    self.change(id, None, Some(isr));
                }
                partitions.push(self.altered(id));
            }
            topics.push(AlteredTopic { topic_id: topic.topic_id, partitions, ..Default::default() });
        }
        AlterPartitionResponse { topics, ..Default::default() }
    }

    fn altered(&self, id: PartitionId) -> AlteredPartition {
        let state = self.state(id);
        AlteredPartition {
            partition_index: id.index,
            error_code: self.refusal.unwrap_or(ErrorCode::NONE).code(),
            leader_id: state.leader_number(),
            leader_epoch: state.leader_epoch.0,
            isr: state.isr.iter().map(|member| member.0).collect(),
            partition_epoch: state.partition_epoch.0,
            ..Default::default()
        }
    }

    /// Commits another leader, another ISR, or both.
    pub fn change(&mut self, id: PartitionId, leader: Option<i32>, isr: Option<Vec<i32>>) {
        self.append(PartitionChangeRecord {
            partition_id: id.index,
            topic_id: id.topic,
            leader: leader.unwrap_or(-2),
            isr,
            ..PartitionChangeRecord::default()
        });
    }

    /// A partition as committed.
    pub fn state(&self, id: PartitionId) -> &Partition {
        self.image.partition(id).expect("the script names partitions that exist")
    }

    fn create_topics(&mut self, request: &CreateTopicsRequest) -> CreateTopicsResponse {
        let mut topics = Vec::new();
        for topic in &request.topics {
            let replicas: Vec<i32> =
                self.image.brokers().map(|broker| broker.id.0).take(topic.replication_factor as usize).collect();
            for index in 0..topic.num_partitions {
                self.create(&topic.name, index, &replicas, &replicas, &[]);
            }
            topics.push(CreatableTopicResult { name: topic.name.clone(), ..Default::default() });
        }
        CreateTopicsResponse { topics, ..Default::default() }
    }

    /// Commits a partition, and its topic with it if that is new.
    pub fn create(&mut self, topic: &str, index: i32, replicas: &[i32], isr: &[i32], config: &[(String, String)]) {
        if self.image.topic_by_name(topic).is_none() {
            let topic_id = Uuid(100 + self.image.end().0 as u128);
            self.append(TopicRecord { name: topic.to_owned(), topic_id, ..TopicRecord::default() });
        }
        for (name, value) in config {
            let (resource_name, name, value) = (topic.to_owned(), name.clone(), Some(value.clone()));
            self.append(ConfigRecord { resource_type: 2, resource_name, name, value, ..ConfigRecord::default() });
        }
        let topic_id = self.image.topic_by_name(topic).expect("just made").id;
        self.append(PartitionRecord {
            partition_id: index,
            topic_id,
            replicas: replicas.to_vec(),
            isr: isr.to_vec(),
            leader: isr[0],
            leader_epoch: 0,
            partition_epoch: 0,
            directories: vec![Uuid::ZERO; replicas.len()],
            ..PartitionRecord::default()
        });
    }

    /// Commits a configuration of a topic.
    pub fn configure(&mut self, topic: &str, name: &str, value: Option<&str>) {
        let (resource_name, name, value) = (topic.to_owned(), name.to_owned(), value.map(str::to_owned));
        self.append(ConfigRecord { resource_type: 2, resource_name, name, value, ..ConfigRecord::default() });
    }

    /// Commits the end of a topic.
    pub fn delete(&mut self, topic: &str) {
        let topic_id = self.image.topic_by_name(topic).expect("the script names topics that exist").id;
        self.append(RemoveTopicRecord { topic_id, ..RemoveTopicRecord::default() });
    }

    /// The answers to parked fetches that are due: there is something new, or their time is up.
    pub fn due(&mut self, now: Time) -> Vec<(usize, Bytes)> {
        let end = self.image.end();
        let (due, parked) =
            std::mem::take(&mut self.parked).into_iter().partition(|parked| parked.from < end || parked.until <= now);
        self.parked = parked;
        let answer = |parked: Parked| {
            let response = Response::from(self.records_from(parked.from));
            (parked.connection, encode(ApiKey::Fetch, parked.version, parked.correlation, response))
        };
        let due: Vec<Parked> = due;
        due.into_iter().map(answer).collect()
    }

    /// When the next parked fetch runs out.
    pub fn deadline(&self) -> Option<Time> {
        self.parked.iter().map(|parked| parked.until).min()
    }

    /// Forgets who waited on this connection.
    pub fn on_closed(&mut self, connection: usize) {
        self.parked.retain(|parked| parked.connection != connection);
    }

    fn records_from(&self, from: Offset) -> FetchResponse {
        let mut batch = BatchBuilder::new().at(from, LeaderEpoch(0));
        let new = &self.log[from.0 as usize..];
        new.iter().for_each(|record| batch.push(Timestamp(0), None, Some(record), &[]));
        let records = if new.is_empty() { Bytes::new() } else { batch.build() };
        let end = self.image.end().0;
        let data = PartitionData { high_watermark: end, records: Some(records), ..PartitionData::default() };
        let topic = FetchableTopicResponse { topic_id: METADATA_TOPIC, partitions: vec![data], ..Default::default() };
        FetchResponse { responses: vec![topic], ..FetchResponse::default() }
    }
}

fn wanted(fetch: &FetchRequest) -> Offset {
    Offset(fetch.topics[0].partitions[0].fetch_offset)
}

fn encode(api_key: ApiKey, version: i16, correlation: i32, response: Response) -> Bytes {
    join(&encode_response(api_key, version, correlation, &response).expect("the script answers what the version carries"))
}

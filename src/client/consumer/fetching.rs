//! Fetching: which partitions are asked for together, and what an answer means for each.

use std::collections::BTreeMap;

use super::{ConsumerActor, Errand, Question, Seat};
use crate::actor::Outbox;
use crate::client::certainty::is_stale_metadata;
use crate::client::fetched::Fetched;
use crate::client::positions::{Place, Stage};
use crate::types::{BrokerId, Time, TopicId, Uuid};
use crate::wire::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use crate::wire::fetch_response::{FetchResponse, PartitionData};
use crate::wire::{ApiKey, ErrorCode, Request, Response};

/// The first version of Fetch that names topics by id.
const TOPIC_IDS_SINCE: i16 = 13;

impl ConsumerActor {
    /// One fetch to each leader that has none on its way, for all its partitions of which nothing is left.
    pub(super) fn fetch(&mut self, now: Time, out: &mut Outbox) {
        let mut hungry: BTreeMap<BrokerId, Vec<usize>> = BTreeMap::new();
        for (at, place) in self.places.iter().enumerate().filter(|(_, place)| place.is_hungry() && place.retry_at <= now) {
            if let Some(leader) = self.cluster.leader(&place.partition.topic, place.partition.index) {
                hungry.entry(leader.broker).or_default().push(at);
            }
        }
        for (broker, places) in hungry {
            if !self.fetching.contains(&broker) {
                self.fetch_from(broker, &places, now, out);
            }
        }
    }

    fn fetch_from(&mut self, broker: BrokerId, places: &[usize], now: Time, out: &mut Outbox) {
        let Some(contact) = self.cluster.version(broker, ApiKey::Fetch, now, out) else { return };
        self.questions += 1;
        let seats: Vec<Seat> = places.iter().map(|place| self.seat(*place)).collect();
        let names = seats.iter().any(|seat| seat.topic == Uuid::ZERO);
        let version = contact.version.map(|version| if names { version.min(TOPIC_IDS_SINCE - 1) } else { version });
        let request = self.fetch_request(places, &seats, version.is_some_and(|version| version < TOPIC_IDS_SINCE));
        let errand = Errand::Fetch { broker, seats };
        let sent =
            version.is_some_and(|version| self.cluster.send(&contact.address, version, request, Some(errand), now, out).is_ok());
        for place in places {
            let place = &mut self.places[*place];
            match sent {
                true => place.asked = Some(self.questions),
                false => place.fail(now, self.config.common.retry_backoff),
            }
        }
        if sent {
            self.fetching.insert(broker);
        }
    }

    fn seat(&self, place: usize) -> Seat {
        let Place { number, partition, position, .. } = &self.places[place];
        let topic = self.cluster.metadata().topic(&partition.topic).map_or(Uuid::ZERO, |topic| topic.id);
        Seat { question: Question { place: *number, number: self.questions }, topic, offset: position.offset }
    }

    fn fetch_request(&self, places: &[usize], seats: &[Seat], names: bool) -> Request {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for (place, seat) in places.iter().zip(seats) {
            let Place { partition, leader_epoch, .. } = &self.places[*place];
            let asked = FetchPartition {
                partition: partition.index,
                current_leader_epoch: leader_epoch.0,
                fetch_offset: seat.offset.0,
                partition_max_bytes: self.config.partition_bytes_max,
                ..FetchPartition::default()
            };
            match topics.iter_mut().find(|t| if names { *t.topic == *partition.topic } else { t.topic_id == seat.topic }) {
                Some(topic) => topic.partitions.push(asked),
                None => topics.push(FetchTopic {
                    topic: if names { partition.topic.to_string() } else { String::new() },
                    topic_id: seat.topic,
                    partitions: vec![asked],
                    ..FetchTopic::default()
                }),
            }
        }
        Request::Fetch(FetchRequest {
            max_wait_ms: i32::try_from(self.config.fetch_wait_max.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.config.fetch_bytes_min,
            max_bytes: self.config.fetch_bytes_max,
            isolation_level: self.config.isolation.code(),
            topics,
            ..FetchRequest::default()
        })
    }

    pub(super) fn on_fetched(&mut self, now: Time, seats: &[Seat], response: Option<Response>) {
        let response = match response {
            Some(Response::Fetch(response)) => response,
            _ => FetchResponse { error_code: ErrorCode::NETWORK_EXCEPTION.code(), ..FetchResponse::default() },
        };
        let backoff = self.config.common.retry_backoff;
        for seat in seats {
            let Some(place) = self.asker(seat.question) else { continue };
            let is_topic =
                |name: &str, id: TopicId| if name.is_empty() { id == seat.topic } else { *name == *place.partition.topic };
            let topics = response.responses.iter().filter(|topic| is_topic(&topic.topic, topic.topic_id));
            let answer = topics.flat_map(|topic| &topic.partitions).find(|p| p.partition_index == place.partition.index);
            match answer.filter(|_| response.error_code == 0) {
                Some(answer) => self.on_partition(now, seat, answer),
                None => {
                    place.fail(now, backoff);
                    self.cluster.refresh();
                }
            }
        }
    }

    fn on_partition(&mut self, now: Time, seat: &Seat, answer: &PartitionData) {
        let Some(place) = self.places.find(seat.question.place) else { return };
        assert!(place.stage == Stage::Reading && place.position.offset == seat.offset, "{place:?} waits for {seat:?}");
        match ErrorCode(answer.error_code) {
            ErrorCode::NONE => {
                place.succeed();
                let records = answer.records.clone().filter(|records| !records.is_empty());
                let aborted = answer.aborted_transactions.as_deref().unwrap_or_default();
                place.fetched = records.map(|records| Fetched::new(seat.offset, records, aborted));
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                place.succeed();
                place.reset(self.config.reset, ErrorCode::OFFSET_OUT_OF_RANGE);
            }
            error => {
                place.fail(now, self.config.common.retry_backoff);
                if is_stale_metadata(error) {
                    let (partition, leader) = (&place.partition, &answer.current_leader);
                    self.cluster.learn_leader(&partition.topic, partition.index, leader.leader_id, leader.leader_epoch);
                    self.cluster.refresh();
                } else if !error.is_retriable() && error != ErrorCode::UNKNOWN_SERVER_ERROR {
                    self.complaint = Some(error);
                }
            }
        }
    }
}

//! Fetch: read from many partitions at once, or wait until there is something to read.
//!
//! Followers and consumers send the same request. It is answered at once if it may bring home `min_bytes`, if any partition answers with an
//! error or with the place where logs part, or if the reader does not want to wait. Otherwise it is parked, and woken by whatever
//! happens to one of its partitions: a follower by a longer log, a consumer by a higher high watermark. A higher high watermark alone does
//! not wake a follower; it hears of it with its next fetch, up to `replica.fetch.wait.max.ms` later (that delay is what KIP-101 is about).
//!
//! `max_bytes` bounds the whole answer: partitions are filled in the order of the request, each up to its own bound, until the budget is
//! used up. The first batch is given even if it is larger than every bound; else a reader could never get past it.
//!
//! Fetch sessions (KIP-227) are declined by answering session id 0: each request names all its partitions.

use bytes::Bytes;

use crate::types::{BrokerEpoch, BrokerId, Duration, LeaderEpoch, Offset, PartitionId, Uuid};
use crate::wire::fetch_request::{FetchPartition, FetchTopic};
use crate::wire::fetch_response::{EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData};
use crate::wire::{ErrorCode, FetchRequest, FetchResponse};

use super::BrokerActor;
use super::partitions::Partitions;
use super::purgatory::{Parked, Place, Waiting};
use super::reply::{Caller, Step};
use crate::replica::serve::Budget;
use crate::replica::{FetchFrom, Fetched, Reader};

/// First version that names topics by id.
const FIRST_WITH_TOPIC_IDS: i16 = 13;
/// First version that can say who leads instead.
const FIRST_WITH_LEADER_HINT: i16 = 12;
/// First version that can say where that leader listens.
const FIRST_WITH_ENDPOINTS: i16 = 16;
/// `isolation_level` of a reader that wants committed transactions only.
const READ_COMMITTED: i8 = 1;

/// A fetch request, as it is kept while it waits.
#[derive(Debug, Hash)]
pub(super) struct WaitingFetch {
    reader: Reader,
    bytes_min: usize,
    bytes_max: usize,
    topics: Vec<WantedTopic>,
}

#[derive(Debug, Hash)]
struct WantedTopic {
    name: String,
    id: Uuid,
    partitions: Vec<Wanted>,
}

#[derive(Debug, Hash)]
struct Wanted {
    index: i32,
    partition: Result<PartitionId, ErrorCode>,
    from: FetchFrom,
    bytes_max: usize,
}

/// Whether a request is looked at for the first time. Only then does a follower's progress count: later it is old news.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    First,
    Again,
}

/// What a request would bring home now.
struct Haul {
    /// In the order of the request.
    partitions: Vec<Fetched>,
    bytes: usize,
    urgent: bool,
}

impl WaitingFetch {
    /// The partitions whose changes it waits for.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.wanted().filter_map(|wanted| wanted.partition.ok())
    }

    /// Whether a follower sent it.
    pub fn is_followers(&self) -> bool {
        matches!(self.reader, Reader::Follower { .. })
    }

    fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.topics.iter().flat_map(|topic| &topic.partitions)
    }

    fn is_satisfied_by(&self, haul: &Haul) -> bool {
        haul.urgent || haul.bytes >= self.bytes_min || self.topics.is_empty()
    }
}

impl BrokerActor {
    /// Answers at once, or parks.
    pub(super) fn on_fetch(&mut self, caller: Caller, request: FetchRequest, step: &mut Step<'_>) {
        if request.session_id != 0 {
            let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND.code();
            return caller.answer(FetchResponse { error_code, ..FetchResponse::default() }, step.out);
        }
        let wait = Duration::from_millis_field(i64::from(request.max_wait_ms));
        let waiting = self.wanted(caller.version, request);
        let haul = self.haul(&waiting, Look::First, step);
        if waiting.is_satisfied_by(&haul) || wait == Duration::ZERO {
            return self.answer_fetch(caller, waiting, haul, step);
        }
        let deadline = step.now.mono.plus(wait);
        self.parked.park(Parked { caller, deadline, request: Waiting::Fetch(waiting) });
    }

    /// Something has happened to a partition that this parked fetch watches.
    pub(super) fn look_again_at_fetch(&mut self, place: Place, step: &mut Step<'_>) {
        let Some(Parked { request: Waiting::Fetch(waiting), .. }) = self.parked.parked(place) else { return };
        let haul = Self::haul_from(&mut self.partitions, waiting, Look::Again, step);
        if !waiting.is_satisfied_by(&haul) {
            return;
        }
        if let Some(Parked { caller, request: Waiting::Fetch(waiting), .. }) = self.parked.release(place) {
            self.answer_fetch(caller, waiting, haul, step);
        }
    }

    /// The deadline of a parked fetch has come: it gets what there is.
    pub(super) fn expire_fetch(&mut self, caller: Caller, waiting: WaitingFetch, step: &mut Step<'_>) {
        let haul = self.haul(&waiting, Look::Again, step);
        self.answer_fetch(caller, waiting, haul, step);
    }

    fn wanted(&self, version: i16, request: FetchRequest) -> WaitingFetch {
        let reader = reader(&request);
        let limit = match reader {
            Reader::Consumer { .. } => self.config.fetch_max_bytes,
            Reader::Follower { .. } => i32::MAX,
        };
        let topics = request.topics.into_iter().map(|topic| self.wanted_topic(version, topic)).collect();
        WaitingFetch { reader, bytes_min: size(request.min_bytes), bytes_max: size(request.max_bytes.min(limit)), topics }
    }

    fn wanted_topic(&self, version: i16, topic: FetchTopic) -> WantedTopic {
        let (found, unknown) = match version >= FIRST_WITH_TOPIC_IDS {
            true => (self.view.image().topic(topic.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
            false => (self.view.image().topic_by_name(&topic.topic), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        };
        let id = found.map(|topic| topic.id).ok_or(unknown);
        let wanted = |partition: &FetchPartition| {
            let index = partition.partition;
            let partition_id = id.and_then(|topic| self.present(PartitionId { topic, index }));
            Wanted { index, partition: partition_id, from: from(partition), bytes_max: size(partition.partition_max_bytes) }
        };
        WantedTopic { partitions: topic.partitions.iter().map(wanted).collect(), name: topic.topic, id: topic.topic_id }
    }

    fn present(&self, partition: PartitionId) -> Result<PartitionId, ErrorCode> {
        self.partitions.replica(partition).map(|_| partition).ok_or_else(|| self.missing(partition))
    }

    fn haul(&mut self, waiting: &WaitingFetch, look: Look, step: &mut Step<'_>) -> Haul {
        Self::haul_from(&mut self.partitions, waiting, look, step)
    }

    fn haul_from(partitions: &mut Partitions, waiting: &WaitingFetch, look: Look, step: &mut Step<'_>) -> Haul {
        let mut haul = Haul { partitions: Vec::with_capacity(waiting.wanted().count()), bytes: 0, urgent: false };
        for wanted in waiting.wanted() {
            let left = waiting.bytes_max.saturating_sub(haul.bytes);
            let budget = Budget { bytes_max: wanted.bytes_max.min(left), at_least_one: haul.bytes == 0 };
            let fetched = fetch_one(partitions, wanted, waiting.reader, budget, look, step);
            haul.bytes += fetched.records.len();
            haul.urgent |= fetched.is_urgent();
            haul.partitions.push(fetched);
        }
        haul
    }

    fn answer_fetch(&mut self, caller: Caller, waiting: WaitingFetch, haul: Haul, step: &mut Step<'_>) {
        let mut response = FetchResponse { responses: Vec::with_capacity(waiting.topics.len()), ..FetchResponse::default() };
        let committed_only = matches!(waiting.reader, Reader::Consumer { committed_only: true });
        let mut fetched = haul.partitions.into_iter();
        for topic in waiting.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for (wanted, fetched) in topic.partitions.iter().zip(fetched.by_ref()) {
                let mut data = partition_data(wanted.index, fetched);
                data.aborted_transactions = committed_only.then(Vec::new);
                if caller.version >= FIRST_WITH_LEADER_HINT {
                    self.hint_at_leader(caller.version, wanted, &mut data, &mut response.node_endpoints);
                }
                partitions.push(data);
            }
            let answered = FetchableTopicResponse { topic: topic.name, topic_id: topic.id, partitions, ..Default::default() };
            response.responses.push(answered);
        }
        caller.answer(response, step.out);
    }

    fn hint_at_leader(&self, version: i16, wanted: &Wanted, data: &mut PartitionData, endpoints: &mut Vec<NodeEndpoint>) {
        let misled = [ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::FENCED_LEADER_EPOCH].contains(&ErrorCode(data.error_code));
        let Some((leader, epoch)) = wanted.partition.ok().filter(|_| misled).and_then(|id| self.view.leader_of(id)) else {
            return;
        };
        data.current_leader = LeaderIdAndEpoch { leader_id: leader.id.0, leader_epoch: epoch.0, ..Default::default() };
        if version >= FIRST_WITH_ENDPOINTS && endpoints.iter().all(|known| known.node_id != leader.id.0) {
            let (host, port) = (leader.address.host.to_string(), i32::from(leader.address.port));
            endpoints.push(NodeEndpoint { node_id: leader.id.0, host, port, ..NodeEndpoint::default() });
        }
    }
}

fn fetch_one(
    partitions: &mut Partitions,
    wanted: &Wanted,
    reader: Reader,
    budget: Budget,
    look: Look,
    step: &mut Step<'_>,
) -> Fetched {
    let touched = match wanted.partition {
        Ok(partition) => partitions.touch(partition).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        Err(error) => Err(error),
    };
    match touched {
        Ok((replica, members)) if look == Look::First => {
            replica.fetch(step.now, &wanted.from, reader, budget, members, step.disk, step.out)
        }
        Ok((replica, _)) => replica.reread(&wanted.from, reader, budget, step.disk, step.out),
        Err(error) => absent(error),
    }
}

fn absent(error: ErrorCode) -> Fetched {
    let none = Offset(-1);
    Fetched { error, high_watermark: none, last_stable: none, log_start: none, diverging: None, records: Bytes::new() }
}

fn reader(request: &FetchRequest) -> Reader {
    let replica = request.replica_id.max(request.replica_state.replica_id);
    match replica {
        0.. => Reader::Follower { broker: BrokerId(replica), broker_epoch: BrokerEpoch(request.replica_state.replica_epoch) },
        _ => Reader::Consumer { committed_only: request.isolation_level == READ_COMMITTED },
    }
}

fn from(partition: &FetchPartition) -> FetchFrom {
    let epoch = |number: i32| (number >= 0).then_some(LeaderEpoch(number));
    FetchFrom {
        leader_epoch: epoch(partition.current_leader_epoch),
        offset: Offset(partition.fetch_offset),
        last_epoch: epoch(partition.last_fetched_epoch),
        log_start: Offset(partition.log_start_offset),
    }
}

fn partition_data(index: i32, fetched: Fetched) -> PartitionData {
    let diverging =
        |(epoch, end): (LeaderEpoch, Offset)| EpochEndOffset { epoch: epoch.0, end_offset: end.0, ..Default::default() };
    PartitionData {
        partition_index: index,
        error_code: fetched.error.code(),
        high_watermark: fetched.high_watermark.0,
        last_stable_offset: fetched.last_stable.0,
        log_start_offset: fetched.log_start.0,
        diverging_epoch: fetched.diverging.map(diverging).unwrap_or_default(),
        records: Some(fetched.records),
        ..PartitionData::default()
    }
}

/// A count of bytes in a request; a negative one asks for nothing.
fn size(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

//! Following: one line to each broker that leads something we hold, and on it one fetch after the other.
//!
//! All partitions that follow the same leader share one request: it says for each how far our log reaches, and brings home what comes
//! after. One request is in flight per leader; the leader parks it until there is something new, so an idle cluster is quiet.
//!
//! ```text
//!   replicas that follow b2:  orders-0 (at 42)  orders-3 (at 7)   audit-0 (back-off until t)
//!                                   └──────┬───────┘
//!                                   one Fetch to b2 ──▶ answer per partition ──▶ replica ──▶ next Fetch
//! ```
//!
//! Between question and answer a replica may have got another leader or been cut. So what was asked is kept with the request, and the
//! replica itself compares it with where it stands when the answer comes (KAFKA-13207). A partition whose answer was an error pauses for
//! `replica.fetch.backoff.ms`; the others go on. Where the leader has not heard yet that it leads, a tenth of that will do (Kafka waits
//! for all of it): a follower that was told first would hold up the first writes of the new epoch.
//!
//! Nothing is asked for a replica that waits for a sync; but then the others' fetch must not be parked for long, or with `flush.messages=1`
//! that replica would get on by one fetch in each `replica.fetch.wait.max.ms`.

use std::collections::BTreeMap;

use crate::actor::Outbox;
use crate::channel::{Channel, ChannelConfig};
use crate::controller::MetadataImage;
use crate::mutant::Mutant;
use crate::replica::{Answer, FetchFrom, Verdict};
use crate::types::{BrokerEpoch, BrokerId, ConnectionId, Duration, LeaderEpoch, Offset, PartitionId, Time};
use crate::wire::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use crate::wire::fetch_response::PartitionData;
use crate::wire::{ErrorCode, FetchRequest, FetchResponse, Request, Response};

use super::config::BrokerConfig;
use super::partitions::Partitions;
use super::reply::Step;

/// The last version before followers tell the leader the high watermark they know (KIP-1166).
const FETCH_VERSION: i16 = 17;

/// How long a fetch may be parked while a replica, left out of it, waits for a sync.
const SYNC_PATIENCE: Duration = Duration::millis(10);

/// Such a part of the pause is enough where a leader is behind its followers.
const PAUSE_FOR_NEWS: u64 = 10;

/// All lines to leaders.
#[derive(Debug, Default, Hash)]
pub(super) struct Fetchers {
    lines: BTreeMap<BrokerId, Fetcher>,
}

/// The line to one leader.
#[derive(Debug, Hash)]
struct Fetcher {
    channel: Channel<Vec<Asked>>,
    /// The partitions that follow this leader, and until when each of them pauses.
    partitions: BTreeMap<PartitionId, Option<Time>>,
}

/// What was asked for one partition.
#[derive(Debug, Clone, Copy, Hash)]
struct Asked {
    partition: PartitionId,
    from: FetchFrom,
}

impl Fetchers {
    /// This partition follows `leader` from now on, or nobody.
    pub fn assign(&mut self, partition: PartitionId, leader: Option<BrokerId>, image: &MetadataImage, channel: &ChannelConfig) {
        for (_, fetcher) in self.lines.iter_mut().filter(|(id, _)| Some(**id) != leader) {
            fetcher.partitions.remove(&partition);
        }
        let Some(broker) = leader.and_then(|leader| image.broker(leader)) else { return };
        let open = || Fetcher { channel: Channel::new(broker.address.clone(), channel.clone()), partitions: BTreeMap::new() };
        self.lines.entry(broker.id).or_insert_with(open).partitions.insert(partition, None);
    }

    /// A broker may have come back under another address: then the line leads nowhere.
    pub fn on_broker_changed(&mut self, broker: BrokerId, image: &MetadataImage, channel: &ChannelConfig, step: &mut Step<'_>) {
        let (Some(fetcher), Some(known)) = (self.lines.get_mut(&broker), image.broker(broker)) else { return };
        if *fetcher.channel.peer() != known.address {
            fetcher.channel.reset(step.now.mono, step.out);
            fetcher.channel = Channel::new(known.address.clone(), channel.clone());
        }
    }

    /// Sees to it that a fetch is under way to every leader we follow; gives up lines that nobody needs.
    pub fn pump(&mut self, config: &BrokerConfig, broker_epoch: BrokerEpoch, partitions: &Partitions, step: &mut Step<'_>) {
        let (now, out) = (step.now.mono, &mut *step.out);
        // With these planted bugs, as in Kafka of their time, a line outlives what it was for, and brings home what it was last asked for.
        let outlives =
            [Mutant::LateEpochAnswer, Mutant::TruncateAfterHandover].into_iter().any(|mutant| config.mutants.is(mutant));
        self.lines.retain(|_, fetcher| {
            let needed = !fetcher.partitions.is_empty() || (outlives && fetcher.channel.in_flight() > 0);
            if !needed {
                fetcher.channel.reset(now, out);
            }
            needed
        });
        for (leader, fetcher) in &mut self.lines {
            fetcher.pump(now, *leader, config, broker_epoch, partitions, out);
        }
    }

    /// Whose line this connection is.
    pub fn owner(&self, connection: ConnectionId) -> Option<BrokerId> {
        self.lines.iter().find(|(_, fetcher)| fetcher.channel.owns(connection)).map(|(id, _)| *id)
    }

    /// The line to this leader stands.
    pub fn on_opened(&mut self, leader: BrokerId, connection: ConnectionId) {
        if let Some(fetcher) = self.lines.get_mut(&leader) {
            fetcher.channel.on_opened(connection);
        }
    }

    /// The line to this leader is gone. What was asked is simply asked again.
    pub fn on_closed(&mut self, leader: BrokerId, now: Time, connection: ConnectionId) {
        if let Some(fetcher) = self.lines.get_mut(&leader) {
            fetcher.channel.on_closed(now, connection);
        }
    }

    /// An answer from this leader.
    pub fn on_frame(
        &mut self,
        leader: BrokerId,
        frame: &bytes::Bytes,
        config: &BrokerConfig,
        partitions: &mut Partitions,
        step: &mut Step<'_>,
    ) {
        let Some(fetcher) = self.lines.get_mut(&leader) else { return };
        match fetcher.channel.on_frame(frame) {
            Ok((asked, Response::Fetch(response))) => {
                fetcher.on_answer(&asked, response, config.replica_fetch_backoff, partitions, step);
            }
            Ok(_) | Err(_) => {
                fetcher.channel.reset(step.now.mono, step.out);
            }
        }
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Option<Time> {
        self.lines.values().filter_map(Fetcher::deadline).min()
    }

    /// Gives up all lines.
    pub fn stop(&mut self, now: Time, out: &mut Outbox) {
        self.lines.values_mut().for_each(|fetcher| {
            fetcher.channel.reset(now, out);
        });
        self.lines.clear();
    }
}

impl Fetcher {
    fn pump(
        &mut self,
        now: Time,
        leader: BrokerId,
        config: &BrokerConfig,
        broker_epoch: BrokerEpoch,
        partitions: &Partitions,
        out: &mut Outbox,
    ) {
        self.channel.on_deadline(now, out);
        self.channel.open(now, out);
        // Also while nothing can be asked: a pause that is over must not wake us over and over again.
        self.partitions.values_mut().for_each(|pause| *pause = pause.filter(|until| *until > now));
        if !self.channel.is_open() || self.channel.in_flight() > 0 {
            return;
        }
        let (asked, waits) = self.gather(leader, partitions);
        if !asked.is_empty() {
            let patience = if waits { SYNC_PATIENCE.min(config.replica_fetch_wait_max) } else { config.replica_fetch_wait_max };
            let request = Request::from(request(config, broker_epoch, &asked, patience));
            let sent = self.channel.request(now, &request, FETCH_VERSION, config.request_timeout, asked, out);
            sent.expect("every field set exists in that version");
        }
    }

    /// What can be asked for, and whether there is a replica that must wait for a sync first.
    fn gather(&self, leader: BrokerId, partitions: &Partitions) -> (Vec<Asked>, bool) {
        let (mut asked, mut waits) = (Vec::with_capacity(self.partitions.len()), false);
        for (partition, _) in self.partitions.iter().filter(|(_, pause)| pause.is_none()) {
            let Some(replica) = partitions.replica(*partition) else { continue };
            match replica.next_fetch() {
                Some((whom, from)) if whom == leader => asked.push(Asked { partition: *partition, from }),
                Some(_) => {}
                None => waits |= replica.follows_after_sync(),
            }
        }
        (asked, waits)
    }

    fn on_answer(
        &mut self,
        asked: &[Asked],
        response: FetchResponse,
        backoff: Duration,
        partitions: &mut Partitions,
        step: &mut Step<'_>,
    ) {
        let refused = response.error_code != 0;
        let mut pauses: Vec<Option<Duration>> = vec![Some(backoff); asked.len()];
        for topic in response.responses {
            for data in topic.partitions {
                let partition = PartitionId { topic: topic.topic_id, index: data.partition_index };
                // Asked in order of partitions.
                let Ok(at) = asked.binary_search_by_key(&partition, |asked| asked.partition) else { continue };
                let Some((replica, _)) = partitions.touch(partition) else { continue };
                let answer = answer(data);
                let pause = if knows_less(answer.error) { Duration(backoff.0 / PAUSE_FOR_NEWS) } else { backoff };
                let verdict = replica.on_fetched(&asked[at].from, &answer, step.disk, step.out);
                pauses[at] = (refused || verdict == Verdict::BackOff).then_some(pause);
            }
        }
        for (asked, pause) in asked.iter().zip(pauses) {
            let Some(pause) = pause else { continue };
            let resume = step.now.mono.plus(pause);
            self.partitions.entry(asked.partition).and_modify(|until| *until = Some(resume));
        }
    }

    fn deadline(&self) -> Option<Time> {
        let busy = self.channel.in_flight() > 0;
        let pause = self.partitions.values().flatten().min().copied().filter(|_| !busy);
        [self.channel.deadline(), pause].into_iter().flatten().min()
    }
}

fn request(config: &BrokerConfig, broker_epoch: BrokerEpoch, asked: &[Asked], patience: Duration) -> FetchRequest {
    let of_one_topic = |a: &Asked, b: &Asked| a.partition.topic == b.partition.topic;
    let topic = |group: &[Asked]| FetchTopic {
        topic_id: group[0].partition.topic,
        partitions: group.iter().map(|asked| wanted(config, asked)).collect(),
        ..FetchTopic::default()
    };
    let (replica_id, replica_epoch) = (config.id.0, broker_epoch.0);
    FetchRequest {
        replica_state: ReplicaState { replica_id, replica_epoch, ..ReplicaState::default() },
        max_wait_ms: i32::try_from(patience.as_millis()).unwrap_or(i32::MAX),
        min_bytes: config.replica_fetch_min_bytes,
        max_bytes: config.replica_fetch_response_max_bytes,
        topics: asked.chunk_by(of_one_topic).map(topic).collect(),
        ..FetchRequest::default()
    }
}

fn wanted(config: &BrokerConfig, asked: &Asked) -> FetchPartition {
    let number = |epoch: Option<LeaderEpoch>| epoch.unwrap_or(LeaderEpoch::NONE).0;
    FetchPartition {
        partition: asked.partition.index,
        current_leader_epoch: number(asked.from.leader_epoch),
        fetch_offset: asked.from.offset.0,
        last_fetched_epoch: number(asked.from.last_epoch),
        log_start_offset: asked.from.log_start.0,
        partition_max_bytes: config.replica_fetch_max_bytes,
        ..FetchPartition::default()
    }
}

/// Whether the leader has not heard yet of what we know.
fn knows_less(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::UNKNOWN_LEADER_EPOCH | ErrorCode::NOT_LEADER_OR_FOLLOWER)
}

fn answer(data: PartitionData) -> Answer {
    let diverging = (data.diverging_epoch.epoch >= 0 || data.diverging_epoch.end_offset >= 0)
        .then_some((LeaderEpoch(data.diverging_epoch.epoch), Offset(data.diverging_epoch.end_offset)));
    Answer {
        error: ErrorCode(data.error_code),
        high_watermark: Offset(data.high_watermark),
        log_start: Offset(data.log_start_offset),
        diverging,
        records: data.records.unwrap_or_default(),
    }
}

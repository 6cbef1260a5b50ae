//! What this broker knows of the cluster: the metadata log, read from the controller and folded into an image.
//!
//! The broker is an *observer* of the metadata log: it fetches topic `__cluster_metadata`, partition 0, from the controller, which serves
//! it committed records only. Records are applied strictly in order, a whole answer at a time; then the broker acts on what has changed.
//! A broker that reads slowly keeps acting on the old image. That is safe: what it writes to the controller names the epochs it believes in.
//!
//! ```text
//!   start                       own registration applied
//!     │  fold, act on nothing            │   act on the whole image, from now on on each change
//!     ├──────────────────────────────────┼────────────────────────────────────────────────────▶ metadata offset
//!     0                             broker epoch
//! ```
//!
//! **Nothing is acted upon before this life's own registration is in the image.** Before it, the log may still name this broker leader, by the
//! word of a former life that may have had records which a crash has taken. With the registration the controller takes those leaderships
//! away, so the first image acted upon knows nothing of them.
//!
//! Simplified: no local copy of the metadata log, and no snapshots. Each start reads it from offset 0.

use std::hash::{Hash, Hasher};

use crate::actor::Outbox;
use crate::channel::{Channel, ChannelConfig};
use crate::controller::{Broker, Delta, ImageError, MetadataImage};
use crate::fact::Fact;
use crate::replica::{Member, Members};
use crate::types::{BrokerEpoch, BrokerId, ConnectionId, Duration, LeaderEpoch, Offset, PartitionId, Time, Uuid};
use crate::wire::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use crate::wire::record::{BatchError, BatchRef, batches};
use crate::wire::{DecodeError, ErrorCode, FetchRequest, FetchResponse, MetadataRecord, Request, Response};

use super::config::BrokerConfig;

/// Topic id of the metadata log.
pub(super) const METADATA_TOPIC: Uuid = Uuid(1);
/// Version in which we fetch: the first with all that observers need, and no session.
const FETCH_VERSION: i16 = 17;
/// How long the controller may park our fetch.
const WAIT_MAX: Duration = Duration::millis(500);
/// Pause after an answer that cannot be used.
const BACKOFF: Duration = Duration::millis(100);
/// Most bytes of one answer.
const BYTES_MAX: i32 = 8 << 20;

/// The image, and the line on which it grows.
#[derive(Debug)]
pub(super) struct MetadataView {
    channel: Channel<()>,
    image: MetadataImage,
    /// Whether the broker acts on it.
    published: bool,
    not_before: Option<Time>,
}

/// What is wrong with the metadata the controller gave us.
#[derive(Debug, thiserror::Error)]
pub(super) enum MetadataError {
    /// The answer is an error.
    #[error("the controller answers {0}")]
    Refused(ErrorCode),
    /// Not record batches.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Not a metadata record.
    #[error(transparent)]
    Record(#[from] DecodeError),
    /// A record that cannot be true.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl MetadataView {
    /// Knows nothing yet.
    pub fn new(config: &BrokerConfig, channel: ChannelConfig) -> MetadataView {
        let channel = Channel::new(config.controller.clone(), channel);
        MetadataView { channel, image: MetadataImage::new(), published: false, not_before: None }
    }

    /// The cluster as known.
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// Whether the image is new enough to act upon.
    pub fn is_published(&self) -> bool {
        self.published
    }

    /// The leader of a partition that is not this broker's to serve, and its epoch.
    pub fn leader_of(&self, partition: PartitionId) -> Option<(&Broker, LeaderEpoch)> {
        let partition = self.image.partition(partition)?;
        Some((self.image.broker(partition.leader?)?, partition.leader_epoch))
    }

    /// Every registered broker, as far as replication cares.
    pub fn members(&self) -> Members {
        let member = |broker: &Broker| (broker.id, Member { broker_epoch: broker.epoch, active: broker.is_active() });
        self.image.brokers().map(member).collect()
    }

    /// Sees to it that a fetch is under way.
    pub fn pump(&mut self, now: Time, config: &BrokerConfig, out: &mut Outbox) {
        self.channel.on_deadline(now, out);
        self.channel.open(now, out);
        self.not_before = self.not_before.filter(|at| *at > now);
        if self.channel.is_open() && self.channel.in_flight() == 0 && self.not_before.is_none() {
            let request = Request::from(self.request(config.id));
            let sent = self.channel.request(now, &request, FETCH_VERSION, config.request_timeout, (), out);
            sent.expect("every field set exists in that version");
        }
    }

    fn request(&self, broker: BrokerId) -> FetchRequest {
        let partition =
            FetchPartition { fetch_offset: self.image.end().0, partition_max_bytes: BYTES_MAX, ..FetchPartition::default() };
        let topic = FetchTopic { topic_id: METADATA_TOPIC, partitions: vec![partition], ..FetchTopic::default() };
        FetchRequest {
            replica_state: ReplicaState { replica_id: broker.0, ..ReplicaState::default() },
            max_wait_ms: WAIT_MAX.as_millis() as i32,
            min_bytes: 1,
            max_bytes: BYTES_MAX,
            topics: vec![topic],
            ..FetchRequest::default()
        }
    }

    /// Whether this is our connection.
    pub fn owns(&self, connection: ConnectionId) -> bool {
        self.channel.owns(connection)
    }

    /// The connection stands.
    pub fn on_opened(&mut self, connection: ConnectionId) {
        self.channel.on_opened(connection);
    }

    /// The connection is gone.
    pub fn on_closed(&mut self, now: Time, connection: ConnectionId) {
        self.channel.on_closed(now, connection);
    }

    /// An answer: folds it in and says what has changed.
    pub fn on_frame(&mut self, now: Time, frame: &bytes::Bytes, out: &mut Outbox) -> Delta {
        let before = self.image.end();
        let mut delta = Delta::default();
        let result = match self.channel.on_frame(frame) {
            Ok(((), Response::Fetch(response))) => self.fold(&response, &mut delta),
            Ok(_) | Err(_) => {
                self.channel.reset(now, out);
                Ok(())
            }
        };
        if result.is_err() {
            self.not_before = Some(now.plus(BACKOFF));
        }
        if self.image.end() != before {
            out.fact(Fact::MetadataApplied { end: self.image.end() });
        }
        delta
    }

    fn fold(&mut self, response: &FetchResponse, delta: &mut Delta) -> Result<(), MetadataError> {
        let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        refused(response.error_code)?;
        for partition in partitions {
            refused(partition.error_code)?;
            for batch in batches(partition.records.as_ref().unwrap_or(&bytes::Bytes::new())) {
                self.fold_batch(&batch?, delta)?;
            }
        }
        Ok(())
    }

    fn fold_batch(&mut self, batch: &BatchRef, delta: &mut Delta) -> Result<(), MetadataError> {
        batch.verify_crc()?;
        for record in batch.records()? {
            let record = record?;
            // The controller may send the batch that contains the offset asked for from its start.
            if record.offset < self.image.end() {
                continue;
            }
            match (&record.value, batch.header.is_control()) {
                (Some(value), false) => delta.absorb(self.image.apply(&MetadataRecord::decode(value)?, record.offset)?),
                (_, _) => self.image.skip(record.offset)?,
            }
        }
        Ok(())
    }

    /// The first time that this life's registration is in the image: gives all of the image as one change.
    pub fn publish(&mut self, id: BrokerId, broker_epoch: Option<BrokerEpoch>) -> Option<Delta> {
        let known = self.image.broker(id).map(|broker| broker.epoch);
        if self.published || broker_epoch.is_none() || known < broker_epoch {
            return None;
        }
        self.published = true;
        Some(Delta {
            partitions: self.image.partitions().map(|(id, _)| id).collect(),
            topics: self.image.topics().map(|topic| topic.id).collect(),
            brokers: self.image.brokers().map(|broker| broker.id).collect(),
            ..Delta::default()
        })
    }

    /// The offset of the last record applied, as heartbeats tell it; -1 before the first.
    pub fn applied(&self) -> Offset {
        self.image.end().plus(-1)
    }

    /// When there is something to do.
    pub fn deadline(&self) -> Option<Time> {
        earliest([self.channel.deadline(), self.not_before])
    }

    /// Gives up the line for good.
    pub fn stop(&mut self, now: Time, out: &mut Outbox) {
        self.channel.reset(now, out);
        self.published = false;
    }
}

impl Hash for MetadataView {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The image is the fold of the log up to its end, so the end stands for all of it.
        (&self.channel, self.image.end(), self.published, self.not_before).hash(state);
    }
}

fn refused(code: i16) -> Result<(), MetadataError> {
    ErrorCode(code).ok().map_err(MetadataError::Refused)
}

/// The earliest of several moments that may not come.
pub(super) fn earliest<const N: usize>(moments: [Option<Time>; N]) -> Option<Time> {
    moments.into_iter().flatten().min()
}

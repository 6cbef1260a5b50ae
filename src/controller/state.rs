//! The controller without any input or output: requests in, records and responses out.
//!
//! Each handler decides against the image, *writes* records and answers. Writing applies the record to the image at once, so the next
//! decision, in the same request or the next one, builds upon it although nothing of it is durable yet:
//!
//! ```text
//!   image   ──────────────committed────────────┬──── written, not committed ────┐ end
//!                                              │                                │
//!   replies may leave up to here ──────────────┘    a new reply waits for this ─┘
//! ```
//!
//! That is safe because whoever drives the controller appends what was written ([`Controller::take_written`]) in order, keeps each
//! response back until the end of that moment is committed, and stops the process if it cannot be: then what was decided here dies
//! with it. Even a refusal waits, because it too may rest on a record that could still be lost. Only a heartbeat, which asks about one
//! broker, waits for no more than the last record about that broker ([`Controller::told_of`]): else a slow disk would keep brokers
//! from being heard, and then get all of them fenced.
//!
//! Time comes in as an argument and is never written: sessions of brokers are soft state, and a new controller gives everyone a
//! fresh one.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::change::{Wish, change};
use super::delta::Change;
use super::election::Unclean;
use super::facts;
use super::image::MetadataImage;
use super::liveness::Sessions;
use super::partition::Partition;
use crate::fact::Fact;
use crate::mutant::{Mutant, Mutants};
use crate::types::{BrokerEpoch, BrokerId, Duration, LeaderEpoch, Offset, PartitionId, Time};
use crate::wire::metadata::{FeatureLevelRecord, NoOpRecord, ProducerIdsRecord};
use crate::wire::{AllocateProducerIdsRequest, AllocateProducerIdsResponse, ErrorCode, MetadataRecord};

/// How many producer ids a broker gets at once.
pub const PRODUCER_ID_BLOCK: i32 = 1000;

/// The level of the metadata log's format that is written into a new one: Kafka 4.0.
const METADATA_VERSION: i16 = 25;

/// What a controller is told at birth.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ControllerConfig {
    /// Its id.
    pub id: BrokerId,
    /// The cluster it decides for; brokers of another one are refused.
    pub cluster_id: String,
    /// Source of every choice it makes: topic ids, where placements begin.
    pub seed: u64,
    /// `broker.session.timeout.ms`: a broker not heard of for so long is fenced.
    pub session_timeout: Duration,
    /// `num.partitions`: partitions of a topic created without saying how many.
    pub default_partitions: i32,
    /// `default.replication.factor`: replicas of a topic created without saying how many.
    pub default_replication: i16,
    /// `auto.leader.rebalance.enable`: whether leaderships are given back to preferred leaders.
    pub auto_leader_rebalance: bool,
    /// `leader.imbalance.check.interval.seconds`: how often leaders are counted for that.
    pub leader_imbalance_check_interval: Duration,
    /// `leader.imbalance.per.broker.percentage`: how many of the partitions that prefer a broker may be led by others.
    pub leader_imbalance_percentage: u32,
    /// Directory of the metadata log on its disk; "" is the data directory itself.
    pub data_dir: String,
    /// Planted bugs.
    pub mutants: Mutants,
}

impl Default for ControllerConfig {
    fn default() -> ControllerConfig {
        ControllerConfig {
            id: BrokerId(1001),
            cluster_id: "brokerlab".to_owned(),
            seed: 0,
            session_timeout: Duration::secs(9),
            default_partitions: 1,
            default_replication: 1,
            auto_leader_rebalance: true,
            leader_imbalance_check_interval: Duration::secs(300),
            leader_imbalance_percentage: 10,
            data_dir: String::new(),
            mutants: Mutants::none(),
        }
    }
}

/// What one step has decided, to be appended to the metadata log as one batch.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Written {
    /// Records, in order; their offsets follow the image's end before the step.
    pub records: Vec<MetadataRecord>,
    /// What these records say, to be stated once they are committed.
    pub facts: Vec<Fact>,
    /// What can be stated at once: refusals change nothing.
    pub remarks: Vec<Fact>,
}

/// The controller's state: an image, sessions, and what the present step has written.
#[derive(Clone, PartialEq, Debug)]
pub struct Controller {
    pub(super) config: ControllerConfig,
    pub(super) image: MetadataImage,
    pub(super) sessions: Sessions,
    /// Where the last record about each broker ends; those of before this activation end with its first record.
    told_of: BTreeMap<BrokerId, Offset>,
    activated: Offset,
    /// When leaders are counted next; `None` if they are not balanced.
    pub(super) balance_due: Option<Time>,
    written: Written,
    /// Epoch of the metadata log in this activation.
    pub(super) epoch: LeaderEpoch,
}

impl Controller {
    /// The controller that takes over where the log ends: `image` is the fold of the whole log. All brokers that may lead are given a
    /// fresh session. Writes the first records of this activation.
    #[must_use]
    pub fn activate(config: ControllerConfig, image: MetadataImage, now: Time) -> Controller {
        let is_new = image.end() == Offset::ZERO;
        let sessions = Sessions::afresh(config.session_timeout, &image, now);
        let (told_of, activated) = (BTreeMap::new(), image.end().next());
        let balance_due = config.auto_leader_rebalance.then(|| now.plus(config.leader_imbalance_check_interval));
        let mut controller = Controller {
            config,
            image,
            sessions,
            told_of,
            activated,
            balance_due,
            written: Written::default(),
            epoch: LeaderEpoch(0),
        };
        match is_new {
            true => controller.write(FeatureLevelRecord {
                name: "metadata.version".to_owned(),
                feature_level: METADATA_VERSION,
                ..FeatureLevelRecord::default()
            }),
            false => controller.write(NoOpRecord::default()),
        }
        controller
    }

    /// The same, whose records are written under this epoch.
    #[must_use]
    pub fn in_epoch(self, epoch: LeaderEpoch) -> Controller {
        Controller { epoch, ..self }
    }

    /// The state of the cluster, what is not yet committed included.
    #[must_use]
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// Takes out what the step has written.
    pub fn take_written(&mut self) -> Written {
        std::mem::take(&mut self.written)
    }

    /// When time brings something to do: a broker's session runs out, or leaders are counted.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        [self.sessions.deadline(&self.image), self.balance_due].into_iter().flatten().min()
    }

    /// The end of the records that an answer about this broker alone rests on.
    #[must_use]
    pub fn told_of(&self, broker: BrokerId) -> Offset {
        self.told_of.get(&broker).copied().unwrap_or(self.activated)
    }

    /// Gives a broker a block of producer ids.
    pub fn on_allocate_producer_ids(&mut self, request: &AllocateProducerIdsRequest) -> AllocateProducerIdsResponse {
        let refused = |error: ErrorCode| AllocateProducerIdsResponse { error_code: error.code(), ..Default::default() };
        if let Err(error) = self.expect_current(BrokerId(request.broker_id), BrokerEpoch(request.broker_epoch)) {
            return refused(error);
        }
        let start = self.image.next_producer_id().0;
        let Some(next) = start.checked_add(i64::from(PRODUCER_ID_BLOCK)) else {
            return refused(ErrorCode::UNKNOWN_SERVER_ERROR);
        };
        self.write(ProducerIdsRecord {
            broker_id: request.broker_id,
            broker_epoch: request.broker_epoch,
            next_producer_id: next,
            ..ProducerIdsRecord::default()
        });
        AllocateProducerIdsResponse { producer_id_start: start, producer_id_len: PRODUCER_ID_BLOCK, ..Default::default() }
    }

    /// Writes a record: it is true from now on, and on its way into the log.
    pub(super) fn write(&mut self, record: impl Into<MetadataRecord>) {
        let record = record.into();
        let change = match self.image.apply(&record, self.image.end()) {
            Ok(change) => change,
            Err(error) => panic!("the controller wrote a record that cannot be true: {error}: {record:?}"),
        };
        if let Change::BrokerRegistered(id) | Change::BrokerChanged(id) = change {
            self.told_of.insert(id, self.image.end());
        }
        facts::note(&mut self.written.facts, &record, change, &self.image);
        self.written.records.push(record);
    }

    /// States a refusal.
    pub(super) fn remark(&mut self, fact: Fact) {
        self.written.remarks.push(fact);
    }

    /// Changes a partition as wished, if that changes anything. `is_active` says who may lead.
    pub(super) fn change_partition(&mut self, id: PartitionId, wish: Wish, is_active: impl Fn(BrokerId) -> bool) {
        let present = self.image.partition(id).expect("callers name existing partitions");
        if let Some(next) = change(present, wish, is_active) {
            let record = present.change_record(id, &next);
            self.write(record);
        }
    }

    /// Takes a broker out of every ISR it is not the last member of, and away from all leaderships.
    pub(super) fn leave_isrs(&mut self, broker: BrokerId) {
        for id in self.partitions_where(broker, |partition| partition.isr.contains(&broker)) {
            let unclean = self.unclean(id);
            let present = self.image.partition(id).expect("collected just now");
            let wish = Wish::without(present, broker, unclean);
            let active = self.image.brokers().filter(|other| other.is_active() && other.id != broker);
            let active: Vec<BrokerId> = active.map(|other| other.id).collect();
            self.change_partition(id, wish, |candidate| active.contains(&candidate));
        }
    }

    /// Elects leaders where there is none and this broker, active since just now, could be one.
    pub(super) fn elect_leaderless(&mut self, broker: BrokerId) {
        for id in self.partitions_where(broker, |partition| partition.leader.is_none()) {
            let unclean = self.unclean(id);
            let wish = Wish::election(self.image.partition(id).expect("collected just now"), unclean);
            let active: Vec<BrokerId> = self.image.brokers().filter(|other| other.is_active()).map(|other| other.id).collect();
            self.change_partition(id, wish, |candidate| active.contains(&candidate));
        }
    }

    /// Whether this topic prefers a leader that may lack records over none.
    pub(super) fn unclean(&self, id: PartitionId) -> Unclean {
        match self.image.topic(id.topic).is_some_and(|topic| topic.config.unclean_election()) {
            true => Unclean::Allowed,
            false => Unclean::Forbidden,
        }
    }

    /// Only the broker's present life may speak for it.
    pub(super) fn expect_current(&mut self, broker: BrokerId, epoch: BrokerEpoch) -> Result<(), ErrorCode> {
        let known = self.image.broker(broker).map(|known| known.epoch);
        if known == Some(epoch) {
            return Ok(());
        }
        if self.config.mutants.is(Mutant::NoIncarnationCheck) && known.is_some_and(|known| epoch < known) {
            self.remark(Mutant::NoIncarnationCheck.acted());
            return Ok(());
        }
        Err(ErrorCode::STALE_BROKER_EPOCH)
    }

    fn partitions_where(&self, broker: BrokerId, is_wanted: impl Fn(&Partition) -> bool) -> Vec<PartitionId> {
        let assigned = self.image.partitions_of(broker);
        assigned.filter(|id| self.image.partition(*id).is_some_and(&is_wanted)).collect()
    }
}

/// Between two steps nothing is written that was not taken out, so this is the whole state.
impl Hash for Controller {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.config, &self.image, &self.sessions, &self.told_of, self.activated, self.balance_due).hash(hasher);
    }
}

/// The epoch of the activation after the one that wrote the last batch of the log.
#[must_use]
pub fn next_controller_epoch(last: LeaderEpoch) -> LeaderEpoch {
    LeaderEpoch(last.0.max(0)).next()
}

//! One partition on one broker: what replication is made of.
//!
//! The controller names, for each *leader epoch*, one replica as leader. The leader alone gives offsets to records; followers copy its log
//! by fetching from it. A fetch says two things at once: "send me what comes after offset n" and "everything below n is in my log". From the
//! latter the leader computes the **high watermark** (HW): the end of what every in-sync replica has. Records below it are *committed*: they
//! are what consumers may see and what acks=all promises, because whoever may be elected next has them.
//!
//! ```text
//!                     log start            HW                 log end (LEO)
//!                        │                  │                    │
//!   leader    b1  ───────┼──────────────────┼────────────────────┤ 42
//!   follower  b2  ───────┼────────────────┼─┤ 30   in the ISR: holds the HW back until it fetches from 42 on
//!   follower  b3  ───────┼───────┤ 12               not in the ISR: does not count
//! ```
//!
//! **Who is in sync** ([`isr`]). The in-sync replicas (ISR) are a set in the controller's log. The leader proposes changes (AlterPartition)
//! and, until it knows the outcome, counts with the *maximal* ISR: everybody who might be in it. So whatever the controller has decided,
//! no member was forgotten (KIP-497).
//!
//! **Where logs part** ([`follower`]). A leader that was cut off may hold records that no other replica has; a new leader writes others at the
//! same offsets. Every batch carries the leader epoch in which it was written, and two logs that agree on the last epoch below an offset
//! agree on everything below it. A follower sends the epoch of its last batch with each fetch; the leader answers where, by its own
//! history of epochs, that epoch ended, and the follower cuts its log there, again and again until the epochs agree (KIP-101, KIP-279, KIP-595).
//! The high watermark is never used to decide what to cut: it is always late.
//!
//! **Fencing** ([`serve`]). Every fetch names the leader epoch it believes in. A leader of the past answers nothing to a follower of the present, and
//! the other way round (KIP-320).
//!
//! | file | what |
//! |---|---|
//! | [`role`] | leader, follower, and what each remembers |
//! | `registration` | the controller's word makes the role |
//! | `produce` | append as leader, keep the promise of `acks` |
//! | [`serve`] | answer fetches, list offsets, tell where epochs end |
//! | `watermark` | advance the high watermark |
//! | [`isr`] | propose changes of the ISR, learn their fate |
//! | [`follower`] | fetch, append, truncate |
//! | `retention` | give up old records |
//! | `durability` | ask for syncs, learn their end |
//!
//! Nothing here knows of requests, connections or other partitions; the broker does. Simplified: no reassignment, no eligible leader replicas
//! (KIP-966), no transactions (the last stable offset is the high watermark).

mod durability;
pub mod follower;
pub mod isr;
mod produce;
mod registration;
mod retention;
pub mod role;
pub mod serve;
#[cfg(test)]
mod testing;
mod watermark;

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use crate::actor::{Now, Outbox};
use crate::disk::{Disk, DiskError};
use crate::fact::Fact;
use crate::log::{Log, LogConfig, LogError};
use crate::mutant::{Mutant, Mutants};
use crate::types::{BrokerEpoch, BrokerId, Duration, LeaderEpoch, Offset, PartitionEpoch, PartitionId, TopicPartition};
use crate::wire::ErrorCode;

pub use durability::Flushing;
pub use follower::{Answer, Verdict};
pub use isr::{Isr, Proposal};
pub use produce::Promise;
pub use registration::Registration;
pub use role::{Follower, Leader, Role};
pub use serve::{Budget, FetchFrom, Fetched, Reader};

/// What the operator configured for this partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// A follower that was not caught up for longer leaves the ISR (`replica.lag.time.max.ms`).
    pub replica_lag_max: Duration,
    /// Fewest in-sync replicas with which acks=all is accepted (`min.insync.replicas`), before it is limited to the number of replicas.
    pub min_isr: u32,
    /// What is told to others is on the medium first (`flush.messages=1`).
    pub flush_each_batch: bool,
    /// The planted bug, if any.
    pub mutants: Mutants,
}

/// What the metadata says of a broker, as far as replication cares.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Member {
    /// Its present registration.
    pub broker_epoch: BrokerEpoch,
    /// Registered, not fenced and not shutting down: it may join an ISR.
    pub active: bool,
}

/// All brokers that the metadata knows: one consistent view for each decision.
pub type Members = BTreeMap<BrokerId, Member>;

/// What parked requests wait for; set since last asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Changes {
    /// The log end moved.
    pub log_end: bool,
    /// The high watermark or the durable end moved.
    pub high_watermark: bool,
    /// The log start moved.
    pub log_start: bool,
    /// The log start of this replica, or of one that follows it, moved.
    pub low_watermark: bool,
    /// Role, leader epoch, ISR or health changed.
    pub role: bool,
}

/// One partition on one broker.
///
/// Invariants: `log start <= high watermark <= log end`; a leader's high watermark never falls; while a truncation is not yet synced
/// nothing is appended; a failed replica does nothing any more.
#[derive(Debug)]
pub struct Replica {
    partition: PartitionId,
    name: TopicPartition,
    broker: BrokerId,
    settings: Settings,
    log: Log,
    high_watermark: Offset,
    role: Role,
    flushing: Flushing,
    failed: Option<DiskError>,
    changes: Changes,
}

impl Replica {
    /// A replica over a loaded log. It takes no part until it hears the controller's word.
    ///
    /// # Panics
    /// Never: a high watermark outside the log is brought inside (a checkpoint may be older than a truncation).
    #[must_use]
    pub fn new(
        partition: PartitionId,
        name: TopicPartition,
        broker: BrokerId,
        settings: Settings,
        log: Log,
        high_watermark: Offset,
    ) -> Replica {
        let high_watermark = high_watermark.clamp(log.log_start(), log.log_end());
        Replica {
            partition,
            name,
            broker,
            settings,
            log,
            high_watermark,
            role: Role::Waiting,
            flushing: Flushing::default(),
            failed: None,
            changes: Changes::default(),
        }
    }

    /// What is configured has changed, perhaps: gives whether it has. With a lower minimum of in-sync replicas the high watermark may go on.
    pub fn configure(&mut self, settings: Settings, log: &LogConfig, now: Now, members: &Members, out: &mut Outbox) -> bool {
        if self.settings == settings && self.log.config() == log {
            return false;
        }
        self.settings = settings;
        self.log.configure(log.clone());
        self.advance_high_watermark(now, members, out);
        true
    }

    /// Its identity.
    #[must_use]
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &TopicPartition {
        &self.name
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The log, for what concerns no other replica: checkpoints, closing.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// Gives the log back, when the partition leaves this broker.
    #[must_use]
    pub fn into_log(self) -> Log {
        self.log
    }

    /// First record still there.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.log.log_start()
    }

    /// End of the log.
    #[must_use]
    pub fn log_end(&self) -> Offset {
        self.log.log_end()
    }

    /// End of what is known to be committed.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// What it is.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Whether it acts as leader.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_)) && self.failed.is_none()
    }

    /// The leader as far as it knows.
    #[must_use]
    pub fn leader(&self) -> Option<BrokerId> {
        match &self.role {
            Role::Leader(_) => Some(self.broker),
            Role::Follower(follower) => follower.leader,
            Role::Waiting => None,
        }
    }

    /// The leader epoch in which it operates.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        match &self.role {
            Role::Leader(leader) => leader.epoch,
            Role::Follower(follower) => follower.epoch,
            Role::Waiting => LeaderEpoch::NONE,
        }
    }

    /// The newest state of the partition that it has heard of.
    #[must_use]
    pub fn partition_epoch(&self) -> PartitionEpoch {
        match &self.role {
            Role::Leader(leader) => leader.partition_epoch,
            Role::Follower(follower) => follower.partition_epoch,
            Role::Waiting => PartitionEpoch(-1),
        }
    }

    /// Why it takes no part any more.
    #[must_use]
    pub fn failed(&self) -> Option<DiskError> {
        self.failed
    }

    /// What happened since last asked that a parked request may wait for.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// The disk failed under the log: nothing of this replica can be trusted to be durable, so it takes no part any more.
    fn fail(&mut self, error: DiskError, out: &mut Outbox) {
        if self.failed.is_none() {
            self.failed = Some(error);
            self.changes.role = true;
            out.fact(Fact::LogFailed { partition: Some(self.partition), error });
        }
    }

    /// Notes what a failed operation says about the disk; gives what others are told.
    fn note_log_error(&mut self, error: &LogError, disk: &mut dyn Disk, out: &mut Outbox) -> ErrorCode {
        match error {
            LogError::Disk { error } if self.mutant(Mutant::AppendAfterIoError) && *error != DiskError::Gone => {}
            LogError::Disk { error } | LogError::Stopped(error) => self.fail(*error, out),
            LogError::Corrupt { at, below_recovery_point, .. } => {
                let (at, below_recovery_point) = (*at, *below_recovery_point);
                out.fact(Fact::CorruptionFound { partition: self.partition, at, below_recovery_point });
                // A leader that cannot give what it has promised must not go on leading, and the log is not to be trusted again. If the mark
                // cannot be left the disk fails twice over.
                let marked = self.log.condemn(disk, at);
                self.fail(if marked.is_ok() { DiskError::Corrupt } else { DiskError::Io }, out);
            }
            LogError::OutOfRange { .. } | LogError::File(_) | LogError::NeverFlushed { .. } => {}
        }
        error.code()
    }

    fn mutant(&self, mutant: Mutant) -> bool {
        self.settings.mutants.is(mutant)
    }
}

impl Hash for Replica {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.partition.hash(state);
        self.settings.hash(state);
        self.log.hash(state);
        self.high_watermark.hash(state);
        self.role.hash(state);
        self.flushing.hash(state);
        self.failed.hash(state);
    }
}

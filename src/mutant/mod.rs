//! Planted bugs, one switch each (decision 8).
//!
//! A mutant re-introduces a historical or typical protocol bug at the very decision it spoils. Which one is on is part of an actor's
//! configuration, never a static, so two clusters in one process may differ. In the lean build (feature `mutants` off) [`Mutants::is`]
//! is constant false, [`Taint`] has no size, and no slug is in the binary.
//!
//! At a decision point:
//!
//! ```ignore
//! if self.mutants.is(Mutant::AckBeforeReplication) && would_have_waited { out.fact(Mutant::AckBeforeReplication.acted()); ... }
//! ```
//!
//! The hidden fact [`MutantActed`](crate::fact::Fact::MutantActed) is recorded only when the switch really changed a decision, so that
//! explanations can be graded, and so that a survivor tells "never reached" from "reached and not seen". Decisions deep in the log and in
//! the client library, where there is no outbox, leave a [`Taint`] that their owner turns into the fact.
//!
//! The museum (`museum`) lists every entry, also those that cannot exist here, with the reason.

#[cfg(feature = "mutants")]
mod entry;
#[cfg(feature = "mutants")]
mod museum;

use serde::{Deserialize, Serialize};

#[cfg(feature = "mutants")]
pub use entry::{Entry, Standing};
#[cfg(feature = "mutants")]
pub use museum::MUSEUM;

/// The bugs that can be planted. Names and ids are those of the bug museum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Mutant {
    /// BA-01: acks=all is answered after the local append.
    AckBeforeReplication,
    /// BA-02: consumers may read up to the log end.
    ExposeUncommitted,
    /// BA-03: acks=all is accepted and confirmed with fewer than min ISR in sync.
    MinIsrNotEnforced,
    /// BA-04: with `flush.messages=1`, what is told to others is not on the medium.
    AckBeforeSync,
    /// BA-05: a new leader names its latest offset before its high watermark has reached its epoch start.
    ServeBeforeEpochStart,
    /// BA-06: recovery takes a corrupt batch for the end of the log, also where the log was durable.
    CrcErrorIsEndOfLog,
    /// BA-07: nobody looks at checksums when batches are read or copied.
    NoCrcCheck,
    /// BA-08: a broker that comes back keeps its seats in the ISR.
    RejoinIsrAfterLossyCrash,
    /// BA-09: a retry is not recognised.
    NoDedupWindow,
    /// BA-10: a retry is answered with the offset of the producer's last batch.
    DedupReturnsOtherOffset,
    /// BA-11: a parked fetch is forgotten when leadership moves.
    FetchHangsAfterLeaderChange,
    /// BA-12: the ISR never grows again.
    LaggingReplicaNeverRejoins,
    /// BA-13: a new coordinator does not take in what its log says.
    GroupStateNotReplayed,
    /// BA-14 (KIP-429): a cooperative assignment gives a partition away while its owner still reads it.
    AssignBeforeRevoke,
    /// BA-15: a producer takes NOT_LEADER_OR_FOLLOWER for "not written".
    NotLeaderIsDefiniteFailure,
    /// BA-16: what was handed out is committed while the application is still at it.
    CommitBeforeProcessing,
    /// TR-01 (KIP-101): a new follower cuts its log at its own high watermark instead of asking where the epochs part.
    HwTruncation,
    /// TR-02 (KIP-279): a follower cuts where the leader says, without looking at its own epochs, and does not ask again.
    IgnoreReturnedEpoch,
    /// TR-03 (KIP-320): logs are compared once in each epoch, also by a leader of another epoch.
    UnfencedEpochLookup,
    /// TR-04 (KIP-320): a leader serves followers whatever epochs they name.
    UnfencedFetch,
    /// TR-06 (KAFKA-7128): a follower joins the ISR at the high watermark, below the epoch start.
    IsrExpandAtHwOnly,
    /// TR-08 (KAFKA-7415): a leader enters its epoch into the history only with its first record.
    NoEpochEntryAtElection,
    /// TR-09 (KAFKA-7786): a follower obeys an answer of a former epoch.
    LateEpochAnswer,
    /// TR-12 (KAFKA-13207): a leader obeys an answer that it asked for as a follower.
    TruncateAfterHandover,
    /// TR-14 (KAFKA-15510): after an empty answer a follower forgets the epoch of its last batch.
    EmptyFetchForgetsEpoch,
    /// IS-01: a follower no longer counts as soon as the leader wants it out of the ISR.
    OptimisticShrink,
    /// IS-02 (KIP-497): a follower counts only when the leader knows that it is in the ISR.
    ExpandNotCounted,
    /// IS-04 (KAFKA-13916): brokers that are fenced or on their way out may join an ISR.
    FencedInIsr,
    /// IS-09 (KAFKA-12686): newer metadata end the wait for an answer that is still to come.
    InflightFlagClearedByMetadata,
    /// IS-11 (KAFKA-15583): the high watermark advances with fewer than min ISR in sync.
    HwUnderMinIsr,
    /// IS-16 (KAFKA-16952): a life of a broker that registers twice gets two broker epochs.
    NewBrokerEpochOnReregister,
    /// IS-17 (KIP-380): a broker's former life may still speak for it.
    NoIncarnationCheck,
    /// IS-18 (KIP-516): a log is known by the name of its topic.
    RecreatedTopicByName,
    /// IS-21 (KAFKA-15021): the high watermark waits for a replica that was caught up, though it is gone.
    HwWaitsForShutDownReplica,
    /// ST-01 (KAFKA-10471): the clean-shutdown mark goes after the logs are loaded, and nobody waits for that.
    CleanMarkerSurvivesCrash,
    /// ST-03 (KAFKA-10101): what recovery has read counts as durable.
    RecoveryPointTooFar,
    /// ST-04 (KAFKA-3968): names are not synced.
    NoDirFsync,
    /// ST-05 (KAFKA-16541): the file of leader epochs is put in place without a sync.
    EpochCheckpointNotSynced,
    /// ST-07 (KAFKA-10778): a log is written to after an error of its disk.
    AppendAfterIoError,
    /// ST-09 (KAFKA-10432): recovery does not see epoch 0.
    RecoverSkipsEpochZero,
    /// ST-13 (KAFKA-5490): compaction removes the last batches of a producer when no record of them is left.
    LastSequenceCleaned,
    /// ST-16 (KIP-937): records may be dated as far ahead or back as their clients like.
    FutureDatedTimestampRetention,
    /// PR-04 (KAFKA-5793): a producer is forgotten when its last records leave the log.
    ProducerStateLostByRetention,
    /// PR-05: the snapshot of producers remembers one batch of each.
    SnapshotRemembersOneBatch,
    /// PR-07 (KAFKA-8483): a producer numbers its batches anew in the order of a heap.
    SequenceReassignOrder,
    /// GR-01 (KAFKA-2017): an assignment is told before it is committed.
    ReplyBeforePersist,
    /// GR-02: whoever names a generation may commit.
    NoGenerationCheck,
    /// GR-03: members may commit between joining and their new assignment.
    CommitInCompletingRebalance,
    /// GR-05 (KAFKA-2163, KAFKA-4704): what is left of a coordinator's former epoch is cleared away together with what it has loaded since.
    UnloadAfterLoadRace,
    /// GR-06: a new coordinator reads its log up to the high watermark.
    LoadToHwOnly,
    /// GR-09 (KIP-345, KAFKA-10284): a static member is told that it has taken its former place before that is committed.
    TwoMembersPerInstance,
    /// GR-10 (KIP-341, KAFKA-12984): the sticky assignor believes everybody who claims a partition, of whatever generation.
    StickyDoubleOwnership,
    /// GR-13 (KIP-848): a heartbeat in the epoch before is taken whatever its member owns.
    K848StaleAck,
    /// GR-14 (KAFKA-14024, KAFKA-14196): partitions are given up before their commit has ended, which is sent when they are others'.
    AutocommitAfterRevoke,
    /// GR-15 (KIP-394, KAFKA-7610): newcomers become members with their first request.
    RebalanceStorm,
    /// GR-16 (KAFKA-12890): nobody misses a member that never asks for its assignment.
    StuckCompletingRebalance,
    /// GR-18 (KIP-320): a consumer reads on at its offset, whatever the log of the new leader holds before it.
    ConsumerNoTruncationCheck,
    /// GR-19: a commit that nobody waits for is repeated after newer ones.
    OffsetCommitRegressesByReorder,
    /// GR-20 (KIP-320): a committed offset is stored without the leader epoch before it.
    EpochlessCommitAfterCoordinatorLoss,
}

/// The switch board of one actor: at most one bug at a time, so that a finding has one cause.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Mutants {
    #[cfg(feature = "mutants")]
    on: Option<Mutant>,
}

impl Mutants {
    /// A correct actor.
    #[must_use]
    pub const fn none() -> Mutants {
        Mutants {
            #[cfg(feature = "mutants")]
            on: None,
        }
    }

    /// An actor with one planted bug.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub const fn only(mutant: Mutant) -> Mutants {
        Mutants { on: Some(mutant) }
    }

    /// The bug planted here.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn planted(self) -> Option<Mutant> {
        self.on
    }

    /// The bug planted here: none, in the lean build.
    #[cfg(not(feature = "mutants"))]
    #[must_use]
    pub const fn planted(self) -> Option<Mutant> {
        None
    }

    /// Whether this bug is planted here.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn is(self, mutant: Mutant) -> bool {
        self.on == Some(mutant)
    }

    /// Whether this bug is planted here: never, in the lean build.
    #[cfg(not(feature = "mutants"))]
    #[must_use]
    pub const fn is(self, _: Mutant) -> bool {
        false
    }
}

/// A bit of state that only planted bugs have a use for. In the lean build it has no size and is never set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Taint {
    #[cfg(feature = "mutants")]
    set: bool,
}

impl Taint {
    /// Remembers.
    pub fn set(&mut self) {
        #[cfg(feature = "mutants")]
        {
            self.set = true;
        }
    }

    /// Whether it was set.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn is_set(self) -> bool {
        self.set
    }

    /// Whether it was set: never, in the lean build.
    #[cfg(not(feature = "mutants"))]
    #[must_use]
    pub const fn is_set(self) -> bool {
        false
    }

    /// Whether it was set since last asked.
    #[must_use]
    pub fn take(&mut self) -> bool {
        std::mem::take(self).is_set()
    }
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// Every bug that can be planted, in the order of the museum.
    pub fn all() -> impl Iterator<Item = Mutant> {
        MUSEUM.iter().filter_map(Entry::mutant)
    }

    /// Its entry in the museum.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        MUSEUM.iter().find(|entry| entry.mutant() == Some(self)).expect("a test looks for each mutant in the museum")
    }

    /// Name on the command line.
    #[must_use]
    pub fn slug(self) -> &'static str {
        self.entry().slug
    }

    /// The bug of that name.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Mutant> {
        MUSEUM.iter().find(|entry| entry.slug == slug).and_then(Entry::mutant)
    }
}

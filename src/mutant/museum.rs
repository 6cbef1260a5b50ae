//! The museum: every historical or typical bug that the laboratory was measured against, also those that cannot exist here.
//!
//! An entry is *applicable* when its decision exists in this broker and there is a switch that spoils it; *latent* when there is one, but the
//! damage needs a second bug beside it, or a client that the laboratory does not have; a *configuration* when it
//! needs no switch, because an operator or a user can ask for it; *not applicable* when what it is about does not exist, or cannot go
//! wrong in that way. One reason comes again and again: a step of an actor is atomic (see [`crate::actor`]), so an interleaving
//! *inside* one broker's handler has no place to happen.

use super::{Entry, Mutant, Standing};

#[cfg(test)]
mod tests;

const fn planted(
    mutant: Mutant,
    id: &'static str,
    slug: &'static str,
    about: &'static str,
    caught_by: &'static [&'static str],
) -> Entry {
    Entry { id, slug, about, caught_by, standing: Standing::Applicable(mutant) }
}

const fn latent(
    mutant: Mutant,
    id: &'static str,
    slug: &'static str,
    about: &'static str,
    caught_by: &'static [&'static str],
    why: &'static str,
) -> Entry {
    Entry { id, slug, about, caught_by, standing: Standing::Latent(mutant, why) }
}

const fn absent(id: &'static str, slug: &'static str, about: &'static str, why: &'static str) -> Entry {
    Entry { id, slug, about, caught_by: &[], standing: Standing::NotApplicable(why) }
}

const fn configured(id: &'static str, slug: &'static str, about: &'static str, scenario: &'static str) -> Entry {
    Entry { id, slug, about, caught_by: &[], standing: Standing::Configuration(scenario) }
}

const INSIDE: &str = "an interleaving inside one handler: steps are atomic here";
const ELR: &str = "needs eligible leader replicas, which are not built";
const QUORUM: &str = "needs several controllers; there is one";
const TRANSACTIONS: &str = "needs transactions, which are not built";
const NO_COMMITS_MEANWHILE: &str =
    "our consumers hold commits back until they have their assignment, so that nobody asks; a golden script does";
const HONEST_MEMBERS: &str =
    "our members own nothing any more that they have given up in an epoch that is over; a golden script does";
const PATIENT_MEMBERS: &str = "our consumers wait for JoinGroup as long as a rebalance may take, and an attempt that is lost with its \
connection goes with its session; a golden script shows one that does not wait";
const EAGER_MEMBERS: &str = "our consumers ask for their assignment until they have it, and one that dies goes with its session; a golden script \
shows one that does not ask";
const NO_TOMBSTONES: &str = "needs test producers that delete keys; they write values only";
const WITHIN_ONE_EPOCH: &str = "within one leader epoch a log that has agreed once goes on agreeing, and a new epoch asks anew: it takes a \
leader that loses records without losing its epoch, which would be a second bug";
const NO_SCENARIO: &str = "no scenario of its own yet";

/// All entries.
pub const MUSEUM: &[Entry] = &[
    // ---- basics ------------------------------------------------------------------------------------------------
    planted(
        Mutant::AckBeforeReplication,
        "BA-01",
        "ack-before-replication",
        "acks=all is answered after the local append",
        &["R12", "B1"],
    ),
    planted(Mutant::ExposeUncommitted, "BA-02", "expose-uncommitted", "consumers may read up to the log end", &["R13", "B3"]),
    planted(
        Mutant::MinIsrNotEnforced,
        "BA-03",
        "min-isr-not-enforced",
        "acks=all is accepted and confirmed with fewer than min ISR in sync",
        &["R12", "R11"],
    ),
    planted(
        Mutant::AckBeforeSync,
        "BA-04",
        "ack-before-sync",
        "with flush.messages=1 leader and followers tell of records before they are on the medium",
        &["R12", "D8", "B1"],
    ),
    planted(
        Mutant::ServeBeforeEpochStart,
        "BA-05",
        "serve-before-epoch-start",
        "a new leader answers ListOffsets(latest) before its high watermark has reached its epoch start",
        &["R5b", "B12"],
    ),
    planted(
        Mutant::CrcErrorIsEndOfLog,
        "BA-06",
        "crc-error-is-end-of-log",
        "recovery cuts the log at a corrupt batch below the durable mark, and the replica goes on",
        &["D9", "R8"],
    ),
    planted(Mutant::NoCrcCheck, "BA-07", "no-crc-check", "corrupt batches are served and replicated", &["D9", "B3"]),
    planted(
        Mutant::RejoinIsrAfterLossyCrash,
        "BA-08",
        "rejoin-isr-after-lossy-crash",
        "a broker that comes back within its session takes its ISR seats and leaderships as if it had never been away",
        &["R15", "R9"],
    ),
    planted(
        Mutant::NoDedupWindow,
        "BA-09",
        "no-dedup-window",
        "retries of an idempotent producer are appended again",
        &["R19", "B2"],
    ),
    planted(
        Mutant::DedupReturnsOtherOffset,
        "BA-10",
        "dedup-returns-other-offset",
        "the answer to a duplicate names the offset of the producer's last batch",
        &["R12", "R19"],
    ),
    planted(
        Mutant::FetchHangsAfterLeaderChange,
        "BA-11",
        "fetch-hangs-after-leader-change",
        "a parked fetch is forgotten when leadership moves: neither woken nor answered at its deadline",
        &["L6", "D11"],
    ),
    planted(
        Mutant::LaggingReplicaNeverRejoins,
        "BA-12",
        "lagging-replica-never-rejoins",
        "who has left the ISR never comes back",
        &["L4"],
    ),
    planted(
        Mutant::GroupStateNotReplayed,
        "BA-13",
        "group-state-not-replayed",
        "a new coordinator starts empty, whatever its log says",
        &["G7", "B9"],
    ),
    planted(
        Mutant::AssignBeforeRevoke,
        "BA-14",
        "assign-before-revoke",
        "a cooperative assignment gives a partition to its next owner while the one before still reads it",
        &["G3", "G8", "B10"],
    ),
    planted(
        Mutant::NotLeaderIsDefiniteFailure,
        "BA-15",
        "not-leader-is-definite-failure",
        "a producer takes NOT_LEADER_OR_FOLLOWER, which may come after the append, for \"not written\"",
        &["B4"],
    ),
    planted(
        Mutant::CommitBeforeProcessing,
        "BA-16",
        "commit-before-processing",
        "enable.auto.commit commits what was handed out while the application is still at it",
        &["B8"],
    ),
    // ---- truncation and divergence ---------------------------------------------------------------------------------
    planted(
        Mutant::HwTruncation,
        "TR-01",
        "hw-truncation",
        "a new follower truncates to its own high watermark instead of the end of the common epoch",
        &["R9", "R8", "B1", "R14"],
    ),
    planted(
        Mutant::IgnoreReturnedEpoch,
        "TR-02",
        "ignore-returned-epoch",
        "a follower cuts at the leader's answer without comparing epochs, and asks no second time",
        &["R7", "R9"],
    ),
    planted(
        Mutant::UnfencedEpochLookup,
        "TR-03",
        "unfenced-epoch-lookup",
        "a follower compares logs once in each epoch, and a leader of another epoch answers it",
        &["R9", "R7"],
    ),
    planted(
        Mutant::UnfencedFetch,
        "TR-04",
        "unfenced-fetch",
        "a leader ignores the epochs that a follower names in its fetch",
        &["R7", "R9"],
    ),
    planted(
        Mutant::IsrExpandAtHwOnly,
        "TR-06",
        "isr-expand-at-hw-only",
        "a follower joins the ISR at the leader's high watermark, though below the leader's epoch start",
        &["R9", "R8", "B1"],
    ),
    planted(
        Mutant::NoEpochEntryAtElection,
        "TR-08",
        "no-epoch-entry-at-election",
        "a leader enters its epoch with its first record only; who asks it before falls back to its own high watermark",
        &["R17", "R9"],
    ),
    planted(
        Mutant::LateEpochAnswer,
        "TR-09",
        "late-epoch-answer",
        "a follower cuts its log by an answer that it asked for in a former epoch",
        &["L4", "R9"],
    ),
    absent("TR-11", "hw-before-truncate", "a follower applies the high watermark of a diverging answer, then cuts", INSIDE),
    planted(
        Mutant::TruncateAfterHandover,
        "TR-12",
        "truncate-after-handover",
        "a replica that leads by now cuts its log by an answer that it asked for as a follower",
        &["R9", "R18"],
    ),
    latent(
        Mutant::EmptyFetchForgetsEpoch,
        "TR-14",
        "empty-fetch-forgets-epoch",
        "after an empty answer a follower no longer names the epoch of its last batch in this leader epoch",
        &["R7"],
        WITHIN_ONE_EPOCH,
    ),
    absent(
        "TR-15",
        "accept-future-epoch-batch",
        "a follower appends batches of a later epoch than it asked in",
        "needs a lazy send of file regions; answers are made up of bytes within one step here",
    ),
    absent("TR-17", "expose-uncommitted-after-roll", "the bound of a read falls to the end of the segment after a roll", INSIDE),
    // ---- ISR and controller ------------------------------------------------------------------------------------------
    planted(
        Mutant::OptimisticShrink,
        "IS-01",
        "optimistic-shrink",
        "a leader stops waiting for a follower before the controller has taken it out of the ISR",
        &["R10", "R9", "R8", "B1"],
    ),
    planted(
        Mutant::ExpandNotCounted,
        "IS-02",
        "expand-not-counted",
        "the high watermark does not wait for a member that is being added",
        &["R10", "R9"],
    ),
    planted(
        Mutant::FencedInIsr,
        "IS-04",
        "fenced-in-isr",
        "neither leader nor controller minds that a new ISR member is fenced or shutting down",
        &["R21", "R3", "L1", "L3", "R12"],
    ),
    absent(
        "IS-06",
        "zombie-controller-final-answer",
        "a deposed controller answers finally where it may be the one who is behind",
        QUORUM,
    ),
    absent(
        "IS-07",
        "zombie-controller-idempotent-answer",
        "a deposed controller confirms an ISR that equals its own view",
        QUORUM,
    ),
    planted(
        Mutant::InflightFlagClearedByMetadata,
        "IS-09",
        "inflight-flag-cleared-by-metadata",
        "newer metadata let the leader propose again while its last proposal is unanswered, and answers are taken as they come",
        &["R10", "Q7", "L10"],
    ),
    absent("IS-10", "torn-eligibility-read", "a leader reads log end and broker epoch of a follower at two moments", INSIDE),
    planted(
        Mutant::HwUnderMinIsr,
        "IS-11",
        "hw-under-min-isr",
        "the high watermark advances with fewer than min ISR in sync",
        &["R9", "R8", "R11"],
    ),
    configured(
        "IS-12",
        "last-replica-standing",
        "the sole ISR member loses its unsynced tail and leads",
        "without eligible leader replicas every cluster is so: SANCTIONED, by that name, in random chaos",
    ),
    absent("IS-13", "elr-keeps-unclean-broker", "an unclean restart does not end eligibility", ELR),
    absent("IS-14", "fenced-last-known-leader", "the last known leader is elected though it is fenced", ELR),
    planted(
        Mutant::NewBrokerEpochOnReregister,
        "IS-16",
        "new-broker-epoch-on-reregister",
        "the same life of a broker that registers again gets a new broker epoch",
        &["Q9", "L4"],
    ),
    planted(
        Mutant::NoIncarnationCheck,
        "IS-17",
        "no-incarnation-check",
        "the controller takes the word of a broker's former life",
        &["R21", "Q9", "Q13"],
    ),
    planted(
        Mutant::RecreatedTopicByName,
        "IS-18",
        "recreated-topic-by-name",
        "a broker takes over a log by its name, though another topic of that name wrote it",
        &["R7", "R4", "R9", "R13", "B3"],
    ),
    planted(
        Mutant::HwWaitsForShutDownReplica,
        "IS-21",
        "hw-waits-for-shut-down-replica",
        "the high watermark waits for a replica that was caught up a while ago, though it is fenced or shutting down",
        &["R23", "L3"],
    ),
    // ---- metadata quorum -----------------------------------------------------------------------------------------------
    absent("QM-01", "fetch-before-fsync", "a voter tells its offset before it is on the medium", QUORUM),
    absent("QM-02", "vote-not-persisted", "a vote is answered before it is on the medium", QUORUM),
    absent("QM-04", "truncate-below-hw", "a follower obeys a diverging answer below its high watermark", QUORUM),
    absent("QM-05", "no-check-quorum", "a leader never resigns without a majority", QUORUM),
    absent("QM-06", "activate-before-replay", "a controller decides before it has replayed its log", QUORUM),
    absent("QM-08", "snapshot-id-off-by-one", "a snapshot is named by its last offset, inclusive", QUORUM),
    absent("QM-09", "no-pre-vote-disruption", "a returning voter raises the epoch at once", QUORUM),
    absent("QM-10", "wiped-voter-rejoins", "a voter is known by its node id only", QUORUM),
    // ---- storage -----------------------------------------------------------------------------------------------------
    planted(
        Mutant::CleanMarkerSurvivesCrash,
        "ST-01",
        "clean-marker-survives-crash",
        "the clean-shutdown mark is erased after the logs are loaded, and nobody waits until that is durable",
        &["D7", "D1", "D8"],
    ),
    planted(
        Mutant::RecoveryPointTooFar,
        "ST-03",
        "recovery-point-too-far",
        "what recovery has read counts as durable, without a flush",
        &["D1", "D2", "D8", "D10"],
    ),
    planted(
        Mutant::NoDirFsync,
        "ST-04",
        "no-dir-fsync",
        "directories are not synced after segments are created, renamed or removed",
        &["D2", "D8"],
    ),
    planted(
        Mutant::EpochCheckpointNotSynced,
        "ST-05",
        "epoch-checkpoint-not-synced",
        "the file of leader epochs is written and renamed without a sync",
        &["R17", "D8"],
    ),
    planted(
        Mutant::AppendAfterIoError,
        "ST-07",
        "append-after-io-error",
        "a log is written to and flushed again after its disk has failed once",
        &["R18", "D1", "D8", "D10"],
    ),
    absent("ST-08", "leo-after-index", "the log end moves after the transaction index was written", TRANSACTIONS),
    planted(
        Mutant::RecoverSkipsEpochZero,
        "ST-09",
        "recover-skips-epoch-0",
        "recovery rebuilds the history of epochs without epoch 0",
        &["R17"],
    ),
    absent("ST-11", "tombstone-too-early", "a tombstone is removed before late readers have seen it", NO_TOMBSTONES),
    absent("ST-12", "marker-cleaned-early", "a transaction marker is removed while its records are there", TRANSACTIONS),
    planted(
        Mutant::LastSequenceCleaned,
        "ST-13",
        "last-sequence-cleaned",
        "compaction removes the last batches of a producer when no record of them is left",
        &["D6"],
    ),
    configured(
        "ST-14",
        "async-flush-correlated-power-loss",
        "all replicas lose power before they have written back what was acknowledged",
        "random chaos calls it BEYOND_TOLERANCE",
    ),
    absent(
        "ST-15",
        "hw-checkpoint-lost",
        "restarts forget the high watermark, and truncation goes by it",
        "needs TR-01 on as well",
    ),
    planted(
        Mutant::FutureDatedTimestampRetention,
        "ST-16",
        "future-dated-timestamp-retention",
        "records may be dated as far ahead or back as their clients like, so retention by time never comes, or at once",
        &["D12"],
    ),
    // ---- producers and transactions ------------------------------------------------------------------------------------
    configured("PR-01", "non-idempotent-retry-dup", "a retry without idempotence is stored twice", NO_SCENARIO),
    configured("PR-02", "inflight-reorder", "two batches in flight without idempotence change places", NO_SCENARIO),
    planted(
        Mutant::ProducerStateLostByRetention,
        "PR-04",
        "producer-state-lost-by-retention",
        "a producer is forgotten when its last records leave the log",
        &["D6", "R19", "B2"],
    ),
    planted(
        Mutant::SnapshotRemembersOneBatch,
        "PR-05",
        "snapshot-remembers-one-batch",
        "the snapshot of producers keeps one batch of each, so an older retry is taken for a gap",
        &["D6", "R19", "B2"],
    ),
    planted(
        Mutant::SequenceReassignOrder,
        "PR-07",
        "sequence-reassign-order",
        "a producer that must number its batches anew does so in the order of a heap",
        &["B6", "R19"],
    ),
    absent("PR-08", "hanging-txn-late-write", "a late batch opens a transaction that nobody ends", TRANSACTIONS),
    absent("PR-09", "verification-guard-aba", "the verification of one transaction serves another", TRANSACTIONS),
    absent("PR-10", "delayed-endtxn-hits-next-txn", "a late EndTxn ends the next transaction", TRANSACTIONS),
    absent("PR-12", "initpid-aborts-with-old-epoch", "the fencing abort writes its markers under the old epoch", TRANSACTIONS),
    absent(
        "PR-13",
        "epoch-raised-without-durable-write",
        "a producer epoch is raised though its record was not written",
        TRANSACTIONS,
    ),
    absent("PR-14", "pending-state-leak", "a failed append leaves a transaction pending for ever", TRANSACTIONS),
    absent("PR-15", "markers-before-prepare-durable", "markers are sent before the decision is committed", TRANSACTIONS),
    absent("PR-16", "double-completion", "two marker answers both complete a transaction", TRANSACTIONS),
    absent("PR-17", "coordinator-epoch-unchecked", "markers of an old coordinator are taken", TRANSACTIONS),
    absent("PR-18", "producer-expires-early", "a producer with an idle transaction is forgotten", TRANSACTIONS),
    absent("PR-20", "epoch-overflow", "a producer epoch is raised past its end", TRANSACTIONS),
    absent("PR-21", "lso-double-hw-read", "one read uses two high watermarks", TRANSACTIONS),
    absent("PR-22", "aborted-list-missing-on-longpoll", "a parked fetch is answered without aborted transactions", TRANSACTIONS),
    absent("PR-23", "txn-offsets-not-atomic", "offsets of a transaction apply before their record is written", TRANSACTIONS),
    absent("PR-24", "eos-without-group-fencing", "a zombie commits offsets in a transaction", TRANSACTIONS),
    // ---- groups ----------------------------------------------------------------------------------------------------------
    planted(
        Mutant::ReplyBeforePersist,
        "GR-01",
        "reply-before-persist",
        "SyncGroup is answered before the assignment is committed",
        &["G10", "G1"],
    ),
    planted(
        Mutant::NoGenerationCheck,
        "GR-02",
        "no-generation-check",
        "offsets are taken from whoever names a generation, be it a past one, or that of somebody who was counted out",
        &["G5", "B11"],
    ),
    latent(
        Mutant::CommitInCompletingRebalance,
        "GR-03",
        "commit-in-completing-rebalance",
        "offsets are committed between JoinGroup and the new assignment",
        &["G5", "G3", "B8"],
        NO_COMMITS_MEANWHILE,
    ),
    planted(
        Mutant::UnloadAfterLoadRace,
        "GR-05",
        "unload-after-load-race",
        "a broker that leads again before it has heard that it does not clears what it has just loaded away with the rest of its former epoch",
        &["G7"],
    ),
    planted(
        Mutant::LoadToHwOnly,
        "GR-06",
        "load-to-hw-only",
        "a new coordinator reads its log up to the high watermark, which lags after an election",
        &["G7", "B11"],
    ),
    absent(
        "GR-07",
        "endless-load",
        "a coordinator loads for ever past a gap at the end",
        "no log ends in a gap: compaction keeps the last batch of each segment, empty if it must",
    ),
    planted(
        Mutant::TwoMembersPerInstance,
        "GR-09",
        "two-members-per-instance",
        "a static member is told that it has its former place before that is committed, so that the next coordinator may know its former self",
        &["G10", "G11", "G3"],
    ),
    planted(
        Mutant::StickyDoubleOwnership,
        "GR-10",
        "sticky-double-ownership",
        "the sticky assignor lets everybody keep what they claim to have owned, in whatever generation that was",
        &["G2", "G3", "B10"],
    ),
    latent(
        Mutant::K848StaleAck,
        "GR-13",
        "k848-stale-ack",
        "a heartbeat in the epoch before is taken although its member owns what was given away",
        &["G3", "G8"],
        HONEST_MEMBERS,
    ),
    planted(
        Mutant::AutocommitAfterRevoke,
        "GR-14",
        "autocommit-after-revoke",
        "partitions are given up before their commit has ended, and it is sent when they are somebody else's",
        &["G6", "B8", "B13"],
    ),
    latent(
        Mutant::RebalanceStorm,
        "GR-15",
        "rebalance-storm",
        "newcomers become members with their first request, so that each attempt of a client is one more",
        &["L5", "L7"],
        PATIENT_MEMBERS,
    ),
    latent(
        Mutant::StuckCompletingRebalance,
        "GR-16",
        "stuck-completing-rebalance",
        "a member that never asks for its assignment holds up the group as long as it sends heartbeats",
        &["L5"],
        EAGER_MEMBERS,
    ),
    configured("GR-17", "fetch-out-of-range-reset", "a consumer below the log start jumps to the end", NO_SCENARIO),
    planted(
        Mutant::ConsumerNoTruncationCheck,
        "GR-18",
        "consumer-no-truncation-check",
        "a consumer reads on at its offset although the records before it were cut off and others written",
        &["B7", "B8", "R13", "B3"],
    ),
    planted(
        Mutant::OffsetCommitRegressesByReorder,
        "GR-19",
        "offset-commit-regresses-by-reorder",
        "a commit that nobody waits for is repeated after a newer one has been stored",
        &["G6", "B8"],
    ),
    planted(
        Mutant::EpochlessCommitAfterCoordinatorLoss,
        "GR-20",
        "epochless-commit-after-coordinator-loss",
        "a committed offset is stored without its leader epoch, so that nobody who begins there sees that it was rewritten",
        &["B14", "B9", "R13", "B3"],
    ),
    // ---- unsafe configurations -----------------------------------------------------------------------------------------
    configured("CF-01", "unclean-election", "a replica outside the ISR is elected", "scenarios/unclean-election-loses-data.toml"),
    configured("CF-02", "acks-1", "a write with acks=1 dies with its leader", "scenarios/acks-one-loses-data.toml"),
    configured("CF-03", "acks-0", "a write with acks=0 is lost without any error", NO_SCENARIO),
    configured("CF-04", "min-isr-1", "one replica is enough for acks=all, and dies", NO_SCENARIO),
    configured("CF-05", "rf-1", "the only replica loses its disk", NO_SCENARIO),
    configured("CF-06", "rf3-min3", "any single failure stops writes", NO_SCENARIO),
    configured("CF-07", "indeterminate-as-failure", "a user takes an unknown outcome for \"not written\"", "see BA-15"),
    configured("CF-08", "short-replica-lag", "a stall longer than the lag allowed shrinks the ISR again and again", NO_SCENARIO),
];

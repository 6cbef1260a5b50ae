//! The corners: situations in which replication bugs have lived.
//!
//! Each can be reached by chaos: a corner that no seed can come to would be a reproach for ever, and nobody would read the list. So "appended, and then
//! too few in sync" is none: only who changes a configuration in the middle of a run meets it (`src/replica/produce.rs` says why), and no
//! scenario can.

/// Declares the corners with their names and what they are.
macro_rules! corners {
    ($($variant:ident = $name:literal, $about:literal;)*) => {
        /// A situation worth reaching.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Corner {
            $(#[doc = $about] $variant,)*
        }

        impl Corner {
            /// All of them.
            pub const ALL: &[Corner] = &[$(Corner::$variant),*];

            /// Its name in tables and JSON.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Corner::$variant => $name,)*
                }
            }

            /// What it is.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self {
                    $(Corner::$variant => $about,)*
                }
            }
        }
    };
}

corners! {
    // ---- leadership
    LeaderElectedWhileOldServes = "leader-elected-while-old-serves", "A leader was elected while its predecessor still acted as leader.";
    ZombieAppends = "zombie-appends", "A deposed leader appended records.";
    ZombieConfirms = "zombie-confirms", "A deposed leader confirmed a write.";
    ZombieServes = "zombie-serves", "A deposed leader showed records to a consumer.";
    SameLeaderAgain = "same-leader-again", "A leader was elected again, in a higher epoch, without having followed in between.";
    LeaderReturnsUnaware = "leader-returns-unaware", "A leader was elected again, and never heard of the leader between.";
    NobodyLeads = "nobody-leads", "A partition had no leader.";
    UncleanElection = "unclean-election", "A leader came from outside the ISR.";
    StartsBelowEpochStart = "starts-below-epoch-start", "A new leader's high watermark was below its epoch start.";
    StartsBelowCommitted = "starts-below-committed", "A new leader's high watermark was below one that was known before.";
    EpochWithoutRecords = "epoch-without-records", "A leader was followed by another without having written anything.";
    ThreeEpochsInFiveSeconds = "three-epochs-in-five-seconds", "Three leaders were elected within five seconds.";
    TailLeftBehind = "tail-left-behind", "A leader was elected whose log was shorter than that of a living replica.";
    LeaderDiesWithTail = "leader-dies-with-tail", "A leader died with records above its high watermark.";
    LoneLeaderLosesPower = "lone-leader-loses-power", "A leader lost power while it was the only member of the ISR.";
    ControllerReturns = "controller-returns", "A controller was activated that was not the first.";
    // ---- truncation
    Truncation = "truncation", "A follower cut its log.";
    TruncationAcrossEpochs = "truncation-across-epochs", "A cut took records of two leader epochs.";
    TruncationInRounds = "truncation-in-rounds", "A follower had to cut twice in one leader epoch.";
    TruncationBelowOwnWatermark = "truncation-below-own-watermark", "A follower cut below the high watermark that it knew.";
    BeginsAnew = "begins-anew", "A follower gave up its whole log, because the leader's started above its end.";
    EverythingCut = "everything-cut", "A cut left nothing.";
    FollowerOutOfRange = "follower-out-of-range", "A follower asked for an offset, or named an epoch, that the leader does not have.";
    FollowerFenced = "follower-fenced", "A follower named an older leader epoch than the leader's.";
    LeaderBehindFollower = "leader-behind-follower", "A follower named a newer leader epoch than the leader's.";
    AnswerOvertaken = "answer-overtaken", "The answer to a follower's fetch came when it no longer stood where it had asked.";
    AppendBeforeCutIsDurable = "append-before-cut-is-durable", "A leader was asked to append while a truncation was not yet durable.";
    // ---- ISR
    IsrBelowMinimum = "isr-below-minimum", "An ISR had fewer members than acks=all demands.";
    IsrOfOne = "isr-of-one", "An ISR had one member.";
    ExpansionBelowEpochStart = "expansion-below-epoch-start", "A follower had reached the high watermark but not the epoch start, and was not let in.";
    ShrinkPendingWhileAppending = "shrink-pending-while-appending", "A leader appended while it did not know whether a member had left.";
    ExpansionPendingWhileAdvancing = "expansion-pending-while-advancing", "The high watermark rose while a member was being added.";
    IsrChangedUnderProposal = "isr-changed-under-proposal", "The controller changed a partition while its leader waited for another change.";
    ProposalOutlivesEpoch = "proposal-outlives-epoch", "A leader epoch began while a proposal of the former one was unanswered.";
    ProposalAnswerTooLate = "proposal-answer-too-late", "An answer to AlterPartition came when the leader no longer waited for it.";
    RefusedIneligible = "refused-ineligible", "The controller refused a member that was fenced, stopping, or of another life.";
    RefusedStaleEpoch = "refused-stale-epoch", "The controller refused a change that built upon an old partition epoch.";
    RefusedFencedLeader = "refused-fenced-leader", "The controller refused a change by a deposed leader.";
    RefusedFormerLife = "refused-former-life", "The controller refused a change by a former life of a broker.";
    RejoinedAfterPowerLoss = "rejoined-after-power-loss", "A replica that had lost power came back into the ISR.";
    FencedAlive = "fenced-alive", "A broker was fenced whose process lived.";
    // ---- clients
    RefusedTooFewInSync = "refused-too-few-in-sync", "A write was refused for want of in-sync replicas.";
    WriteTimedOut = "write-timed-out", "A write was appended, and not confirmed in time.";
    PromiseBrokenByElection = "promise-broken-by-election", "A leader lost its office while a write waited for replicas.";
    DuplicateFromWindow = "duplicate-from-window", "A retry was recognised and answered from memory.";
    DuplicateAfterFailover = "duplicate-after-failover", "A retry was recognised by a leader that had not taken the first attempt.";
    SequenceGapRefused = "sequence-gap-refused", "A batch was refused because its predecessor was missing.";
    ProducerEpochRaised = "producer-epoch-raised", "A producer began a new epoch of its own.";
    LatestWithheld = "latest-withheld", "A new leader did not yet know the end of the log and said so.";
    // ---- storage
    TornTailCut = "torn-tail-cut", "Recovery cut the end of a log.";
    TailLostByPower = "tail-lost-by-power", "A log was shorter after a restart than before.";
    CutBelowRecoveryPoint = "cut-below-recovery-point", "Recovery found less, or worse, than was once durable.";
    RotRead = "rot-read", "A disk gave other bytes than were written, and the broker saw it.";
    DiskFailed = "disk-failed", "A disk error ended a broker's part.";
    DiesWhileStarting = "dies-while-starting", "A broker died before it had loaded its logs.";
    CleanStart = "clean-start", "A broker found the mark of a clean shutdown.";
    RecordsGivenUp = "records-given-up", "A log gave up records at its start.";
    TopicDeleted = "topic-deleted", "A topic was deleted.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_fit_into_their_set_and_have_names_of_their_own() {
        assert!(Corner::ALL.len() <= 128);
        for (at, corner) in Corner::ALL.iter().enumerate() {
            assert_eq!(*corner as usize, at);
            assert!(Corner::ALL[..at].iter().all(|other| other.name() != corner.name()), "{corner:?}");
        }
    }
}

//! Streaming judges of facts and client histories.
//!
//! ```text
//!   events, in order ──▶ ghost (what is true) ──▶ change ──▶ R1 R2 R5a ... D8     inner: every fact as it happens
//!                    └─▶ clients (what people saw) ────────▶ B1 B2 B3 B4          outer: as a person outside would see it
//!                                                  settle ─▶ L1 ... L4            did everything come to rest?
//!                                                            │
//!                                                            ▼
//!                                                         verdict
//! ```
//!
//! Two independent oracles. The inner one keeps a [ghost] of the truth and looks at each change that an event made to it; only the
//! replicas that the event names are touched. The outer one knows only what [clients] saw. Every anomaly that a client saw must have
//! an earlier inner finding, or be allowed by the configuration; if not, an invariant is missing here, which the finding then says.
//!
//! One property per file. Nothing here calls the broker's logic: only its types, facts and operations are named, because a checker that
//! shares code with the suspect inherits its bugs. Checks only read: a run has the same hash with them on or off.

pub mod b10_exclusive_processing;
pub mod b11_committed_offset;
pub mod b12_end_offset;
pub mod b13_redelivery;
pub mod b14_unseen;
pub mod b1_lost_write;
pub mod b2_duplicate;
pub mod b3_divergence;
pub mod b4_phantom;
pub mod b5_real_time_order;
pub mod b6_producer_order;
pub mod b7_session_contiguity;
pub mod b8_no_gap;
pub mod b9_restart_position;
pub mod chain;
pub mod clients;
pub mod d10_sync_order;
pub mod d11_deadlines;
pub mod d12_dated_within_bounds;
pub mod d3_start_below_watermark;
pub mod d4_compaction_keeps_latest;
pub mod d5_compaction_bounded;
pub mod d6_producer_state;
pub mod d7_clean_mark;
pub mod d8_recovery;
pub mod d9_rot_is_reported;
pub mod fold;
pub mod g10_reply_after_commit;
pub mod g11_one_per_instance;
pub mod g1_generation_monotone;
pub mod g2_complete_assignment;
pub mod g3_exclusive_ownership;
pub mod g4_stable_group;
pub mod g5_commit_fencing;
pub mod g6_offset_bounds;
pub mod g7_state_is_replay;
pub mod g8_revoke_before_assign;
pub mod g9_sessions;
pub mod ghost;
pub mod groups;
pub mod judge;
pub mod l10_life;
pub mod l1_leader;
pub mod l2_open_writes;
pub mod l3_high_watermark;
pub mod l4_full_isr;
pub mod l5_stable_groups;
pub mod l6_lag;
pub mod l7_no_storm;
pub mod l8_availability;
pub mod l9_progress;
pub mod liveness;
pub mod memory;
pub mod outer;
pub mod p3_producer_id;
pub mod p4_producer_fencing;
pub mod page;
pub mod promised;
pub mod q13_stale_requests;
pub mod q14_compare_and_set;
pub mod q7_partition_epoch;
pub mod q9_broker_epoch;
pub mod r10_quorum_superset;
pub mod r11_legal_advance;
pub mod r12_legal_ack;
pub mod r13_legal_exposure;
pub mod r14_legal_truncation;
pub mod r15_lossy_restart;
pub mod r16_metadata_prefix;
pub mod r17_epoch_cache;
pub mod r18_density;
pub mod r19_idempotence;
pub mod r1_epoch_monotone;
pub mod r20_convergence;
pub mod r21_isr_eligibility;
pub mod r22_batch_epoch;
pub mod r23_prompt_advance;
pub mod r2_one_leader;
pub mod r3_controller_sanity;
pub mod r4_bounds;
pub mod r5a_high_watermark;
pub mod r5b_listed_end;
pub mod r5c_term_watermark;
pub mod r6_committed_prefix;
pub mod r7_log_matching;
pub mod r8_leader_completeness;
pub mod r9_candidate_completeness;
pub mod reader;
pub mod setup;
pub mod survivors;
pub mod symptom;
pub mod verdict;

use brokerlab_reports::event::EventId;

pub use judge::Judge;
pub use setup::{Commits, Dating, GroupSetup, NodeKind, NodeSetup, Pace, Reset, Setup};
pub use symptom::{Follow, Subject, Symptom, is_failure};

use clients::Clients;
use ghost::{Change, Ghost, Kind, Place};
use liveness::{Liveness, OBLIGATIONS};
use page::Page;

/// One property. It is told every change of the kinds it watches once, after the ghost has taken it in.
pub trait Check: Send {
    /// The kinds of changes that it wants to look at. A check that watches nothing looks only at the end.
    fn watches(&self) -> &'static [Kind] {
        &[]
    }

    /// Looks at a change of a kind that it watches.
    fn look(&mut self, _: &Scene<'_>, _: &Change<'_>, _: &mut Page) {}

    /// Looks at the end of the run.
    fn finish(&mut self, _: &Scene<'_>, _: &mut Page) {}

    /// Acknowledged records that it missed.
    fn lost(&self) -> u64 {
        0
    }

    /// Records that it saw twice.
    fn duplicated(&self) -> u64 {
        0
    }

    /// Records that a group left out.
    fn unprocessed(&self) -> u64 {
        0
    }

    /// Answers that were out of date, and may be.
    fn stale(&self) -> u64 {
        0
    }
}

/// What a check may look at.
pub struct Scene<'a> {
    /// The event of the change; the last one, at the end.
    pub event: EventId,
    /// The truth.
    pub ghost: &'a Ghost,
    /// What clients saw.
    pub clients: &'a Clients,
    /// The settle phase has begun.
    pub settling: bool,
    /// Every obligation is met.
    pub at_rest: bool,
}

impl Scene<'_> {
    /// Name of a node.
    #[must_use]
    pub fn node(&self, node: usize) -> &str {
        self.ghost.node_name(node)
    }

    /// Name of a partition.
    #[must_use]
    pub fn name(&self, at: Place) -> String {
        self.ghost.name(at.partition)
    }
}

/// Every check: id, what must hold.
pub const CATALOGUE: &[(&str, &str)] = &[
    (r1_epoch_monotone::ID, r1_epoch_monotone::CLAIM),
    (r2_one_leader::ID, r2_one_leader::CLAIM),
    (r3_controller_sanity::ID, r3_controller_sanity::CLAIM),
    (r4_bounds::ID, r4_bounds::CLAIM),
    (r5a_high_watermark::ID, r5a_high_watermark::CLAIM),
    (r5b_listed_end::ID, r5b_listed_end::CLAIM),
    (r5c_term_watermark::ID, r5c_term_watermark::CLAIM),
    (r6_committed_prefix::ID, r6_committed_prefix::CLAIM),
    (r7_log_matching::ID, r7_log_matching::CLAIM),
    (r8_leader_completeness::ID, r8_leader_completeness::CLAIM),
    (r9_candidate_completeness::ID, r9_candidate_completeness::CLAIM),
    (r10_quorum_superset::ID, r10_quorum_superset::CLAIM),
    (r11_legal_advance::ID, r11_legal_advance::CLAIM),
    (r12_legal_ack::ID, r12_legal_ack::CLAIM),
    (r13_legal_exposure::ID, r13_legal_exposure::CLAIM),
    (r14_legal_truncation::ID, r14_legal_truncation::CLAIM),
    (r15_lossy_restart::ID, r15_lossy_restart::CLAIM),
    (r16_metadata_prefix::ID, r16_metadata_prefix::CLAIM),
    (r17_epoch_cache::ID, r17_epoch_cache::CLAIM),
    (r18_density::ID, r18_density::CLAIM),
    (r19_idempotence::ID, r19_idempotence::CLAIM),
    (r20_convergence::ID, r20_convergence::CLAIM),
    (r21_isr_eligibility::ID, r21_isr_eligibility::CLAIM),
    (r22_batch_epoch::ID, r22_batch_epoch::CLAIM),
    (r23_prompt_advance::ID, r23_prompt_advance::CLAIM),
    (d3_start_below_watermark::ID, d3_start_below_watermark::CLAIM),
    (d4_compaction_keeps_latest::ID, d4_compaction_keeps_latest::CLAIM),
    (d5_compaction_bounded::ID, d5_compaction_bounded::CLAIM),
    (d6_producer_state::ID, d6_producer_state::CLAIM),
    (d7_clean_mark::ID, d7_clean_mark::CLAIM),
    (d8_recovery::ID, d8_recovery::CLAIM),
    (d9_rot_is_reported::ID, d9_rot_is_reported::CLAIM),
    (d10_sync_order::ID, d10_sync_order::CLAIM),
    (d11_deadlines::ID, d11_deadlines::CLAIM),
    (d12_dated_within_bounds::ID, d12_dated_within_bounds::CLAIM),
    (q7_partition_epoch::ID, q7_partition_epoch::CLAIM),
    (q9_broker_epoch::ID, q9_broker_epoch::CLAIM),
    (q13_stale_requests::ID, q13_stale_requests::CLAIM),
    (q14_compare_and_set::ID, q14_compare_and_set::CLAIM),
    (p3_producer_id::ID, p3_producer_id::CLAIM),
    (p4_producer_fencing::ID, p4_producer_fencing::CLAIM),
    (g1_generation_monotone::ID, g1_generation_monotone::CLAIM),
    (g2_complete_assignment::ID, g2_complete_assignment::CLAIM),
    (g3_exclusive_ownership::ID, g3_exclusive_ownership::CLAIM),
    (g4_stable_group::ID, g4_stable_group::CLAIM),
    (g5_commit_fencing::ID, g5_commit_fencing::CLAIM),
    (g6_offset_bounds::ID, g6_offset_bounds::CLAIM),
    (g7_state_is_replay::ID, g7_state_is_replay::CLAIM),
    (g8_revoke_before_assign::ID, g8_revoke_before_assign::CLAIM),
    (g9_sessions::ID, g9_sessions::CLAIM),
    (g10_reply_after_commit::ID, g10_reply_after_commit::CLAIM),
    (g11_one_per_instance::ID, g11_one_per_instance::CLAIM),
    (b1_lost_write::ID, b1_lost_write::CLAIM),
    (b2_duplicate::ID, b2_duplicate::CLAIM),
    (b3_divergence::ID, b3_divergence::CLAIM),
    (b4_phantom::ID, b4_phantom::CLAIM),
    (b5_real_time_order::ID, b5_real_time_order::CLAIM),
    (b6_producer_order::ID, b6_producer_order::CLAIM),
    (b7_session_contiguity::ID, b7_session_contiguity::CLAIM),
    (b8_no_gap::ID, b8_no_gap::CLAIM),
    (b9_restart_position::ID, b9_restart_position::CLAIM),
    (b10_exclusive_processing::ID, b10_exclusive_processing::CLAIM),
    (b11_committed_offset::ID, b11_committed_offset::CLAIM),
    (b12_end_offset::ID, b12_end_offset::CLAIM),
    (b13_redelivery::ID, b13_redelivery::CLAIM),
    (b14_unseen::ID, b14_unseen::CLAIM),
    (l1_leader::ID, l1_leader::CLAIM),
    (l2_open_writes::ID, l2_open_writes::CLAIM),
    (l3_high_watermark::ID, l3_high_watermark::CLAIM),
    (l4_full_isr::ID, l4_full_isr::CLAIM),
    (l5_stable_groups::ID, l5_stable_groups::CLAIM),
    (l6_lag::ID, l6_lag::CLAIM),
    (l7_no_storm::ID, l7_no_storm::CLAIM),
    (l8_availability::ID, l8_availability::CLAIM),
    (l9_progress::ID, l9_progress::CLAIM),
    (l10_life::ID, l10_life::CLAIM),
];

/// One of each, in the order of the catalogue.
fn every_check(setup: &Setup) -> Vec<Box<dyn Check>> {
    let mut checks: Vec<Box<dyn Check>> = vec![
        Box::new(r1_epoch_monotone::EpochMonotone),
        Box::new(r2_one_leader::OneLeader),
        Box::new(r3_controller_sanity::ControllerSanity),
        Box::new(r4_bounds::Bounds),
        Box::new(r5a_high_watermark::HighWatermark),
        Box::new(r5b_listed_end::ListedEnd),
        Box::new(r5c_term_watermark::TermWatermark),
        Box::new(r6_committed_prefix::CommittedPrefix),
        Box::new(r7_log_matching::LogMatching),
        Box::new(r8_leader_completeness::LeaderCompleteness),
        Box::new(r9_candidate_completeness::CandidateCompleteness),
        Box::new(r10_quorum_superset::QuorumSuperset),
        Box::new(r11_legal_advance::LegalAdvance),
        Box::new(r12_legal_ack::LegalAck),
        Box::new(r13_legal_exposure::LegalExposure),
        Box::new(r14_legal_truncation::LegalTruncation),
        Box::new(r15_lossy_restart::LossyRestart),
        Box::new(r16_metadata_prefix::MetadataPrefix),
        Box::new(r17_epoch_cache::EpochCache),
        Box::new(r18_density::Density),
        Box::<r19_idempotence::Idempotence>::default(),
        Box::new(r20_convergence::Convergence),
        Box::new(r21_isr_eligibility::IsrEligibility),
        Box::new(r22_batch_epoch::BatchEpoch),
        Box::<r23_prompt_advance::PromptAdvance>::default(),
        Box::new(d3_start_below_watermark::StartBelowWatermark),
        Box::new(d4_compaction_keeps_latest::CompactionKeepsLatest),
        Box::new(d5_compaction_bounded::CompactionBounded),
        Box::<d6_producer_state::ProducerState>::default(),
        Box::new(d7_clean_mark::CleanMark),
        Box::new(d8_recovery::RecoveredPrefix),
        Box::<d9_rot_is_reported::RotIsReported>::default(),
        Box::new(d10_sync_order::SyncOrder),
        Box::new(d11_deadlines::Deadlines),
        Box::new(d12_dated_within_bounds::DatedWithinBounds),
        Box::new(q7_partition_epoch::PartitionEpochStep),
        Box::new(q9_broker_epoch::BrokerEpochUnique),
        Box::new(q13_stale_requests::StaleRequests),
        Box::new(q14_compare_and_set::CompareAndSet),
        Box::<p3_producer_id::ProducerIdUnique>::default(),
        Box::<p4_producer_fencing::ProducerFencing>::default(),
    ];
    checks.extend(checks_of_groups_and_clients(setup));
    checks
}

/// The second half of them.
fn checks_of_groups_and_clients(setup: &Setup) -> Vec<Box<dyn Check>> {
    let [l1, l3, l4] = OBLIGATIONS.map(Liveness);
    vec![
        Box::new(g1_generation_monotone::GenerationMonotone),
        Box::new(g2_complete_assignment::CompleteAssignment),
        Box::new(g3_exclusive_ownership::ExclusiveOwnership),
        Box::new(g4_stable_group::StableGroup),
        Box::new(g5_commit_fencing::CommitFencing),
        Box::new(g6_offset_bounds::OffsetBounds),
        Box::new(g7_state_is_replay::StateIsReplay),
        Box::new(g8_revoke_before_assign::RevokeBeforeAssign),
        Box::new(g9_sessions::Sessions),
        Box::new(g10_reply_after_commit::ReplyAfterCommit),
        Box::new(g11_one_per_instance::OnePerInstance),
        Box::<b1_lost_write::LostWrite>::default(),
        Box::<b2_duplicate::Duplicate>::default(),
        Box::<b3_divergence::Divergence>::default(),
        Box::new(b4_phantom::Phantom),
        Box::<b5_real_time_order::RealTimeOrder>::default(),
        Box::new(b6_producer_order::ProducerOrder),
        Box::<b7_session_contiguity::SessionContiguity>::default(),
        Box::new(b8_no_gap::NoGap),
        Box::new(b9_restart_position::RestartPosition),
        Box::new(b10_exclusive_processing::ExclusiveProcessing),
        Box::<b11_committed_offset::CommittedOffset>::default(),
        Box::<b12_end_offset::EndOffset>::default(),
        Box::new(b13_redelivery::Redelivery),
        Box::new(b14_unseen::Unseen::default()),
        Box::new(l1),
        Box::new(l2_open_writes::OpenWrites),
        Box::new(l3),
        Box::new(l4),
        Box::new(l5_stable_groups::StableGroups),
        Box::new(l6_lag::Lag),
        Box::<l7_no_storm::NoStorm>::default(),
        Box::new(l8_availability::Availability::new(setup.pace)),
        Box::<l9_progress::Progress>::default(),
        Box::new(l10_life::Life),
    ]
}

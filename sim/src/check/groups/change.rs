//! What an event changed in the ghost of groups.

use std::sync::Arc;

use brokerlab::fact::group::{GroupState, LoadedGroup, RemovalReason};
use brokerlab::types::{LeaderEpoch, Offset, TopicPartition};
use brokerlab_reports::event::EventId;

use super::RecordPlace;
use super::terms::Member;

/// A change. `group` is the number of the group in the ghost, `node` that of the node which speaks, or answers.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "fields that are named as in the fact or tap mean the same")]
pub enum GroupChange<'e> {
    /// A coordinator has read a shard and serves.
    Loaded { shard: usize, node: usize, epoch: LeaderEpoch, log_end: Offset, groups: &'e [LoadedGroup] },
    /// A member is counted in; `rival` already had its instance id.
    Joined { group: usize, node: usize, member: Arc<str>, instance: Option<Arc<str>>, rival: Option<Arc<str>> },
    /// A member is counted out; `was` says what the coordinator knew of it.
    Removed { group: usize, node: usize, member: Arc<str>, reason: RemovalReason, was: Option<Member> },
    /// A group has another state; `before` is its former generation in this term.
    Entered { group: usize, node: usize, state: GroupState, generation: i32, before: i32 },
    /// A generation has begun; `before` is the one that began before it in this term.
    Begun { group: usize, node: usize, generation: i32, before: i32 },
    /// Who is to own what.
    Decided {
        group: usize,
        node: usize,
        generation: i32,
        assignment: &'e [(Arc<str>, Vec<TopicPartition>)],
        subscribed: &'e [TopicPartition],
    },
    /// A commit stands in the log; `before` is what that log said before, and it was asked for at `sent`.
    Stored {
        group: usize,
        node: usize,
        member: Arc<str>,
        generation: i32,
        partition: &'e TopicPartition,
        offset: Offset,
        before: Option<Offset>,
        sent: EventId,
    },
    /// A member owns more.
    Assigned { group: usize, node: usize, member: Arc<str>, generation: i32, partitions: &'e [TopicPartition] },
    /// A member begins to read; `asked` is when it asked for the committed offset.
    Positioned {
        group: usize,
        node: usize,
        member: Arc<str>,
        partition: &'e TopicPartition,
        committed: Option<Offset>,
        asked: EventId,
    },
    /// Records from `from` on were processed, in the session of that number; `first`: they are its first; `known`: the first of them that the group
    /// had processed already; `repeated`: the first that this very session had.
    Processed {
        group: usize,
        node: usize,
        partition: &'e TopicPartition,
        from: Offset,
        session: usize,
        first: bool,
        known: Option<Offset>,
        repeated: Option<Offset>,
    },
    /// A commit is acknowledged; `place` is where its record stands, if one was stated.
    CommitAnswered {
        group: usize,
        node: usize,
        member: Arc<str>,
        partition: &'e TopicPartition,
        offset: Offset,
        place: Option<RecordPlace>,
    },
    /// A committed offset was told.
    OffsetTold { group: usize, node: usize, partition: &'e TopicPartition, offset: Option<Offset>, request: EventId },
    /// A member was told to live by a generation; `place` is where the record behind it stands, if one was stated.
    GenerationTold { group: usize, node: usize, member: Arc<str>, generation: i32, place: Option<RecordPlace> },
    /// A static member was told that it has the place of its former self; `place` is where the record of that stands.
    PlaceTold { group: usize, node: usize, member: Arc<str>, place: RecordPlace },
    /// A member heart-beats.
    Heard { group: usize, node: usize },
}

impl GroupChange<'_> {
    /// Whether something has moved on.
    #[must_use]
    pub fn is_progress(&self) -> bool {
        match self {
            GroupChange::Loaded { .. }
            | GroupChange::Joined { .. }
            | GroupChange::Removed { .. }
            | GroupChange::Begun { .. }
            | GroupChange::Decided { .. }
            | GroupChange::Assigned { .. }
            | GroupChange::Positioned { .. }
            | GroupChange::Processed { .. } => true,
            GroupChange::Entered { .. }
            | GroupChange::Stored { .. }
            | GroupChange::CommitAnswered { .. }
            | GroupChange::OffsetTold { .. }
            | GroupChange::GenerationTold { .. }
            | GroupChange::PlaceTold { .. }
            | GroupChange::Heard { .. } => false,
        }
    }
}

//! The classic protocol: the members compute the assignment, the coordinator sees to it that they all mean the same members.
//!
//! ```text
//!    member A                    coordinator                     member B
//!    JoinGroup(protocols) ──────────▶│◀──────────── JoinGroup(protocols)
//!                     waits until every known member has joined, or time is up
//!    ◀─ generation 5, you lead, ─────┤──── generation 5, A leads ────▶
//!       members A, B                 │
//!    SyncGroup(A: p0, B: p1) ───────▶│◀──────────── SyncGroup
//!                     stores generation and assignment; when that is committed:
//!    ◀─ p0 ──────────────────────────┤──── p1 ───────────────────────▶
//!    Heartbeat(5) ──────────────────▶│◀──────────── Heartbeat(5)      until somebody joins, leaves, falls silent
//! ```
//!
//! The life of a group:
//!
//! ```text
//!            first member           all joined, or            the leading member's
//!   Empty ──────────────▶ Preparing ──────────────▶ Completing ──────────────────▶ Stable
//!     ▲                    │  ▲  ▲    time is up        │        assignment          │
//!     └── nobody joined ───┘  │  └── join, leave, silence ──────────── the same ─────┘
//! ```
//!
//! - A *generation* is one successful round of joining. Whoever names another one is of the past: it must not commit (G5), and has to join again.
//! - **Preparing.** Members learn of it by their heartbeats (REBALANCE_IN_PROGRESS) and join again. It ends when all have, or after the longest
//!   rebalance time-out among them; who has not joined is no member any more, unless it is static. The first rebalance of a group waits
//!   `group.initial.rebalance.delay.ms` instead, anew for each newcomer, so that a group that starts at once need not rebalance for each.
//! - **Completing.** Everyone has its generation; the leading member's assignment is awaited. Heartbeats are welcome. Who does not come for its
//!   assignment within the rebalance time-out is removed: a leading member that only sends heartbeats would hold up all others (KAFKA-12890).
//! - **Newcomers** are first given a member id and must come again with it (KIP-394). Else each try of a client that does not wait for the answer
//!   would be one more member, for which every rebalance then waits.
//! - **Static members** (KIP-345) name an instance id. One that comes back under the same instance id takes the place of its former self: it gets a
//!   new member id, the assignment stays, nobody rebalances; the former self is fenced. That must be stored before it is answered, else a
//!   failover would bring the former self back.
//! - **Which protocol** (of those that all members support) is voted for: each member for the first in its list that all know.
//!
//! The rules are those of Kafka's coordinator (`GroupMetadataManager`). One is ours: a static member that comes back and wants other topics than
//! before asks for a rebalance; Kafka would leave the leading member in ignorance.
//!
//! | file | what |
//! |---|---|
//! | `member` | one member |
//! | `join`, `static_members` | JoinGroup |
//! | `rebalance` | begin one, end one |
//! | `sync`, `heartbeat`, `leave` | the other requests |
//! | `timers` | silence, and rebalances that take long |
//! | `restore` | from and to what is stored |

mod heartbeat;
mod join;
mod leave;
mod member;
mod rebalance;
mod restore;
mod static_members;
mod sync;
mod timers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fact::group::GroupState;
use crate::types::{Duration, Offset, Time, Timestamp};
use crate::wire::ErrorCode;
use crate::wire::consumer_protocol::{ConsumerProtocolSubscription, Embedded, PROTOCOL_TYPE};

use super::Effects;
use super::stored::Stored;

pub(super) use join::refusal as refuse_join;
pub(super) use member::Member;
pub(super) use sync::refusal as refuse_sync;

/// Where in its life a group is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Phase {
    /// Nobody is there.
    #[default]
    Empty,
    /// Members are awaited.
    Preparing {
        /// Until then.
        until: Time,
        /// In the first rebalance: how much longer it may be extended.
        initial: Option<InitialDelay>,
    },
    /// The assignment is awaited.
    Completing {
        /// Until then every member must have asked for it.
        until: Time,
    },
    /// The assignment is stored.
    Stable {
        /// Until then every member must have asked for it.
        until: Time,
    },
}

/// The delay of a group's first rebalance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct InitialDelay {
    /// What is left of the rebalance time-out after the present delay.
    pub left: Duration,
    /// Whether somebody has come during it: then there may be more.
    pub has_newcomer: bool,
}

/// The members of a group and what they have agreed upon.
///
/// Invariants: `instances` names each static member once; the leading member is a member; without members there is no protocol and no leader. When
/// `Stable`, members, generation and assignments are those of `stored`.
#[derive(Default, Hash, Debug)]
pub(super) struct Classic {
    pub protocol_type: Option<Arc<str>>,
    pub generation: i32,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<Arc<str>>,
    pub members: BTreeMap<Arc<str>, Member>,
    /// Static members: instance id to member id.
    pub instances: BTreeMap<Arc<str>, Arc<str>>,
    /// Member ids that were given and not used so far, and until when they may be.
    pub newcomers: BTreeMap<Arc<str>, Time>,
    pub phase: Phase,
    /// Since when it is in its state.
    pub since: Option<Timestamp>,
    /// What the log says at its end.
    pub stored: Option<Stored>,
    /// The end of the record that says so.
    pub stored_end: Offset,
}

impl Classic {
    /// Its state, as facts and tools name it.
    pub fn state(&self) -> GroupState {
        match self.phase {
            Phase::Empty => GroupState::Empty,
            Phase::Preparing { .. } => GroupState::PreparingRebalance,
            Phase::Completing { .. } => GroupState::CompletingRebalance,
            Phase::Stable { .. } => GroupState::Stable,
        }
    }

    /// Whether there is nothing to know of it.
    pub fn is_void(&self) -> bool {
        let nobody = self.members.is_empty() && self.newcomers.is_empty();
        self.stored.is_none() && nobody && self.phase == Phase::Empty
    }

    /// Whether this is who it says it is.
    pub fn check_member(&self, member: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if &**current != member => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// As [`Classic::check_member`], and whether it lives in this generation.
    pub fn check_generation(&self, member: &str, instance: Option<&str>, generation: i32) -> Result<(), ErrorCode> {
        self.check_member(member, instance)?;
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    /// Whether this member computes the assignment.
    pub fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    /// How long a rebalance waits for members that are slow: as long as the slowest may take.
    pub fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance).max().unwrap_or(Duration::ZERO)
    }

    /// Whether every member, and everyone who was given a member id, has joined.
    pub fn have_all_joined(&self) -> bool {
        self.newcomers.is_empty() && self.members.values().all(|member| member.join.is_some())
    }

    /// Whether its members are consumers, whose subscriptions can be read.
    pub fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(PROTOCOL_TYPE)
    }

    /// The topics that somebody in the group subscribes to, if that can be known.
    pub fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        let protocol = self.protocol.as_ref().filter(|_| self.is_of_consumers())?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(ConsumerProtocolSubscription::extract(member.metadata_for(protocol)?).ok()?.topics);
        }
        Some(topics)
    }

    /// Whether offsets of this topic are in use. If subscriptions cannot be read, those of consumers are taken to be.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        match self.subscribed_topics() {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers() && !self.members.is_empty(),
        }
    }

    /// Everyone who waits is told this.
    pub fn dismiss(&mut self, error: ErrorCode, effects: &mut Effects) {
        for (id, member) in &mut self.members {
            if let Some(waiting) = member.join.take() {
                effects.answers.push((waiting.token, join::refusal(waiting.version, error, id).into()));
            }
            if let Some(waiting) = member.sync.take() {
                effects.answers.push((waiting.token, sync::refusal(error).into()));
            }
        }
    }
}

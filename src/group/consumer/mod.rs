//! The newer protocol (KIP-848): the coordinator computes the assignment, and moves one partition at a time.
//!
//! There is one request, the heartbeat. With it a member joins, says what it subscribes to and what it owns, and in return hears what it may own
//! now. No round of joining stops everybody: members reconcile one by one.
//!
//! ```text
//!   group epoch        rises with every change of members, subscriptions or topics
//!   target epoch       the group epoch for which the assignor has run
//!   member epoch       the target epoch that this member has reached
//!
//!   target: A {0 1} B {2}        A, epoch 5, owns 0 1 2            B, epoch 0, owns nothing
//!   ───────────────────────────────────────────────────────────────────────────────────────────
//!   A beats: epoch 5             told "0 1", is to give up 2
//!                                                                   B beats: told nothing yet; 2 is not free
//!   A beats: "I own 0 1"         epoch 6
//!                                                                   B beats: told "2", epoch 6
//! ```
//!
//! - **Revoke before assign.** A partition is given to a member only if no other has it assigned or still to give up. Who has what is kept in one
//!   map ([`ConsumerGroup::owners`]), updated with every record of a member: what it had goes, what it has comes, in one step (KAFKA-16147).
//! - **Epochs fence.** A heartbeat with another epoch than the member's is of somebody else, or of the past: FENCED_MEMBER_EPOCH, join again. The one
//!   exception is the epoch before, from a member whose answer was lost: it is taken if what the member owns is within what it is
//!   assigned. Without that condition a late heartbeat would keep what was given away (GR-13).
//! - A member that does not give up its partitions within its rebalance time-out is removed, as one that is silent for a session.
//! - **Static members** leave with epoch -2: their assignment waits for them for a session. A successor under the same instance id gets it.
//! - **Regular expressions** are matched here, against the topics of the cluster, when the subscription or the topics change.
//!
//! All of it but the timers is in the log, one record for each member and kind. So a failover goes unnoticed: members go on with the next heartbeat.
//!
//! A group changes its protocol while it is empty, and its epochs go on where its generations have ended; a group with members of the classic protocol refuses members of the newer one, and the other
//! way round. (Kafka can also convert a group that lives.)
//!
//! | file | what |
//! |---|---|
//! | `heartbeat` | the request |
//! | `reconcile` | what a member may own next |
//! | `assignor` | who is to own what |
//! | `subscriptions` | topics and regular expressions |
//! | `removal` | leaving, silence, fencing |
//! | `records` | the state as a fold of records |
//! | `describe` | for tools |

mod assignor;
mod describe;
mod heartbeat;
mod reconcile;
mod records;
mod removal;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::fact::group::GroupState;
use crate::types::{Duration, Time, TopicId};
use crate::wire::ErrorCode;

pub(super) use heartbeat::refuse;

/// Partitions by topic.
pub(super) type Partitions = BTreeMap<TopicId, BTreeSet<i32>>;

/// Member epoch of a static member that has left and may come back.
const LEFT_FOR_NOW: i32 = -2;

/// How far a member is on its way to the target.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Progress {
    /// It has what it is to have.
    #[default]
    Stable,
    /// It has to give something up first.
    Unrevoked,
    /// It waits for what others have to give up.
    Unreleased,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct ConsumerMember {
    /// Its instance id, if it is static.
    pub instance: Option<Arc<str>>,
    /// Its rack.
    pub rack: Option<Arc<str>>,
    /// How its client calls itself.
    pub client_id: Arc<str>,
    /// Where it joined from.
    pub host: Arc<str>,
    /// Topics it subscribes to by name.
    pub topics: BTreeSet<Arc<str>>,
    /// A regular expression that it subscribes to.
    pub regex: Option<Arc<str>>,
    /// How long it may take to give partitions up.
    pub rebalance: Duration,
    /// The assignor it would like.
    pub assignor: Option<Arc<str>>,
    /// The epoch that its heartbeats have to bear.
    pub epoch: i32,
    /// The one before.
    pub previous_epoch: i32,
    /// How far it is.
    pub progress: Progress,
    /// What it may own.
    pub assigned: Partitions,
    /// What it has to give up first.
    pub revoking: Partitions,
}

/// What is known of a member that is in no log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Vigil {
    /// When it is taken for dead.
    pub expires: Time,
    /// By when it must have given up what it has to.
    pub revokes_by: Option<Time>,
}

/// A regular expression and the topics that it stands for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Resolved {
    pub topics: BTreeSet<Arc<str>>,
}

/// A group of the newer protocol.
///
/// Invariants: `owners` is the sum of what all members have assigned or to give up, so no partition is in it twice; `instances` names members.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct ConsumerGroup {
    pub epoch: i32,
    /// A hash over the topics subscribed to, as of the group epoch.
    pub metadata_hash: i64,
    pub members: BTreeMap<Arc<str>, ConsumerMember>,
    pub instances: BTreeMap<Arc<str>, Arc<str>>,
    pub target_epoch: i32,
    pub targets: BTreeMap<Arc<str>, Partitions>,
    pub regexes: BTreeMap<Arc<str>, Resolved>,
    /// Who has a partition assigned, or still to give up.
    pub owners: BTreeMap<(TopicId, i32), Arc<str>>,
    /// Not in the log.
    pub vigils: BTreeMap<Arc<str>, Vigil>,
    /// Which version of the topics was looked at last. Not in the log either.
    pub looked_at: Option<u64>,
}

impl ConsumerGroup {
    /// Its state, as tools name it.
    pub fn state(&self) -> GroupState {
        let has_arrived = |member: &ConsumerMember| member.progress == Progress::Stable && member.epoch == self.target_epoch;
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.epoch > self.target_epoch {
            GroupState::Assigning
        } else if self.members.values().all(has_arrived) {
            GroupState::Stable
        } else {
            GroupState::Reconciling
        }
    }

    /// Whether this member lives in this epoch: asked of those who commit or fetch offsets.
    pub fn check_epoch(&self, member: &str, epoch: i32) -> Result<(), ErrorCode> {
        match self.members.get(member) {
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some(member) if member.epoch != epoch => Err(ErrorCode::STALE_MEMBER_EPOCH),
            Some(_) => Ok(()),
        }
    }

    /// Whether somebody in it subscribes to this topic.
    pub fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members.keys().any(|id| self.subscription(id).any(|name| &**name == topic))
    }

    /// The topics that a member subscribes to, by name or by regular expression.
    pub fn subscription(&self, member: &str) -> impl Iterator<Item = &Arc<str>> + use<'_> {
        let member = self.members.get(member);
        let matched = member.and_then(|member| self.regexes.get(member.regex.as_ref()?));
        let named = member.into_iter().flat_map(|member| &member.topics);
        named.chain(matched.into_iter().flat_map(|resolved| &resolved.topics))
    }
}

#[cfg(test)]
impl ConsumerGroup {
    /// What of it is in the log.
    pub fn durable(&self) -> ConsumerGroup {
        ConsumerGroup { vigils: BTreeMap::new(), looked_at: None, ..self.clone() }
    }

    /// What must hold between steps.
    pub fn check(&self) {
        let mut owners = BTreeMap::new();
        for (id, member) in &self.members {
            for (topic, indices) in member.assigned.iter().chain(&member.revoking) {
                for index in indices {
                    assert!(owners.insert((*topic, *index), id.clone()).is_none(), "{topic}-{index} has two owners");
                }
            }
            assert!(member.epoch <= self.target_epoch, "{id} is ahead of the target");
        }
        assert_eq!(owners, self.owners, "the map of owners is what members have");
        assert!(self.target_epoch <= self.epoch, "the target is ahead of the group");
        assert!(self.instances.values().all(|id| self.members.contains_key(id)), "an instance without a member");
        assert!(self.vigils.keys().all(|id| self.members.contains_key(id)), "a vigil for nobody");
    }
}

/// Whether all of `part` is in `whole`.
fn is_within(part: &Partitions, whole: &Partitions) -> bool {
    part.iter().all(|(topic, indices)| indices.is_empty() || whole.get(topic).is_some_and(|all| indices.is_subset(all)))
}

/// Whether they have a partition in common.
fn overlap(one: &Partitions, other: &Partitions) -> bool {
    one.iter().any(|(topic, indices)| other.get(topic).is_some_and(|all| !indices.is_disjoint(all)))
}

//! Committed batches that a new leader lacks, each judged by itself.
//!
//! A protocol promises only within a contract, so a loss is judged from what really happened, not from a formula over settings:
//!
//! ```text
//!   is a copy left anywhere?
//!   ├─ no:  did a replica give up a copy by itself?      yes: VIOLATION
//!   │                                                    no:  BEYOND_TOLERANCE   every copy was destroyed by a fault
//!   └─ yes: unclean election allowed, and it happened?   SANCTIONED  unclean-election
//!           the leader was robbed of it by a fault,
//!           and was the only ISR member (KIP-966)?       SANCTIONED  last-replica-standing
//!           otherwise                                    VIOLATION   the protocol could have chosen better
//! ```
//!
//! What retention had given up is not owed to anybody; it is judged all the same where a leader begins below it, because offsets are used again.
//!
//! A replica that lost power and was not audited yet may or may not have its copy: then the judgement waits for that audit.

use brokerlab::types::{LeaderEpoch, Offset};
use brokerlab_reports::event::EventId;
use brokerlab_reports::verdict::Verdict;

use super::recovery::Ending;
use super::{Ghost, Partition};
use crate::check::chain::Link;
use crate::check::page::Weight;

/// What one leader lacked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// When it showed.
    pub event: EventId,
    /// Epoch of the leader that lacks it.
    pub epoch: LeaderEpoch,
    /// Number of that leader's node.
    pub leader: usize,
    /// First committed offset that is lost.
    pub from: Offset,
    /// End of what was committed.
    pub to: Offset,
    /// The batches.
    pub batches: Vec<LostBatch>,
    /// The leader came to contradict what was committed while it already led.
    pub rewritten: bool,
}

/// One lost batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostBatch {
    /// Which.
    pub link: Link,
    /// What its loss counts as, as far as is known.
    pub weight: Weight,
    /// Why, in words.
    pub reason: &'static str,
    /// It was not given up before by retention or deletion.
    pub owed: bool,
    /// What it counts as if one of the nodes below still has a copy.
    if_copied: Option<(Weight, &'static str)>,
    /// Nodes that may have a copy.
    uncertain: Vec<usize>,
}

const BEYOND: (Weight, &str) =
    (Weight { verdict: Verdict::BeyondTolerance, name: "beyond-tolerance" }, "every copy was destroyed by a fault");
const UNCLEAN: (Weight, &str) = (
    Weight { verdict: Verdict::Sanctioned, name: "unclean-election" },
    "an unclean election, which the topic allows, chose a leader without it",
);
const LAST_STANDING: (Weight, &str) = (
    Weight { verdict: Verdict::Sanctioned, name: "last-replica-standing" },
    "the only in-sync replica lost it with its power and was elected again, though another replica has a copy",
);
const GIVEN_UP: (Weight, &str) = (Weight::VIOLATION, "no fault took the last copy: a replica cut it from its own log");
const CHOSEN_WRONG: (Weight, &str) =
    (Weight::VIOLATION, "a copy exists, and the election should have been won by a replica that has it");
const REWRITTEN: (Weight, &str) = (Weight::VIOLATION, "the acting leader committed something else in its place");

impl Loss {
    /// What an anomaly at that offset counts as. Above what was committed, the zombie of the lost log goes on to promise: that weighs as
    /// much as the loss itself.
    #[must_use]
    pub fn weight_at(&self, offset: Offset) -> Weight {
        let own = self.batches.iter().find(|batch| batch.link.base <= offset && offset < batch.link.end);
        own.map_or_else(|| self.weight(), |batch| batch.weight)
    }

    /// The gravest of its batches.
    #[must_use]
    pub fn weight(&self) -> Weight {
        let otherwise = if self.is_passing_over() { UNCLEAN.0 } else { Weight::VIOLATION };
        self.batches.iter().map(|batch| batch.weight).max().unwrap_or(otherwise)
    }

    /// Nothing is lost yet, but an unclean election has passed over a leader that may go on to promise.
    #[must_use]
    pub fn is_passing_over(&self) -> bool {
        self.from == self.to
    }

    /// An audit shows what a node still has.
    pub(super) fn hear_of_copies(&mut self, node: usize, holds: impl Fn(&Link) -> bool) {
        for batch in &mut self.batches {
            if !batch.uncertain.contains(&node) {
                continue;
            }
            batch.uncertain.retain(|uncertain| *uncertain != node);
            if let (true, Some((weight, reason))) = (holds(&batch.link), batch.if_copied.take()) {
                (batch.weight, batch.reason) = (weight, reason);
                batch.uncertain.clear();
            }
        }
    }
}

impl Ghost {
    /// The replica leads without something committed: judges what is lost and cuts the committed log back to the leader's.
    pub(super) fn lose(&mut self, partition: usize, leader: usize, epoch: LeaderEpoch, rewritten: bool) {
        let (p, allowed) = (&self.partitions[partition], self.allows_unclean_election(partition));
        let (from, to) = (p.shadows[leader].agreed, p.log.end());
        let lost = p.log.lacking(from, to).iter();
        let judged = lost.map(|link| if rewritten { certain(link, REWRITTEN) } else { judge(p, link, leader, epoch, allowed) });
        let batches = judged.map(|batch| LostBatch { owed: p.kept_from < batch.link.end, ..batch });
        let loss = Loss { event: self.now, epoch, leader, from, to, batches: batches.collect(), rewritten };
        self.partitions[partition].cut_back(loss);
    }

    /// Somebody has committed who was deposed and does not know it, counting on what the present leader had told it before a fault took that from it.
    /// It was elected as the last of the ISR, and still is alone in it: what it lacks of the news is lost from the start.
    pub(super) fn lose_what_was_robbed(&mut self, partition: usize) {
        let p = &self.partitions[partition];
        let is_alone = p.state.isr.len() == 1;
        let Some(election) = p.election(p.acting).filter(|election| election.alone && is_alone) else { return };
        let (epoch, Some(leader)) = (p.acting, self.node_of(election.leader)) else { return };
        let shadow = &p.shadows[leader];
        let lacks = p.log.lacking(shadow.agreed, p.log.end());
        if !lacks.is_empty() && lacks.iter().all(|link| shadow.was_robbed_of(link)) {
            self.lose(partition, leader, epoch, false);
        }
    }

    /// The replica leads by an unclean election, which the topic allows, and lacks nothing. The members of the former ISR may not know of it and go on
    /// to commit: what they promise is lost from the start.
    pub(super) fn pass_over(&mut self, partition: usize, leader: usize, epoch: LeaderEpoch) {
        let p = &self.partitions[partition];
        if self.allows_unclean_election(partition) && p.chosen_uncleanly(epoch) {
            let (event, at, batches) = (self.now, p.log.end(), Vec::new());
            let loss = Loss { event, epoch, leader, from: at, to: at, batches, rewritten: false };
            self.partitions[partition].cut_back(loss);
        }
    }
}

impl Partition {
    /// Whether an election since the last leader was unclean.
    pub(super) fn chosen_uncleanly(&self, epoch: LeaderEpoch) -> bool {
        let mut since_last_leader = self.elections.iter().filter(|one| one.epoch > self.acted_before && one.epoch <= epoch);
        since_last_leader.any(|election| election.unclean)
    }

    fn cut_back(&mut self, loss: Loss) {
        self.log.cut_at(loss.from);
        let end = self.log.end();
        self.kept_from = self.kept_from.min(end);
        self.exempt_below = loss.epoch;
        for (node, shadow) in self.shadows.iter_mut().enumerate() {
            shadow.agreed = shadow.agreed.min(end);
            shadow.exempt = node != loss.leader && shadow.log.end() > shadow.agreed;
        }
        self.losses.push(loss);
    }
}

fn certain(link: &Link, (weight, reason): (Weight, &'static str)) -> LostBatch {
    LostBatch { link: *link, weight, reason, owed: true, if_copied: None, uncertain: Vec::new() }
}

fn judge(p: &Partition, link: &Link, leader: usize, epoch: LeaderEpoch, allowed: bool) -> LostBatch {
    let with_copy = if_a_copy_is_left(p, link, leader, epoch, allowed);
    let mut uncertain = Vec::new();
    for (node, shadow) in p.shadows.iter().enumerate().filter(|(node, shadow)| *node != leader && shadow.log.holds(link)) {
        let ending = shadow.downfall.as_deref();
        let sure = shadow.known || ending.is_some_and(|end| end.ending == Ending::Power && link.end <= end.durable);
        if sure {
            return certain(link, with_copy);
        }
        uncertain.push(node);
    }
    let given_up = p.shadows.iter().any(|shadow| shadow.gave_up(link.base));
    let robbed = p.shadows.iter().any(|shadow| shadow.was_robbed_of(link)) || !uncertain.is_empty();
    // Retention has taken the last copy: whoever was allowed to lead without it did no more harm than that.
    let is_forgotten = link.end <= p.kept_from && with_copy == UNCLEAN;
    let (weight, reason) = match (is_forgotten, given_up || !robbed) {
        (true, _) => UNCLEAN,
        (false, true) => GIVEN_UP,
        (false, false) => BEYOND,
    };
    LostBatch { link: *link, weight, reason, owed: true, if_copied: Some(with_copy), uncertain }
}

fn if_a_copy_is_left(p: &Partition, link: &Link, leader: usize, epoch: LeaderEpoch, allowed: bool) -> (Weight, &'static str) {
    let alone = p.election(epoch).is_some_and(|election| election.alone);
    if allowed && p.chosen_uncleanly(epoch) {
        UNCLEAN
    } else if alone && p.shadows[leader].was_robbed_of(link) {
        LAST_STANDING
    } else {
        CHOSEN_WRONG
    }
}

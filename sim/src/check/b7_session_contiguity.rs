//! B7: a consumer that reads on misses nothing and sees nothing twice.
//!
//! From one assignment to the next, what a consumer is given of a partition is contiguous: each record is the one after the last. It may jump
//! over what retention has taken, or what lies below the cleaned point of a compacted partition, and go back after a loss. Retention is every
//! replica's own, so it may go back for that reason too: the leader that had given up what was due sent it to the beginning, and the next
//! leader begins lower. (There are no control records yet, which leave holes that are known.)
//!
//! ```text
//!   was given     7 8 9          all of epoch 3
//!   the log now   7│8 9 10       8 and 9 are others now, of epoch 4
//!   is given            10       in order by its offset, and yet two records were left out
//! ```
//!
//! After a loss the next offset alone proves nothing: the record before it must still be the one that was given (KIP-320). A loss explains that the
//! consumer goes back; nothing explains that it does not.

use super::ghost::{Change, Ghost, Kind};
use super::page::{Page, Weight};
use super::setup::NodeKind;
use super::{Check, Scene};
use brokerlab::operation::{Operation, Outcome, PolledRecord};
use brokerlab::types::{LeaderEpoch, Offset};
use brokerlab_reports::event::EventId;

/// The id.
pub const ID: &str = "B7";
/// What must hold.
pub const CLAIM: &str = "between two assignments a consumer is given each record once and in order";

/// Contradictions that are remembered.
const CONTRADICTIONS_MAX: usize = 100;

/// The check. Exercised by every record that follows another one of its session.
#[derive(Default)]
pub struct SessionContiguity {
    /// By node and partition: the offset that is due, and the leader epoch of the record before it.
    due: Vec<Vec<Option<(Offset, LeaderEpoch)>>>,
    contradicted: Vec<Contradiction>,
}

struct Contradiction {
    event: EventId,
    partition: usize,
    node: usize,
    due: Offset,
    given: Offset,
    /// What was due is given, but the record before it is another now.
    is_blind: bool,
}

impl Check for SessionContiguity {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Invoked, Kind::ClientGone, Kind::Completed]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Invoked { node, what: Operation::Assign { .. }, .. } | Change::ClientGone { node } = change
            && let Some(session) = self.due.get_mut(*node)
        {
            session.clear();
        }
        let Change::Completed { node, completion } = change else { return };
        let Outcome::Polled { records } = &completion.outcome else { return };
        // What a member of a group reads, and from where, changes without its asking.
        if matches!(scene.clients.kinds.get(*node), Some(NodeKind::Member { .. })) {
            return;
        }
        for run in records.chunk_by(|a, b| a.partition == b.partition) {
            let Some(partition) = scene.ghost.named_once(&run[0].partition) else { continue };
            self.read(scene, *node, partition, run, page);
        }
    }

    /// Only now: how a contradiction weighs may be known long after it.
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        for one in &self.contradicted {
            let lower = one.due.min(one.given);
            let excuse = scene.ghost.excuse(one.partition, lower, None).filter(|_| !one.is_blind);
            page.found(one.event, Some(one.partition), excuse.unwrap_or(Weight::VIOLATION), || {
                let (node, name) = (scene.node(one.node), scene.ghost.name(one.partition));
                match one.is_blind {
                    true => {
                        format!("{node} was given {} of {name}, though the record before it is not the one it knows", one.given)
                    }
                    false => format!("{node} was given {} of {name} where {} was due", one.given, one.due),
                }
            });
        }
    }
}

impl SessionContiguity {
    fn read(&mut self, scene: &Scene<'_>, node: usize, partition: usize, run: &[PolledRecord], page: &mut Page) {
        if self.due.len() <= node {
            self.due.resize_with(node + 1, Vec::new);
        }
        let session = &mut self.due[node];
        if session.len() <= partition {
            session.resize(partition + 1, None);
        }
        for record in run {
            let given = record.offset;
            let before = session[partition].replace((given.next(), record.leader_epoch));
            page.looked(before.is_some());
            let Some((due, epoch)) = before else { continue };
            let is_blind = due == given && is_rewritten(scene.ghost, partition, record, epoch);
            let is_elsewhere = due != given && !is_taken(scene.ghost, partition, due, given);
            if (is_blind || is_elsewhere) && self.contradicted.len() < CONTRADICTIONS_MAX {
                self.contradicted.push(Contradiction { event: scene.event, partition, node, due, given, is_blind });
            }
        }
    }
}

/// The record is one of the log as it is now, and the one before it is not of the epoch that the consumer was given.
fn is_rewritten(ghost: &Ghost, partition: usize, record: &PolledRecord, epoch: LeaderEpoch) -> bool {
    let p = &ghost.partitions[partition];
    let is_present = p.log.epoch_at(record.offset) == Some(record.leader_epoch);
    is_present && p.epoch_before(record.offset).is_some_and(|now| now != epoch)
}

/// Some replica has given up what was due, by retention or by compaction, so the consumer may have had to begin elsewhere.
fn is_taken(ghost: &Ghost, partition: usize, due: Offset, given: Offset) -> bool {
    let p = &ghost.partitions[partition];
    due < p.kept_from || (given > due && given <= p.cleaned)
}

//! B12: the end of a partition is not before what is known to be in it.
//!
//! A client that asks where a partition ends must not be told of a place below a record that somebody has read, that was acknowledged with
//! acks=all, or that an earlier answer had named, before it asked. Monitoring computes lag from it, and a consumer that begins "at the end"
//! would begin in the past.
//!
//! Kafka has no read barrier: a leader that was deposed and has not heard of it answers what it knows, and nobody can forbid it. Such an answer is
//! counted (`stale_ends`) and not blamed; who answered is read off the frame.

use super::clients::Fate;
use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::setup::NodeKind;
use super::{Check, Scene};
use brokerlab::operation::{Operation, Outcome, Position};
use brokerlab::types::Offset;
use brokerlab_reports::event::EventId;

/// The id.
pub const ID: &str = "B12";
/// What must hold.
pub const CLAIM: &str = "the end that a client is told is not below what was read, acknowledged or named before it asked";

/// Contradictions that are remembered.
const CONTRADICTIONS_MAX: usize = 100;

/// The check. Exercised by every answer to a client that asked when something was known to be there.
#[derive(Default)]
pub struct EndOffset {
    /// By partition: everything below is known to be there.
    known: Vec<Offset>,
    asked: Vec<Question>,
    /// Who answered each asker last: partition, and whether it was a leader that is none any more.
    answered: Vec<Option<(usize, bool)>>,
    contradicted: Vec<Contradiction>,
    stale: u64,
}

/// A client asks.
struct Question {
    node: usize,
    operation: u64,
    partition: usize,
    known: Offset,
}

struct Contradiction {
    event: EventId,
    partition: usize,
    node: usize,
    told: Offset,
    known: Offset,
}

impl Check for EndOffset {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Invoked, Kind::Listed, Kind::ClientGone, Kind::Completed]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Invoked { node, operation, what: Operation::ListOffset { partition, position: Position::End } } = change
            && let Some(partition) = scene.ghost.named_once(partition)
        {
            let known = self.known.get(partition).copied().unwrap_or(Offset::ZERO);
            self.asked.push(Question { node: *node, operation: *operation, partition, known });
        }
        if let Change::Listed { at, current, asker, .. } = change {
            if self.answered.len() <= *asker {
                self.answered.resize(*asker + 1, None);
            }
            self.answered[*asker] = Some((at.partition, !*current));
        }
        if let Change::ClientGone { node } = change {
            self.asked.retain(|question| question.node != *node);
        }
        if let Change::Completed { node, completion } = change {
            self.complete(scene, *node, completion.id.0, &completion.outcome, page);
        }
    }

    /// Only now: how a contradiction weighs may be known long after it.
    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        for one in &self.contradicted {
            let weight = scene.ghost.excuse(one.partition, one.told, None).unwrap_or(Weight::VIOLATION);
            page.found(one.event, Some(one.partition), weight, || {
                let (node, name) = (scene.node(one.node), scene.ghost.name(one.partition));
                format!("{node} is told that {name} ends at {}, though {} was known before it asked", one.told, one.known)
            });
        }
    }

    fn stale(&self) -> u64 {
        self.stale
    }
}

impl EndOffset {
    fn complete(&mut self, scene: &Scene<'_>, node: usize, operation: u64, outcome: &Outcome, page: &mut Page) {
        if let Outcome::Polled { records } = outcome {
            for run in records.chunk_by(|a, b| a.partition == b.partition) {
                if let Some(partition) = scene.ghost.named_once(&run[0].partition) {
                    let highest = run.iter().map(|record| record.offset.next()).max().unwrap_or(Offset::ZERO);
                    self.learn(partition, highest);
                }
            }
        }
        if let Some(write) = scene.clients.ended.map(|index| &scene.clients.writes[index])
            && matches!(scene.clients.kinds[write.node], NodeKind::Producer { acks: -1, .. })
            && let (Fate::Acknowledged, Some(partition), Some(offset)) = (write.fate, write.partition, write.offset)
        {
            self.learn(partition, offset.next());
        }
        let Some(at) = self.asked.iter().position(|question| (question.node, question.operation) == (node, operation)) else {
            return;
        };
        let Question { partition, known, .. } = self.asked.swap_remove(at);
        let Outcome::Offset { offset: told, .. } = outcome else { return };
        // It may be about another topic of that name.
        if scene.ghost.is_deleted(partition) {
            return;
        }
        page.looked(known > Offset::ZERO);
        self.learn(partition, *told);
        if *told >= known {
            return;
        }
        if self.answered.get(node).copied().flatten() == Some((partition, true)) {
            self.stale += 1;
        } else if self.contradicted.len() < CONTRADICTIONS_MAX {
            self.contradicted.push(Contradiction { event: scene.event, partition, node, told: *told, known });
        }
    }

    fn learn(&mut self, partition: usize, end: Offset) {
        if self.known.len() <= partition {
            self.known.resize(partition + 1, Offset::ZERO);
        }
        self.known[partition] = self.known[partition].max(end);
    }
}

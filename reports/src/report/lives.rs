//! Which processes ran when, and which faults struck them.

use std::collections::BTreeMap;

use crate::event::{Event, NodeId, What, WorldFact};

use super::spans::{Span, Spans};

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// It runs.
    Up,
    /// It is frozen.
    Frozen,
    /// There is none.
    Down,
}

/// How a process came or went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mark {
    /// It was started again.
    Started,
    /// It ended in order.
    Stopped,
    /// It was killed.
    Crashed,
    /// The node lost power.
    PowerLost,
    /// It panicked.
    Panicked,
}

/// A fault of the plan, as it was carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultBand {
    /// Its permanent id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Whom it struck.
    pub nodes: Vec<NodeId>,
    /// Begin.
    pub from: u64,
    /// End.
    pub to: u64,
}

/// Lives of all nodes and faults of the run, as far as it was read.
#[derive(Debug, Default)]
pub struct Lives {
    spans: BTreeMap<NodeId, Spans<Life>>,
    marks: Vec<(u64, NodeId, Mark)>,
    faults: Vec<(FaultBand, bool)>,
    settle: Option<u64>,
}

/// The same when all was read.
#[derive(Clone, Debug)]
pub struct LivesRead {
    /// Each node's life.
    pub spans: BTreeMap<NodeId, Vec<Span<Life>>>,
    /// Ends and beginnings.
    pub marks: Vec<(u64, NodeId, Mark)>,
    /// Faults in the order in which they began.
    pub faults: Vec<FaultBand>,
    /// When the last fault ended and the cluster was left to heal.
    pub settle: Option<u64>,
}

impl Lives {
    /// Takes in an event.
    pub fn observe(&mut self, event: &Event) {
        let What::World(fact) = &event.what else { return };
        let at = event.at.0;
        match (fact, event.node) {
            (WorldFact::NodeStarted { life }, Some(node)) => {
                self.set(at, node, Life::Up);
                if *life > 1 {
                    self.marks.push((at, node, Mark::Started));
                }
            }
            (WorldFact::ProcessCrashed, Some(node)) => self.went(at, node, Mark::Crashed),
            (WorldFact::PowerLost { .. }, Some(node)) => self.went(at, node, Mark::PowerLost),
            (WorldFact::NodeStopped, Some(node)) => self.went(at, node, Mark::Stopped),
            (WorldFact::Panicked { .. }, Some(node)) => self.went(at, node, Mark::Panicked),
            (WorldFact::Paused, Some(node)) => self.set(at, node, Life::Frozen),
            (WorldFact::Resumed, Some(node)) => self.set(at, node, Life::Up),
            (WorldFact::FaultBegan { fault, kind, nodes }, _) => {
                let band = FaultBand { id: fault.to_string(), kind: kind.to_string(), nodes: nodes.clone(), from: at, to: at };
                self.faults.push((band, true));
            }
            (WorldFact::FaultEnded { fault }, _) => self.end_fault(at, fault),
            (WorldFact::SettleBegan, _) => self.settle = Some(at),
            (_, _) => {}
        }
    }

    /// Whether there is a process on that node.
    #[must_use]
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.spans.get(&node).and_then(Spans::current).is_some_and(|life| *life != Life::Down)
    }

    /// Nothing more will come.
    #[must_use]
    pub fn finish(self, end: u64) -> LivesRead {
        let faults = self.faults.into_iter().map(|(band, is_open)| FaultBand { to: if is_open { end } else { band.to }, ..band });
        LivesRead {
            spans: self.spans.into_iter().map(|(node, spans)| (node, spans.until(end))).collect(),
            marks: self.marks,
            faults: faults.collect(),
            settle: self.settle,
        }
    }

    fn set(&mut self, at: u64, node: NodeId, life: Life) {
        self.spans.entry(node).or_default().set(at, life);
    }

    fn went(&mut self, at: u64, node: NodeId, mark: Mark) {
        self.set(at, node, Life::Down);
        self.marks.push((at, node, mark));
    }

    fn end_fault(&mut self, at: u64, fault: &str) {
        if let Some((band, is_open)) = self.faults.iter_mut().rev().find(|(band, is_open)| *is_open && band.id == fault) {
            band.to = at;
            *is_open = false;
        }
    }
}

//! What the search has been through: dangerous corners, and states of partitions.
//!
//! A sweep without a finding says nothing by itself: perhaps nothing can go wrong, perhaps the seeds never went where things go wrong. So
//! each run is read once more while it happens, apart from the judge, and two questions are answered:
//!
//! - Which of some fifty *corners* did it reach? Each is a situation in which a protocol bug of the past has lived (`corner`). Most are seen in
//!   the facts and taps of the run; what only the broker knows, it states ([`Fact::Reached`](brokerlab::fact::Fact::Reached)).
//! - Which *states* did its partitions pass through? A state is abstract: roles, epochs, ends and ISRs relative to each other, without numbers and
//!   names (`state`). As long as a thousand more seeds bring new states, more seeds are worth their time.
//!
//! Reading changes nothing. Each event costs a few comparisons, whatever the size of the run.

mod corner;
mod coverage;
mod model;
mod rules;
mod state;

use std::collections::BTreeSet;

use brokerlab_reports::event::Event;

pub use corner::Corner;
pub use coverage::{Block, Coverage};

use crate::check::NodeSetup;
use model::Model;

/// Reads one run.
#[derive(Debug)]
pub struct Reach {
    model: Model,
    tally: Tally,
}

/// What a run has reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Which corners.
    pub corners: Corners,
    /// Hashes of the abstract states.
    pub states: BTreeSet<u64>,
}

/// A set of corners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Corners(u128);

impl Corners {
    /// Takes one in.
    pub fn insert(&mut self, corner: Corner) {
        self.0 |= 1 << corner as u32;
    }

    /// Whether it is there.
    #[must_use]
    pub fn contains(self, corner: Corner) -> bool {
        self.0 & (1 << corner as u32) != 0
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Tally {
    corners: Corners,
    states: BTreeSet<u64>,
}

impl Tally {
    fn reach(&mut self, corner: Corner) {
        self.corners.insert(corner);
    }

    /// Reaches a corner if `condition` holds.
    fn reach_if(&mut self, condition: bool, corner: Corner) {
        if condition {
            self.corners.insert(corner);
        }
    }
}

impl Reach {
    /// Before the first event.
    #[must_use]
    pub fn new(nodes: &[NodeSetup]) -> Reach {
        Reach { model: Model::new(nodes), tally: Tally::default() }
    }

    /// Takes in the next event.
    pub fn observe(&mut self, event: &Event) {
        rules::look(&mut self.model, &mut self.tally, event);
    }

    /// What was reached.
    #[must_use]
    pub fn finish(self) -> Reached {
        Reached { corners: self.tally.corners, states: self.tally.states }
    }
}

//! Reads the committed log of each partition batch by batch, as it grows.
//!
//! A loss shortens the committed log: whoever folds it has to begin again, and reads what is left of it once more.

use brokerlab::types::Offset;

use super::chain::Link;
use super::ghost::Partition;

/// How far one partition is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    read_to: Offset,
    losses: usize,
}

/// What is to be folded now.
pub struct News<'p> {
    /// What was folded so far is void: this was read before and is still there. `None`: go on.
    pub again: Option<&'p [Link]>,
    /// What is new.
    pub batches: &'p [Link],
}

impl Reading {
    /// The batches committed since the last call.
    pub fn news<'p>(&mut self, p: &'p Partition) -> News<'p> {
        let again = (p.losses.len() != self.losses).then(|| {
            let kept = p.losses[self.losses..].iter().map(|loss| loss.from).min().unwrap_or(self.read_to);
            (self.losses, self.read_to) = (p.losses.len(), self.read_to.min(kept));
            p.log.between(Offset::ZERO, self.read_to)
        });
        let batches = p.log.between(self.read_to, p.log.end());
        self.read_to = batches.last().map_or(self.read_to, |last| last.end);
        News { again, batches }
    }
}

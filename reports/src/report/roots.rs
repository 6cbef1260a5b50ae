//! From an event back to the last beat of the story that it follows from, without keeping the events.
//!
//! ```text
//!   beat 3 ──▶ sent ──▶ delivered ──▶ fact ──▶ sent ──▶ delivered ──▶ beat 5        "beat 5 follows from beat 3"
//! ```
//!
//! Every event has one cause, mostly a recent one; following it back ends at a timer, at chance, or at something that was told. For each
//! event only the number of that last told ancestor is kept: four bytes.

use crate::event::EventId;

/// Beats by the events that lead to them.
#[derive(Debug, Default)]
pub struct Roots {
    /// By event: one more than the index of its last told ancestor, itself included; 0 for none.
    told: Vec<u32>,
    /// Time of every [`SAMPLE`]-th event.
    moments: Vec<u64>,
}

/// Between two events whose times are kept.
const SAMPLE: usize = 16;

impl Roots {
    /// Takes in the next event; `beat` is its place in the story if it has one.
    pub fn push(&mut self, at: u64, cause: EventId, beat: Option<usize>) {
        if self.told.len().is_multiple_of(SAMPLE) {
            self.moments.push(at);
        }
        let told = match beat {
            Some(beat) => u32::try_from(beat + 1).unwrap_or(u32::MAX),
            None => self.raw(cause),
        };
        self.told.push(told);
    }

    /// The last told ancestor of an event, itself included.
    #[must_use]
    pub fn of(&self, event: EventId) -> Option<usize> {
        usize::try_from(self.raw(event)).ok()?.checked_sub(1)
    }

    /// About when an event happened: never later than it did.
    #[must_use]
    pub fn moment(&self, event: EventId) -> u64 {
        let at = usize::try_from(event.0.saturating_sub(1)).unwrap_or(usize::MAX) / SAMPLE;
        self.moments.get(at).or(self.moments.last()).copied().unwrap_or(0)
    }

    /// A beat was put in at that place: those from there on have moved by one.
    pub fn shift(&mut self, place: usize) {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        self.told.iter_mut().filter(|told| **told > place).for_each(|told| *told = told.saturating_add(1));
    }

    fn raw(&self, event: EventId) -> u32 {
        let at = event.0.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.told.get(at)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_told_ancestor_is_found() {
        let mut roots = Roots::default();
        roots.push(10, EventId::NONE, Some(0));
        roots.push(20, EventId(1), None);
        roots.push(30, EventId(2), None);
        roots.push(40, EventId(3), Some(1));
        roots.push(50, EventId::NONE, None);
        assert_eq!([1, 2, 3, 4, 5, 6].map(|id| roots.of(EventId(id))), [Some(0), Some(0), Some(0), Some(1), None, None]);
        assert_eq!((roots.moment(EventId(1)), roots.moment(EventId(99))), (10, 10));
    }
}

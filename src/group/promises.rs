//! Answers that wait until the records behind them are committed.
//!
//! ```text
//!   log      ... 40 | 41 42 | 43 |              answers wait at 43 (for 41, 42) and at 44 (for 43)
//!                ▲ high watermark 41            high watermark 43: the first is given
//! ```
//!
//! Records are appended in order and answers have the same patience, so the first in the queue is the first to be overdue. Whoever has
//! waited too long is told that the coordinator is not available: the records may be committed yet, and nobody knows (as with every error
//! after an append).

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use crate::types::{Offset, Time};
use crate::wire::Response;

use super::Token;

/// One answer.
#[derive(Debug)]
pub(super) struct Promise {
    /// Given once the high watermark is here.
    pub end: Offset,
    /// Until when it may wait.
    pub deadline: Time,
    /// For whom.
    pub token: Token,
    /// The answer.
    pub response: Response,
}

impl Hash for Promise {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The answer follows from the records before `end`.
        (self.end, self.deadline, self.token).hash(state);
    }
}

/// All that wait, ordered by what they wait for.
#[derive(Default, Hash, Debug)]
pub(super) struct Promises(VecDeque<Promise>);

impl Promises {
    /// Lets an answer wait.
    pub fn push(&mut self, mut promise: Promise) {
        let at = self.0.partition_point(|other| other.end <= promise.end);
        // Whoever joins the queue further ahead has no more patience than those behind.
        let behind = self.0.get(at).map_or(promise.deadline, |next| next.deadline);
        promise.deadline = promise.deadline.min(behind);
        self.0.insert(at, promise);
    }

    /// The next answer that can be given, if there is one.
    pub fn kept(&mut self, high_watermark: Offset) -> Option<Promise> {
        self.0.front().is_some_and(|promise| promise.end <= high_watermark).then(|| self.0.pop_front())?
    }

    /// The next answer that has waited too long, if there is one.
    pub fn overdue(&mut self, now: Time) -> Option<Promise> {
        self.0.front().is_some_and(|promise| promise.deadline <= now).then(|| self.0.pop_front())?
    }

    /// All that wait.
    pub fn drain(&mut self) -> impl Iterator<Item = Promise> + '_ {
        self.0.drain(..)
    }

    /// When the first has waited too long.
    pub fn deadline(&self) -> Option<Time> {
        self.0.front().map(|promise| promise.deadline)
    }
}

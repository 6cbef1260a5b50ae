//! What a node counts about itself while it serves, for people who watch it from outside. Nothing here decides anything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::actor::CloseReason;

/// Upper bounds of the classes into which the time to an answer falls, in seconds.
pub const LATENCY_BOUNDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Something that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// Counts of one node.
#[derive(Debug, Default)]
pub struct Meters {
    /// Bytes read from sockets.
    pub bytes_in: Counter,
    /// Bytes written to sockets.
    pub bytes_out: Counter,
    /// Connections that peers opened.
    pub accepted: Counter,
    /// Connections of peers that are over.
    pub ended: Counter,
    /// Connections turned away because there were too many.
    pub refused: Counter,
    /// Connections closed because nothing came, or nothing was taken, for too long.
    pub timed_out: Counter,
    /// Connections closed because their bytes were no frame.
    pub garbage: Counter,
    /// Connections closed because their responses were not taken while memory was short.
    pub shed: Counter,
    answers: Mutex<BTreeMap<i16, Answers>>,
}

/// How requests of one API were answered.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// How many.
    pub count: u64,
    /// Time that all of them took, in seconds.
    pub seconds: f64,
    /// How many within each of [`LATENCY_BOUNDS`]; those that took longer are in `count` only.
    pub within: [u64; LATENCY_BOUNDS.len()],
}

impl Counter {
    /// So many more.
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// How many so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Meters {
    /// A request of this API was answered.
    pub fn answered(&self, api_key: i16, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut answers = self.lock();
        let api = answers.entry(api_key).or_default();
        api.count += 1;
        api.seconds += seconds;
        if let Some(class) = LATENCY_BOUNDS.iter().position(|bound| seconds <= *bound) {
            api.within[class] += 1;
        }
    }

    /// A connection that a peer had opened is over.
    pub fn ended(&self, reason: CloseReason) {
        self.ended.add(1);
        match reason {
            CloseReason::TimedOut => self.timed_out.add(1),
            CloseReason::Garbage => self.garbage.add(1),
            CloseReason::Refused | CloseReason::Reset | CloseReason::Eof => {}
        }
    }

    /// Answers by API key.
    #[must_use]
    pub fn answers(&self) -> BTreeMap<i16, Answers> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i16, Answers>> {
        // Counts cannot be left half done.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_falls_into_the_first_class_that_holds_it() {
        let meters = Meters::default();
        meters.answered(0, Duration::from_millis(1));
        meters.answered(0, Duration::from_secs(60));
        let answers = &meters.answers()[&0];
        assert_eq!((answers.count, answers.within[1], answers.within.iter().sum::<u64>()), (2, 1, 1));
    }
}

//! A producer's application: unique records at a steady pace, or at moments that the scenario lists.
//!
//! The n-th value of `p1` is `p1:n`, padded to its size with dots, so that every record that is ever read names its writer and its
//! place. The pace does not slow down when the cluster does; but an application that has `OPEN_MAX` sends without an answer waits.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use brokerlab::operation::Operation;
use brokerlab::types::{Duration, Time};
use bytes::Bytes;

use super::Wish;
use crate::scenario::model;

/// Sends without an answer at most.
const OPEN_MAX: usize = 10_000;
/// Nobody writes faster than this.
const EVERY_MIN: Duration = Duration::micros(10);

/// The application of one producer.
#[derive(Debug)]
pub struct Writer {
    name: String,
    topic: Arc<str>,
    partition: Option<i32>,
    every: Duration,
    /// Moments of its own that are still to come; steady if there never were any.
    own: Option<VecDeque<Duration>>,
    /// When writing began.
    begun: Time,
    left: Option<u64>,
    value_bytes: usize,
    keys: u64,
    written: u64,
    open: usize,
    stage: Stage,
    next: Option<Time>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The topics are not there yet.
    Waiting,
    /// Writes.
    Writing,
    /// Writes no more.
    Stopped,
}

impl Writer {
    /// The application that a scenario describes.
    #[must_use]
    pub fn new(producer: &model::Producer) -> Writer {
        Writer {
            name: producer.name.clone(),
            topic: Arc::from(producer.topic.as_str()),
            partition: producer.partition.and_then(|index| i32::try_from(index).ok()),
            every: producer.every.max(EVERY_MIN),
            own: Some(producer.at.iter().copied().collect()).filter(|own: &VecDeque<_>| !own.is_empty()),
            begun: Time::ZERO,
            left: producer.records,
            value_bytes: producer.value_bytes as usize,
            keys: u64::from(producer.keys),
            written: 0,
            open: 0,
            stage: Stage::Waiting,
            next: None,
        }
    }

    /// The topics are ready.
    pub fn begin(&mut self, now: Time) -> Wish {
        self.stage = Stage::Writing;
        self.begun = now;
        self.ask_again(now)
    }

    /// No more records.
    pub fn stop(&mut self) {
        self.stage = Stage::Stopped;
    }

    /// Sends without an answer.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    pub(super) fn on_start(&mut self, now: Time) -> Wish {
        match self.stage {
            // The pace goes on while the process is down; only its records are missing.
            Stage::Writing if self.next.is_none() => self.ask_again(now),
            Stage::Waiting | Stage::Writing | Stage::Stopped => Wish::nothing(),
        }
    }

    pub(super) fn on_time(&mut self, now: Time) -> Wish {
        self.next = None;
        if self.stage != Stage::Writing || self.left == Some(0) {
            return Wish::nothing();
        }
        let mut wish = self.ask_again(now);
        if self.open < OPEN_MAX {
            wish.operation = Some(self.produce());
        }
        wish
    }

    pub(super) fn on_outcome(&mut self) -> Wish {
        self.open = self.open.saturating_sub(1);
        Wish::nothing()
    }

    pub(super) fn on_death(&mut self) {
        self.open = 0;
    }

    /// The node was not able to take the operation: it was never asked for.
    pub fn take_back(&mut self) {
        self.open -= 1;
        self.written -= 1;
        if let Some(left) = &mut self.left {
            *left += 1;
        }
    }

    /// To be asked at the next moment, if there is one.
    fn ask_again(&mut self, now: Time) -> Wish {
        let next = match &mut self.own {
            None => Some(now.plus(self.every)),
            Some(own) => own.pop_front().map(|after| self.begun.plus(after).max(now)),
        };
        self.next = next;
        next.map_or(Wish::nothing(), Wish::at)
    }

    fn produce(&mut self) -> Operation {
        self.written += 1;
        self.open += 1;
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        let mut value = Vec::with_capacity(self.value_bytes.max(self.name.len() + 21));
        write!(value, "{}:{}", self.name, self.written).expect("memory takes everything");
        value.resize(value.len().max(self.value_bytes), b'.');
        let key = (self.keys > 0).then(|| Bytes::from(format!("k{}", self.written % self.keys)));
        Operation::Produce { topic: self.topic.clone(), partition: self.partition, key, value: Bytes::from(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(records: Option<u64>) -> Writer {
        let every = Duration::millis(10);
        let producer =
            model::Producer { name: "p1".into(), topic: "t".into(), every, records, value_bytes: 8, ..Default::default() };
        Writer::new(&producer)
    }

    fn value(wish: &Wish) -> Option<&[u8]> {
        match &wish.operation {
            Some(Operation::Produce { value, .. }) => Some(value),
            _ => None,
        }
    }

    #[test]
    fn values_are_unique_and_padded() {
        let mut writer = writer(None);
        assert_eq!(writer.begin(Time(0)), Wish::at(Time(10_000_000)));
        assert_eq!(value(&writer.on_time(Time(10_000_000))), Some(b"p1:1....".as_slice()));
        assert_eq!(value(&writer.on_time(Time(20_000_000))), Some(b"p1:2....".as_slice()));
        assert_eq!(writer.open(), 2);
    }

    #[test]
    fn moments_of_its_own_are_kept_and_no_others() {
        let at = [10, 10, 25].map(Duration::millis).to_vec();
        let mut writer = Writer::new(&model::Producer { name: "p1".into(), topic: "t".into(), at, ..Default::default() });
        let begun = Time(3_000_000);
        assert_eq!(writer.begin(begun), Wish::at(Time(13_000_000)));
        let first = writer.on_time(Time(13_000_000));
        assert_eq!((value(&first), first.again), (Some(b"p1:1".as_slice()), Some(Time(13_000_000))));
        assert_eq!(writer.on_time(Time(13_000_000)).again, Some(Time(28_000_000)));
        assert_eq!(writer.on_time(Time(28_000_000)).again, None);
        assert_eq!(writer.on_start(Time(30_000_000)), Wish::nothing(), "a new life finds nothing left to write");
        assert_eq!(writer.open(), 3);
    }

    #[test]
    fn stops_when_told_or_when_all_is_written() {
        let mut finite = writer(Some(1));
        finite.begin(Time(0));
        assert!(finite.on_time(Time(1)).operation.is_some());
        assert_eq!(finite.on_time(Time(2)), Wish::nothing());
        let mut endless = writer(None);
        endless.begin(Time(0));
        endless.stop();
        assert_eq!(endless.on_time(Time(1)), Wish::nothing());
    }
}

//! One direction of a connection: segments in flight, in order.
//!
//! ```text
//!   push ──▶ [ Data | Data | Fin ]  ──▶ arrival of the first, then of the next ...
//!                 each with its moment, never before its predecessor
//!
//!   freeze:  the timetable is void; what is inside stays inside
//!   thaw:    a new timetable from the next retransmission on
//! ```

use std::collections::VecDeque;

use brokerlab::types::{Duration, Time};
use bytes::Bytes;

use super::{BACKOFF, BACKOFF_MAX};

/// What travels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segment {
    /// Asks for a connection.
    Syn,
    /// Grants it.
    SynAck,
    /// Bytes of the stream.
    Data(Bytes),
    /// The stream ends here.
    Fin,
    /// The connection is void (a refusal, if it never stood).
    Rst,
    /// The receiver has read: the window is open again.
    Credit,
}

/// A segment under way.
#[derive(Clone, Debug)]
pub struct Flying {
    /// When it arrives, unless the pipe freezes.
    pub at: Time,
    /// What.
    pub segment: Segment,
    /// The event that sent it.
    pub cause: u64,
    /// The fault that held it up, 0 if none did.
    pub held: u64,
}

/// One direction.
#[derive(Debug, Default)]
pub struct Pipe {
    queue: VecDeque<Flying>,
    last: Time,
    bytes: usize,
    frozen: bool,
    stuck_since: Option<Time>,
    /// Whoever was scheduled under an older number is void.
    pub timetable: u32,
    /// The sender waits for [`Segment::Credit`].
    pub starved: bool,
}

impl Pipe {
    /// Bytes in flight.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether it is frozen.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Moment of the next arrival.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Time> {
        if self.frozen { None } else { self.queue.front().map(|flying| flying.at) }
    }

    /// Puts a segment in. True if it is the only one, so that somebody has to schedule it (or, when frozen, the giving up).
    pub fn push(&mut self, segment: Segment, now: Time, latency: Duration, cause: u64, held: u64) -> bool {
        let at = now.plus(latency).max(self.last);
        self.last = at;
        if let Segment::Data(bytes) = &segment {
            self.bytes += bytes.len();
        }
        self.queue.push_back(Flying { at, segment, cause, held });
        if self.frozen && self.stuck_since.is_none() {
            self.stuck_since = Some(now);
        }
        self.queue.len() == 1
    }

    /// Takes out what arrives first.
    pub fn pop(&mut self) -> Option<Flying> {
        let flying = self.queue.pop_front()?;
        if let Segment::Data(bytes) = &flying.segment {
            self.bytes -= bytes.len();
        }
        Some(flying)
    }

    /// Nothing moves any more. True if something is stuck by it.
    pub fn freeze(&mut self, now: Time) -> bool {
        assert!(!self.frozen, "a pipe freezes once");
        self.frozen = true;
        self.timetable += 1;
        let stuck = !self.queue.is_empty();
        self.stuck_since = stuck.then_some(now);
        stuck
    }

    /// What is inside goes on with the next retransmission; `held` is the fault that held it up.
    pub fn thaw(&mut self, now: Time, latency: Duration, held: u64) {
        assert!(self.frozen, "only a frozen pipe thaws");
        self.frozen = false;
        self.timetable += 1;
        let Some(since) = self.stuck_since.take() else { return };
        let resumed = next_retransmission(since, now).plus(latency);
        for flying in &mut self.queue {
            flying.at = flying.at.max(resumed);
            flying.held = held;
        }
        self.last = self.last.max(resumed);
    }

    /// What is inside will never arrive.
    pub fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
        self.timetable += 1;
        self.stuck_since = None;
    }
}

/// The first retransmission at or after `now` of what is stuck since `since`.
fn next_retransmission(since: Time, now: Time) -> Time {
    let mut wait = BACKOFF;
    let mut at = since.plus(wait);
    while at < now {
        wait = wait.times(2).min(BACKOFF_MAX);
        at = at.plus(wait);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmissions_back_off() {
        let ms = |n: u64| Time(n * 1_000_000);
        for (now, expected) in [(0, 200), (200, 200), (201, 600), (1_000, 1_400), (6_000, 6_200), (6_300, 9_400)] {
            assert_eq!(next_retransmission(ms(0), ms(now)), ms(expected), "at {now} ms");
        }
    }

    #[test]
    fn nothing_overtakes() {
        let mut pipe = Pipe::default();
        pipe.push(Segment::Data(Bytes::from_static(b"slow")), Time(0), Duration(50), 0, 0);
        pipe.push(Segment::Data(Bytes::from_static(b"fast")), Time(1), Duration(1), 0, 0);
        assert_eq!(pipe.bytes(), 8);
        assert_eq!((pipe.pop().map(|f| f.at), pipe.pop().map(|f| f.at)), (Some(Time(50)), Some(Time(50))));
        assert_eq!(pipe.bytes(), 0);
    }
}

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
    /// Nothing passes until the fault of this number opens it.
    Gate(u64),
    /// The connection breaks behind what has arrived before this.
    Sever,
}

/// Bytes that a segment has besides those of the stream.
const HEADER_BYTES: u64 = 60;

impl Segment {
    /// Bytes on the wire.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Segment::Data(bytes) => HEADER_BYTES + bytes.len() as u64,
            Segment::Syn | Segment::SynAck | Segment::Fin | Segment::Rst | Segment::Credit => HEADER_BYTES,
            Segment::Gate(_) | Segment::Sever => 0,
        }
    }
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
    /// The part of its time for which it waits until the wire is free.
    queued: Duration,
}

/// How long a segment takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Takes {
    /// Until the wire is free and its last byte has left.
    pub queued: Duration,
    /// From then on.
    pub latency: Duration,
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
    /// The connection breaks behind the frame that is being sent, by this fault.
    pub doomed: Option<u64>,
    /// What is pushed next takes so much longer, by this fault.
    late: Option<(Duration, u64)>,
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
        let front = self.queue.front()?;
        let is_stopped = self.frozen || matches!(front.segment, Segment::Gate(_));
        (!is_stopped).then_some(front.at)
    }

    /// Puts a segment in. True if it is the only one, so that somebody has to schedule it (or, when frozen, the giving up).
    pub fn push(&mut self, segment: Segment, now: Time, takes: Takes, cause: u64, held: u64) -> bool {
        let (late, held) = self.late.take().map_or((Duration::ZERO, held), |(late, fault)| (late, fault));
        let Takes { queued, latency } = takes;
        let at = now.plus(queued).plus(latency).plus(late).max(self.last);
        self.last = at;
        if let Segment::Data(bytes) = &segment {
            self.bytes += bytes.len();
        }
        self.queue.push_back(Flying { at, segment, cause, held, queued });
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

    /// Takes out the break behind what has just arrived, if there is one.
    pub fn pop_break(&mut self) -> Option<Flying> {
        if self.queue.front()?.segment == Segment::Sever { self.queue.pop_front() } else { None }
    }

    /// What is pushed next takes so much longer.
    pub fn delay(&mut self, by: Duration, fault: u64) {
        let sofar = self.late.map_or(Duration::ZERO, |(late, _)| late);
        self.late = Some((Duration(sofar.0.saturating_add(by.0)), fault));
    }

    /// What is pushed from now on waits for this fault.
    pub fn shut_gate(&mut self, fault: u64) {
        self.queue.push_back(Flying {
            at: self.last,
            segment: Segment::Gate(fault),
            cause: 0,
            held: fault,
            queued: Duration::ZERO,
        });
    }

    /// Whether something waits for this fault.
    #[must_use]
    pub fn is_gated_by(&self, fault: u64) -> bool {
        self.queue.iter().any(|flying| flying.segment == Segment::Gate(fault))
    }

    /// What waited for this fault goes on, and arrives at `resumed` or later.
    pub fn open_gate(&mut self, fault: u64, resumed: Time) {
        let mut waited = false;
        self.queue.retain_mut(|flying| {
            let is_gate = flying.segment == Segment::Gate(fault);
            waited |= is_gate;
            if waited {
                flying.at = flying.at.max(resumed);
                flying.held = fault;
            }
            !is_gate
        });
        self.last = self.last.max(resumed);
        self.timetable += 1;
    }

    /// The wire is wide again: nothing waits for it any more.
    pub fn relieve(&mut self, now: Time) {
        let mut at = now;
        for flying in &mut self.queue {
            let queued = std::mem::take(&mut flying.queued);
            at = at.max(Time(flying.at.0.saturating_sub(queued.0)));
            flying.at = at;
        }
        self.last = at;
        self.timetable += 1;
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
        (self.doomed, self.late) = (None, None);
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

    fn takes(latency: u64) -> Takes {
        Takes { queued: Duration::ZERO, latency: Duration(latency) }
    }

    #[test]
    fn nothing_overtakes() {
        let mut pipe = Pipe::default();
        pipe.push(Segment::Data(Bytes::from_static(b"slow")), Time(0), takes(50), 0, 0);
        pipe.push(Segment::Data(Bytes::from_static(b"fast")), Time(1), takes(1), 0, 0);
        assert_eq!(pipe.bytes(), 8);
        assert_eq!((pipe.pop().map(|f| f.at), pipe.pop().map(|f| f.at)), (Some(Time(50)), Some(Time(50))));
        assert_eq!(pipe.bytes(), 0);
    }

    #[test]
    fn relief_takes_back_the_wait_for_the_wire_and_nothing_else() {
        let mut pipe = Pipe::default();
        let slow = Takes { queued: Duration(100), latency: Duration(7) };
        pipe.push(Segment::Syn, Time(0), slow, 0, 0);
        pipe.delay(Duration(50), 3);
        pipe.push(Segment::Fin, Time(0), slow, 0, 0);
        pipe.relieve(Time(10));
        assert_eq!((pipe.pop().map(|f| f.at), pipe.pop().map(|f| f.at)), (Some(Time(10)), Some(Time(57))));
    }
}

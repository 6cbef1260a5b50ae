//! What kernels do with segments: send them, take them in, answer them, give up.

use brokerlab::actor::CloseReason;
use brokerlab::types::{Duration, Time};
use bytes::Bytes;

use super::fabric::{Fabric, Stage};
use super::pipe::{Flying, Segment, Takes};
use super::{End, GIVE_UP, Label, News, Notice, Signal, Socket};

impl Fabric {
    /// Time has come.
    pub fn on_signal(&mut self, signal: Signal, now: Time) {
        match signal {
            Signal::Arrival { to, timetable } => self.on_arrival(to, timetable, now),
            Signal::ConnectLimit { connection } => self.on_connect_limit(connection),
            Signal::GiveUp { from, timetable } => self.on_give_up(from, timetable),
        }
    }

    fn on_connect_limit(&mut self, connection: u32) {
        let opener = Socket { connection, end: End::Opener };
        if self.end(opener).stage == Stage::Waiting {
            self.end_mut(opener).pipe.clear();
            self.abandon(opener, CloseReason::TimedOut, 0, 0);
        }
    }

    fn on_give_up(&mut self, from: Socket, timetable: u32) {
        let end = self.end_mut(from);
        if !end.pipe.is_frozen() || end.pipe.timetable != timetable {
            return;
        }
        end.pipe.clear();
        if matches!(end.stage, Stage::Open | Stage::Finished) {
            let fault = self.culprit(from);
            self.abandon(from, CloseReason::TimedOut, 0, fault);
        }
        self.bury(from.connection);
    }

    fn on_arrival(&mut self, to: Socket, timetable: u32, now: Time) {
        let pipe = &mut self.end_mut(to.peer()).pipe;
        if pipe.timetable != timetable || pipe.is_frozen() {
            return;
        }
        let flying = pipe.pop().expect("what is scheduled is in the pipe");
        // Nobody may answer what has arrived before the break is noticed.
        let broken = pipe.pop_break();
        self.arm(to.peer());
        self.accept(to, flying, now);
        if let Some(broken) = broken {
            self.accept(to, broken, now);
        }
        self.bury(to.connection);
    }

    fn accept(&mut self, to: Socket, flying: Flying, now: Time) {
        let Flying { segment, cause, held, .. } = flying;
        match (segment, self.end(to).stage) {
            (Segment::Syn, Stage::Waiting) => self.on_syn(to, cause, held, now),
            (Segment::SynAck, Stage::Waiting) => {
                self.end_mut(to).stage = Stage::Open;
                self.tell(to, News::Opened, cause, held);
            }
            (Segment::Data(bytes), Stage::Open | Stage::Finished) => {
                let end = self.end_mut(to);
                end.unread += bytes.len();
                end.inbox.push_back(bytes);
                end.held = end.held.max(held);
                self.tell(to, News::Readable, cause, held);
            }
            (Segment::Fin, Stage::Open | Stage::Finished) => self.end_of_stream(to, cause, held),
            (Segment::Sever, _) => self.on_sever(to, cause, held, now),
            (Segment::Credit, Stage::Open) => self.tell(to, News::Writable, cause, held),
            (Segment::Rst, Stage::Waiting) => self.abandon(to, CloseReason::Refused, cause, held),
            (Segment::Rst, Stage::Open | Stage::Finished) => self.abandon(to, CloseReason::Reset, cause, held),
            // Somebody still speaks to an end that is closed or forgotten.
            (Segment::Data(_) | Segment::SynAck | Segment::Syn, _) => self.control(to, Segment::Rst, cause, now),
            (Segment::Fin | Segment::Credit | Segment::Rst, _) => {}
            (Segment::Gate(_), _) => unreachable!("a gate does not travel"),
        }
    }

    pub(super) fn end_of_stream(&mut self, to: Socket, cause: u64, held: u64) {
        self.end_mut(to).finished = Some(cause);
        self.tell(to, News::Readable, cause, held);
    }

    fn on_syn(&mut self, to: Socket, cause: u64, held: u64, now: Time) {
        if self.hosts[usize::from(self.end(to).host.0)].listening {
            self.end_mut(to).stage = Stage::Open;
            self.control(to, Segment::SynAck, cause, now);
            self.tell(to, News::Accepted, cause, held);
        } else {
            self.end_mut(to).shut();
            self.control(to, Segment::Rst, cause, now);
        }
    }

    fn abandon(&mut self, at: Socket, reason: CloseReason, cause: u64, held: u64) {
        self.end_mut(at).shut();
        self.tell(at, News::Ended(reason), cause, held);
        self.bury(at.connection);
    }

    fn tell(&mut self, socket: Socket, news: News, cause: u64, held: u64) {
        let host = self.end(socket).host;
        self.notices.push_back(Notice { host, socket, news, cause, held });
    }

    pub(super) fn fly(&mut self, from: Socket, bytes: &Bytes, label: Label, cause: u64, now: Time) {
        let (here, there) = self.route(from);
        let (latency, mut dice) = self.weather.frame(here, there, label, now);
        let held = self.weather.slowed_by(here, there);
        let pieces = self.weather.pieces(&mut dice).min(bytes.len() as u64);
        let mut start = 0;
        for piece in 1..=pieces {
            let left = bytes.len() - start;
            let end = if piece == pieces { bytes.len() } else { start + 1 + dice.up_to(left.saturating_sub(2) as u64) as usize };
            // Pieces of one frame follow each other within a millisecond.
            let gap = Duration(if piece == 1 { 0 } else { dice.up_to(1_000_000) });
            self.push(from, Segment::Data(bytes.slice(start..end)), Duration(latency.0 + gap.0), cause, held, now);
            start = end;
            if start == bytes.len() {
                break;
            }
        }
    }

    pub(super) fn control(&mut self, from: Socket, segment: Segment, cause: u64, now: Time) {
        let (here, there) = self.route(from);
        let latency = self.weather.control(here, there, now);
        let held = self.weather.slowed_by(here, there);
        self.push(from, segment, latency, cause, held, now);
    }

    pub(super) fn push(&mut self, from: Socket, segment: Segment, latency: Duration, cause: u64, held: u64, now: Time) {
        let (here, there) = self.route(from);
        let (queued, held) = self.weather.carry(here, there, segment.size(), held, now);
        let pipe = &mut self.end_mut(from).pipe;
        if !pipe.push(segment, now, Takes { queued, latency }, cause, held) {
            return;
        }
        if pipe.is_frozen() {
            let timetable = pipe.timetable;
            self.schedule.push((now.plus(GIVE_UP), Signal::GiveUp { from, timetable }));
        } else {
            self.arm(from);
        }
    }

    pub(super) fn arm(&mut self, from: Socket) {
        let pipe = &self.end(from).pipe;
        if let Some(at) = pipe.next_arrival() {
            let signal = Signal::Arrival { to: from.peer(), timetable: pipe.timetable };
            self.schedule.push((at, signal));
        }
    }
}

//! The pump: takes what happens next and hands it to one process, which takes one step.
//!
//! ```text
//!   heap ──pop──▶ network, disk, faults, drivers ──news──▶ pending of each node ──one by one──▶ process
//!     ▲                                                                                          │
//!     └───────────── what its step wanted: connects, frames, syncs, alarms ◀─────────────────────┘
//! ```

use brokerlab::actor::{CloseReason, Event};
use brokerlab::types::Time;
use brokerlab_reports::event::{Delivery, EventId, NodeId, What, WorldFact};

use super::handover::State;
use super::phases::Phase;
use super::process::{Line, Pending, Source};
use super::state::{Due, Ending, World, host};
use crate::check::Follow;
use crate::network::{News, Notice};

impl World {
    /// Runs until the end.
    pub fn run(&mut self) {
        self.begin();
        while self.ending.is_none() {
            if let Some((node, cause)) = self.starting.pop_front() {
                self.come_up(node, cause);
            } else if let Some(&node) = self.ready.front() {
                self.serve(node);
            } else if let Some((at, due)) = self.heap.pop() {
                assert!(at >= self.now, "time goes forward");
                self.advance(at);
                self.on_due(due);
            } else {
                break;
            }
            self.exchange();
            if self.journal.events() > self.budget {
                self.exhaust();
            }
            if self.follow != Follow::End && self.is_followed_far_enough() {
                self.ending = Some(Ending::Followed);
            }
        }
    }

    fn is_followed_far_enough(&self) -> bool {
        let is_over = self.follow == Follow::Settle && matches!(self.phase, Phase::Settle { .. });
        is_over || self.journal.judge().sighted().is_some()
    }

    /// madsim's clock follows ours from second to second: nothing reads it, but it should not stand still either.
    fn advance(&mut self, at: Time) {
        let seconds = at.0 / 1_000_000_000 - self.now.0 / 1_000_000_000;
        if seconds > 0 {
            madsim::time::TimeHandle::current().advance(std::time::Duration::from_secs(seconds));
        }
        self.now = at;
    }

    fn on_due(&mut self, due: Due) {
        match due {
            Due::Network(signal) => self.fabric.on_signal(signal, self.now),
            Due::Alarm { node, life, number } => self.on_alarm(node, life, number),
            Due::Disk { job } => self.on_disk(job),
            Due::FaultBegins(fault) => self.begin_fault(fault),
            Due::FaultEnds(fault) => self.end_fault(fault),
            Due::FaultTurns(fault) => self.turn_fault(fault),
            Due::Drive { node } => self.drive(node),
            Due::CrashAgain(fault) => self.crash_again(fault),
            Due::Supervise { node, life, event } => self.supervise(node, life, event),
            Due::Grace { node, life } => self.on_grace(node, life),
            Due::Look => self.look(),
        }
    }

    /// Carries news from the network to processes, and its wishes to the heap.
    fn exchange(&mut self) {
        for (at, signal) in self.fabric.schedule.drain(..) {
            self.heap.push(at, Due::Network(signal));
        }
        while let Some(notice) = self.fabric.notices.pop_front() {
            self.on_notice(notice);
        }
    }

    fn on_notice(&mut self, notice: Notice) {
        let Notice { host, socket, news, cause, held } = notice;
        let source = Source { cause: EventId(cause), also: EventId(held) };
        let node = host.0;
        if news == News::Accepted {
            self.tell(node, Pending::Accepted(socket, source));
            return;
        }
        let Some(name) = self.name_of(socket) else { return };
        match news {
            News::Opened => self.tell(node, Pending::Opened(name, source)),
            News::Readable => self.tell_ready(node, name),
            News::Writable => self.tell(node, Pending::Writable(name)),
            News::Ended(reason) => self.tell(node, Pending::Ended(name, reason, source)),
            News::Accepted => unreachable!("handled above, as it has no name yet"),
        }
    }

    fn on_alarm(&mut self, node: u16, life: u32, number: u32) {
        let now = self.now;
        let state = self.node(node);
        let clock = state.clock;
        let Some(process) = state.process.as_mut().filter(|process| state.life == life && process.alarm_number == number) else {
            return;
        };
        process.alarm = None;
        // A deadline that has moved on is not worth a step.
        match process.deadline {
            Some(deadline) if clock.world(deadline, now) <= now => self.tell(node, Pending::Woken),
            Some(_) => self.set_alarm(node),
            None => {}
        }
    }

    /// Sets the alarm for the process's deadline. One alarm per node; a later deadline lets the earlier alarm stand.
    pub(super) fn set_alarm(&mut self, node: u16) {
        let now = self.now;
        let state = self.node(node);
        let (clock, life) = (state.clock, state.life);
        let Some(process) = &mut state.process else { return };
        let Some(deadline) = process.deadline else { return };
        // Most steps leave the deadline as it was; the alarm for it stands.
        if process.alarm.is_some() && process.alarm_for.is_some_and(|set| set <= deadline) {
            return;
        }
        let at = clock.world(deadline, now);
        if process.alarm.is_some_and(|set| set <= at) {
            return;
        }
        (process.alarm, process.alarm_for) = (Some(at), Some(deadline));
        process.alarm_number += 1;
        let number = process.alarm_number;
        self.heap.push(at, Due::Alarm { node, life, number });
    }

    /// Tells one node the next thing.
    fn serve(&mut self, node: u16) {
        let state = &mut self.nodes[usize::from(node)];
        let frozen = state.pauses > 0;
        let Some(pending) = state.process.as_mut().filter(|_| !frozen).and_then(|process| process.pending.pop_front()) else {
            state.is_ready = false;
            self.ready.pop_front();
            return;
        };
        let settled = pending.ticket();
        if let Some((cause, event)) = self.unfold(node, pending) {
            self.step(node, cause, event);
        }
        // Frames go out after the step, so that what it states about the sync comes before what was promised because of it.
        if let Some(ticket) = settled {
            self.release(node, ticket);
        }
        self.set_alarm(node);
    }

    fn step(&mut self, node: u16, cause: EventId, event: Event) {
        let state = &mut self.nodes[usize::from(node)];
        let now = state.clock.now(self.now);
        let process = state.process.as_mut().expect("it was asked just now");
        if !process.pending.is_empty() {
            process.fiber.expect_more();
        }
        let mut actions = std::mem::take(&mut process.actions);
        let outcome = process.fiber.step(Some((now, event)), &mut actions);
        self.after_step(node, cause, outcome, &mut actions);
        if let Some(process) = &mut self.node(node).process {
            process.actions = actions;
        }
    }

    /// A new process has come up: it listens, if it is a server, and says when it wants to be woken.
    fn come_up(&mut self, node: u16, cause: EventId) {
        let Some(process) = &mut self.nodes[usize::from(node)].process else { return };
        let mut actions = std::mem::take(&mut process.actions);
        let state = process.fiber.step(None, &mut actions);
        if self.member(node).is_server() {
            self.fabric.listen(host(node));
        }
        self.after_step(node, cause, state, &mut actions);
        self.set_alarm(node);
        let wish = self.drivers[usize::from(node)].on_start(self.now);
        self.act(node, wish);
    }

    fn after_step(&mut self, node: u16, cause: EventId, state: State, actions: &mut Vec<brokerlab::actor::Action>) {
        if let Some(message) = state.panic {
            self.note_world(Some(node), cause, WorldFact::Panicked { message });
            self.ending = Some(Ending::Panicked);
            return;
        }
        if self.notice_strike(node) {
            actions.clear();
            return;
        }
        if let Some(process) = &mut self.node(node).process {
            process.deadline = state.deadline;
            process.spare = state.spare;
        }
        for action in actions.drain(..) {
            self.carry_out(node, action, cause);
        }
        self.end_if_given_up(node);
    }

    /// Turns what is to be told into an event for the actor, and takes it down. `None` if there is nothing to tell after all.
    fn unfold(&mut self, node: u16, pending: Pending) -> Option<(EventId, Event)> {
        match pending {
            Pending::Ready(connection) => self.next_frame(node, connection),
            Pending::Writable(connection) => {
                self.flush(node, connection);
                None
            }
            Pending::Opened(connection, source) => {
                let line = self.line(node, connection)?;
                line.open = true;
                let peer = line.peer;
                let id = self.deliver(node, source, Delivery::Opened { peer: NodeId(peer), accepted: false });
                self.flush(node, connection);
                let peer = self.address(peer);
                Some((id, Event::Opened { connection, peer, accepted: false }))
            }
            Pending::Accepted(socket, source) => {
                let peer = self.fabric.host_of(socket.peer()).0;
                if !self.fabric.is_open(socket) {
                    return None;
                }
                let process = self.node(node).process.as_mut()?;
                let connection = process.spare;
                process.add_line(connection, Line::new(socket, peer, true));
                self.trace(socket).names[socket.end as usize] = Some(connection);
                let id = self.deliver(node, source, Delivery::Opened { peer: NodeId(peer), accepted: true });
                self.tell_ready(node, connection);
                Some((id, Event::Opened { connection, peer: self.address(peer), accepted: true }))
            }
            Pending::Ended(connection, reason, source) => self.end_line(node, connection, reason, source),
            Pending::Unknown(connection, source) => {
                // Not if it was given up meanwhile. There is no node at the other end that could be named.
                self.node(node).process.as_mut()?.unknown.take(&connection)?;
                let reason = CloseReason::Refused;
                let id = self.deliver(node, source, Delivery::Closed { peer: NodeId(node), reason });
                Some((id, Event::Closed { connection, reason }))
            }
            Pending::Synced(ticket, result, source) => {
                let id = self.deliver(node, source, Delivery::Synced { result });
                Some((id, Event::Synced { ticket, result }))
            }
            Pending::ReadDone(ticket, result, source) => {
                let length = result.as_ref().map(|bytes| bytes.len() as u64).map_err(|error| *error);
                let id = self.deliver(node, source, Delivery::ReadDone { result: length });
                Some((id, Event::ReadDone { ticket, result }))
            }
            Pending::Command(command, source) => {
                let id = self.note(Some(node), source.cause, source.also, What::Invoked(command.clone()));
                Some((id, Event::Command(command)))
            }
            Pending::Woken => {
                let id = self.deliver(node, Source::default(), Delivery::Woken);
                Some((id, Event::Woken))
            }
        }
    }

    /// Takes down that something was given to an actor.
    pub fn deliver(&mut self, node: u16, source: Source, delivery: Delivery) -> EventId {
        self.note(Some(node), source.cause, source.also, What::Delivered(delivery))
    }

    /// A connection is gone: forgets it and tells the actor.
    pub fn end_line(
        &mut self,
        node: u16,
        connection: brokerlab::types::ConnectionId,
        reason: CloseReason,
        source: Source,
    ) -> Option<(EventId, Event)> {
        let line = self.node(node).process.as_mut()?.remove_line(connection)?;
        self.fabric.close(line.socket, source.cause.0, self.now);
        self.forget(line.socket);
        let id = self.deliver(node, source, Delivery::Closed { peer: NodeId(line.peer), reason });
        Some((id, Event::Closed { connection, reason }))
    }

    fn exhaust(&mut self) {
        let reasons = vec![format!("{} events have happened: somebody runs in circles", self.journal.events())];
        self.note_world(None, EventId::NONE, WorldFact::SettleFailed { reasons });
        self.ending = Some(Ending::Exhausted);
    }
}

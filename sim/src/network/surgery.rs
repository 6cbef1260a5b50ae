//! Faults with a scalpel: what happens to single frames, picked by what stands in their headers.
//!
//! "The answer to the third AlterPartition gets lost" is a sentence about frames, but the network knows only bytes. So a sender says
//! when a frame begins and when its last byte is with the kernel, and the rules that match it act on the bytes between:
//!
//! ```text
//!   hold           a gate in the pipe before its first byte; it and everything behind it wait in the network
//!   delay          its first byte takes longer; everything behind it waits, as nothing overtakes in a stream
//!   sever-before   both pipes are emptied, both ends are reset: it never arrives
//!   sever-after    an end of the stream behind its last byte; at its arrival the sender is reset
//! ```
//!
//! What waits at a gate is neither with the sender's kernel nor with the receiver's: a box on the way has acknowledged it and has not
//! passed it on. So nobody gives up because of it, and nothing that happens to the sender takes it back. When the client has long lost
//! patience, closed its connection, connected anew and sent its request again, the first one still arrives: late, in order, on a connection
//! that the server has no reason to doubt.

use brokerlab::types::{Duration, Time};

use super::fabric::{Fabric, Stage};
use super::pipe::Segment;
use super::{Host, Label, Socket};
use crate::scenario::model::Fate;

/// Which frames a fault strikes, and how.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The event in which the fault began; names it.
    pub fault: u64,
    /// API keys; empty: all.
    pub apis: Vec<i16>,
    /// Responses, not requests.
    pub responses: bool,
    /// Who asks; `None`: anybody.
    pub from: Option<Host>,
    /// Who answers; `None`: anybody.
    pub to: Option<Host>,
    /// Matching frames that pass before the first is struck.
    pub spared: u64,
    /// Frames that are still to be struck.
    pub count: u64,
    /// What happens to them.
    pub fate: Fate,
}

/// A frame was struck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Struck {
    /// By this fault.
    pub fault: u64,
    /// In this way.
    pub fate: Fate,
}

impl Rule {
    fn picks(&self, label: Label, asker: Host, answerer: Host) -> bool {
        self.responses == label.response
            && (self.apis.is_empty() || self.apis.contains(&label.api_key))
            && self.from.is_none_or(|from| from == asker)
            && self.to.is_none_or(|to| to == answerer)
    }

    /// Whether this matching frame is one of those to be struck.
    fn counts(&mut self) -> bool {
        if self.spared > 0 {
            self.spared -= 1;
            return false;
        }
        let strikes = self.count > 0;
        self.count -= u64::from(strikes);
        strikes
    }
}

impl Fabric {
    /// From now on this happens to such frames.
    pub fn operate(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// The rules of this fault are lifted, and what it holds goes on.
    pub fn lift(&mut self, fault: u64, now: Time) {
        self.rules.retain(|rule| rule.fault != fault);
        for from in self.all_ends() {
            if !self.end(from).pipe.is_gated_by(fault) {
                continue;
            }
            let (here, there) = self.route(from);
            let latency = self.weather.control(here, there, now);
            self.end_mut(from).pipe.open_gate(fault, now.plus(latency));
            self.arm(from);
        }
    }

    /// A frame is about to be sent from this end; what strikes it.
    pub fn begin_frame(&mut self, from: Socket, label: Label, cause: u64, now: Time) -> Vec<Struck> {
        // Nearly always.
        if self.rules.is_empty() || self.end(from).stage != Stage::Open {
            return Vec::new();
        }
        let (here, there) = self.route(from);
        let (asker, answerer) = if label.response { (there, here) } else { (here, there) };
        let matching = self.rules.iter_mut().filter(|rule| rule.picks(label, asker, answerer));
        let struck: Vec<Struck> =
            matching.filter_map(|rule| rule.counts().then_some(Struck { fault: rule.fault, fate: rule.fate })).collect();
        for &Struck { fault, fate } in &struck {
            match fate {
                Fate::Hold => self.end_mut(from).pipe.shut_gate(fault),
                Fate::Delay(by) => self.end_mut(from).pipe.delay(by, fault),
                Fate::SeverBefore => self.sever(from, cause, fault, now),
                Fate::SeverAfter => self.end_mut(from).pipe.doomed = Some(fault),
            }
        }
        struck
    }

    /// The last byte of a frame is with the kernel.
    pub fn end_frame(&mut self, from: Socket, cause: u64, now: Time) {
        if let Some(fault) = self.end_mut(from).pipe.doomed.take()
            && self.end(from).stage == Stage::Open
        {
            self.push(from, Segment::Sever, Duration::ZERO, cause, fault, now);
        }
    }

    /// The connection breaks: what is under way is lost, and both ends hear of it.
    fn sever(&mut self, at: Socket, cause: u64, fault: u64, now: Time) {
        for from in [at, at.peer()] {
            self.end_mut(from).pipe.clear();
            self.reset_peer(from, cause, fault, now);
        }
    }

    /// A connection breaks behind what has just arrived at this end: it reads to the end, its peer is reset.
    pub(super) fn on_sever(&mut self, to: Socket, cause: u64, fault: u64, now: Time) {
        let from = to.peer();
        self.end_mut(from).pipe.clear();
        self.end_mut(to).pipe.clear();
        if self.end(from).stage == Stage::Open {
            // Nothing that it still sends gets anywhere.
            self.end_mut(from).stage = Stage::Finished;
        }
        if matches!(self.end(to).stage, Stage::Open | Stage::Finished) {
            self.end_of_stream(to, cause, fault);
        }
        self.reset_peer(to, cause, fault, now);
    }

    fn reset_peer(&mut self, from: Socket, cause: u64, fault: u64, now: Time) {
        let (here, there) = self.route(from);
        let latency = self.weather.control(here, there, now);
        self.push(from, Segment::Rst, latency, cause, fault, now);
    }
}

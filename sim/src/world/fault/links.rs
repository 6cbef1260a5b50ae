//! Faults of the network: links that are cut, slow, narrow or unsteady, and single frames.

use std::sync::Arc;

use brokerlab::types::Duration;
use brokerlab::wire::ApiKey;
use brokerlab_reports::event::{EventId, NodeId, What, WorldFact};

use super::super::process::FrameHeader;
use super::super::state::{Due, World, host, number};
use super::Undo as Owed;
use crate::network::surgery::{Rule, Struck};
use crate::scenario::model::{Fate, FaultKind, Frames};

/// What the end of such a fault takes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    /// One direction is cut.
    Heal(u16, u16),
    /// One direction is slower.
    Hasten(u16, u16, Duration),
    /// One direction is narrow; without a receiver, all that the node sends and receives.
    Widen(u16, Option<u16>),
    /// Frames are picked.
    Lift,
}

impl World {
    pub(super) fn isolate(&mut self, fault: usize, node: u16, except_clients: bool) {
        for other in 0..number(self.nodes.len()) {
            let is_server = self.member(other).is_server();
            if other != node && (is_server || !except_clients) {
                self.cut(fault, node, other);
                self.cut(fault, other, node);
            }
        }
    }

    pub(super) fn cut_link(&mut self, fault: usize, from: u16, to: u16, one_way: bool) {
        self.cut(fault, from, to);
        if !one_way {
            self.cut(fault, to, from);
        }
    }

    /// Cuts whatever the map of this fault says.
    pub(super) fn cut_map(&mut self, fault: usize, kind: &FaultKind) {
        let map = self.map(fault, kind).expect("it was drawn a moment ago, for the victims");
        map.cuts.into_iter().for_each(|(from, to)| self.cut(fault, from, to));
    }

    pub(super) fn slow_link(&mut self, fault: usize, from: u16, to: u16, by: Duration) {
        for (from, to) in [(from, to), (to, from)] {
            self.fabric.slow(host(from), host(to), by, self.faults[fault].began.0);
            self.owe_link(fault, Undo::Hasten(from, to, by));
        }
    }

    pub(super) fn narrow_link(&mut self, fault: usize, from: u16, to: Option<u16>, bandwidth: u64) {
        let directions = to.map_or(vec![(from, None)], |to| vec![(from, Some(to)), (to, Some(from))]);
        for (from, to) in directions {
            self.fabric.narrow(host(from), to.map(host), bandwidth, self.faults[fault].began.0);
            self.owe_link(fault, Undo::Widen(from, to));
        }
    }

    /// Begins to flap.
    pub(super) fn flap(&mut self, fault: usize, from: u16, to: Option<u16>, one_way: bool) {
        let others = 0..number(self.nodes.len());
        let peers: Vec<u16> = to.map_or_else(|| others.filter(|other| *other != from).collect(), |to| vec![to]);
        for peer in peers {
            self.faults[fault].flaps.push((from, peer));
            if !one_way {
                self.faults[fault].flaps.push((peer, from));
            }
        }
        self.turn_fault(fault);
    }

    /// A flapping link goes down, or comes up.
    #[allow(clippy::wildcard_enum_match_arm, reason = "only a flapping link turns")]
    pub fn turn_fault(&mut self, fault: usize) {
        let FaultKind::FlappingLink { every, down, .. } = self.plan.faults[fault].kind else { return };
        if self.faults[fault].ended {
            return;
        }
        let undo = std::mem::take(&mut self.faults[fault].undo);
        let was_up = undo.is_empty();
        if was_up {
            for (from, to) in self.faults[fault].flaps.clone() {
                self.cut(fault, from, to);
            }
        } else {
            self.mend(fault, undo, EventId::NONE);
        }
        let next = if was_up { down } else { Duration(every.0 - down.0) };
        self.heap.push(self.now.plus(next), Due::FaultTurns(fault));
    }

    fn cut(&mut self, fault: usize, from: u16, to: u16) {
        self.fabric.cut(host(from), host(to), self.faults[fault].began.0, self.now);
        self.owe_link(fault, Undo::Heal(from, to));
    }

    fn owe_link(&mut self, fault: usize, undo: Undo) {
        self.faults[fault].undo.push(Owed::Link(undo));
    }

    pub(super) fn mend_link(&mut self, fault: usize, undo: Undo) {
        let began = self.faults[fault].began.0;
        match undo {
            Undo::Heal(from, to) => self.fabric.heal(host(from), host(to), self.now),
            Undo::Hasten(from, to, by) => self.fabric.hasten(host(from), host(to), by),
            Undo::Widen(from, to) => self.fabric.widen(host(from), to.map(host), began, self.now),
            Undo::Lift => self.fabric.lift(began, self.now),
        }
    }

    // ---- single frames ------------------------------------------------------------------------------------------------------

    pub(super) fn operate(&mut self, fault: usize, frames: &Frames, fate: Fate) {
        let ends = self.ends(fault, frames.from.as_ref(), frames.to.as_ref());
        let mut ends = ends.expect("they were found a moment ago, as the victims").into_iter().map(host);
        let from = frames.from.as_ref().and_then(|_| ends.next());
        let to = frames.to.as_ref().and_then(|_| ends.next());
        let apis = ApiKey::ALL.iter().filter(|api| frames.apis.iter().any(|name| name == api.name())).map(|api| api.code());
        let rule = Rule {
            fault: self.faults[fault].began.0,
            apis: apis.collect(),
            responses: frames.responses,
            from,
            to,
            spared: frames.nth.saturating_sub(1),
            count: frames.count,
            fate,
        };
        self.fabric.operate(rule);
        self.owe_link(fault, Undo::Lift);
    }

    /// The answers to a broker's fetches of the metadata log are late. Those are the only fetches that it sends to the controller, and
    /// they have a connection of their own.
    pub(super) fn age_metadata(&mut self, fault: usize, broker: u16, controller: u16, by: Option<Duration>) {
        let rule = Rule {
            fault: self.faults[fault].began.0,
            apis: vec![ApiKey::Fetch.code()],
            responses: true,
            from: Some(host(broker)),
            to: Some(host(controller)),
            spared: 0,
            count: u64::MAX,
            fate: by.map_or(Fate::Hold, Fate::Delay),
        };
        self.fabric.operate(rule);
        self.owe_link(fault, Undo::Lift);
    }

    /// Takes down that a fault struck a frame which this node is sending.
    pub fn note_struck(&mut self, node: u16, peer: u16, header: FrameHeader, struck: Struck, cause: EventId) {
        let fault = self.faults.iter().position(|fault| fault.began.0 == struck.fault);
        let fault = fault.expect("only a fault that has begun has rules");
        let fact = WorldFact::FrameStruck {
            fault: Arc::from(self.plan.faults[fault].id.as_str()),
            fate: Arc::from(struck.fate.name()),
            to: NodeId(peer),
            api_key: header.api_key,
            response: header.response,
            correlation: header.correlation,
        };
        self.note(Some(node), cause, EventId(struck.fault), What::World(fact));
    }
}

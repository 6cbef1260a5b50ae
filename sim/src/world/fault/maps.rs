//! Cuts of many links at once: who reaches whom afterwards.
//!
//! ```text
//!   split     b1 │ b2 b3 c1          one or more groups, and the servers that are in none
//!   bridge    b1 c1 ── b2 ── b3      two halves, and one node between them
//!   ring      b1 ── b2               everybody reaches a majority, nobody the same one
//!             │      │
//!             c1 ── b3
//! ```

use super::super::chance::{Tag, key_of};
use super::super::state::{World, number};
use crate::scenario::model::{FaultKind, Target};

/// Which links a fault cuts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Map {
    /// The nodes that it is about.
    pub nodes: Vec<u16>,
    /// Directions that are cut.
    pub cuts: Vec<(u16, u16)>,
}

impl Map {
    fn separate(&mut self, from: u16, to: u16, one_way: bool) {
        self.cuts.push((from, to));
        if !one_way {
            self.cuts.push((to, from));
        }
    }
}

impl World {
    /// The map of this fault, or why there is none. The same whenever it is asked for in the same state of the cluster.
    #[allow(clippy::wildcard_enum_match_arm, reason = "asked only for kinds that have a map")]
    pub(super) fn map(&self, fault: usize, kind: &FaultKind) -> Result<Map, String> {
        match kind {
            FaultKind::Split { groups, one_way } => self.split(fault, groups, *one_way),
            FaultKind::Bridge { target } => self.bridge(fault, target),
            FaultKind::MajoritiesRing => self.ring(fault),
            FaultKind::CutClients { targets, one_way } => self.without_clients(fault, targets, *one_way),
            _ => unreachable!("{} has no map", kind.name()),
        }
    }

    fn split(&self, fault: usize, groups: &[Vec<Target>], one_way: bool) -> Result<Map, String> {
        let mut map = Map::default();
        let mut sides: Vec<Vec<u16>> = Vec::new();
        for group in groups {
            let mut side = Vec::new();
            for target in group {
                let node = self.resolve_at(fault, map.nodes.len() as u64, target, None)?;
                if map.nodes.contains(&node) {
                    return Err(format!("{} is named twice", self.member(node).name));
                }
                map.nodes.push(node);
                side.push(node);
            }
            sides.push(side);
        }
        sides.push(self.servers().filter(|node| !map.nodes.contains(node)).collect());
        for (at, side) in sides.iter().enumerate() {
            for (&from, &to) in side.iter().flat_map(|from| sides[at + 1..].iter().flatten().map(move |to| (from, to))) {
                map.separate(from, to, one_way);
            }
        }
        if map.cuts.is_empty() { Err("nobody is on the other side".into()) } else { Ok(map) }
    }

    fn bridge(&self, fault: usize, target: &Target) -> Result<Map, String> {
        let bridge = self.resolve(fault, target, None)?;
        let mut others = self.shuffled_servers(fault);
        others.retain(|node| *node != bridge);
        if !self.member(bridge).is_server() || others.len() < 2 {
            return Err(format!("{} stands between nobody", self.member(bridge).name));
        }
        let mut map = Map { nodes: std::iter::once(bridge).chain(others.iter().copied()).collect(), cuts: Vec::new() };
        let (left, right) = others.split_at(others.len() / 2);
        for (&from, &to) in left.iter().flat_map(|from| right.iter().map(move |to| (from, to))) {
            map.separate(from, to, false);
        }
        Ok(map)
    }

    fn ring(&self, fault: usize) -> Result<Map, String> {
        let ring = self.shuffled_servers(fault);
        // With so many neighbours on each side everybody reaches a majority, itself included.
        let majority = ring.len() / 2 + 1;
        let neighbours = majority / 2;
        let mut map = Map { nodes: ring.clone(), cuts: Vec::new() };
        for (at, &from) in ring.iter().enumerate() {
            for (distance, &to) in ring[at..].iter().enumerate() {
                if distance > neighbours && ring.len() - distance > neighbours {
                    map.separate(from, to, false);
                }
            }
        }
        if map.cuts.is_empty() { Err(format!("{} servers are too few for a ring", ring.len())) } else { Ok(map) }
    }

    fn without_clients(&self, fault: usize, targets: &[Target], one_way: bool) -> Result<Map, String> {
        let mut map = Map::default();
        for (place, target) in targets.iter().enumerate() {
            let server = self.resolve_at(fault, place as u64, target, None)?;
            if !self.member(server).is_server() {
                return Err(format!("{} is a client itself", self.member(server).name));
            }
            if map.nodes.contains(&server) {
                continue;
            }
            map.nodes.push(server);
            for client in (0..number(self.nodes.len())).filter(|node| !self.member(*node).is_server()) {
                map.separate(client, server, one_way);
            }
        }
        if map.cuts.is_empty() { Err("there are no clients".into()) } else { Ok(map) }
    }

    fn servers(&self) -> impl Iterator<Item = u16> {
        (0..number(self.nodes.len())).filter(|node| self.member(*node).is_server())
    }

    fn shuffled_servers(&self, fault: usize) -> Vec<u16> {
        let id = key_of(&self.plan.faults[fault].id);
        let mut servers: Vec<u16> = self.servers().collect();
        servers.sort_by_key(|node| (self.chance.about(Tag::Target, [id, 1, u64::from(*node), 0]).roll(), *node));
        servers
    }
}

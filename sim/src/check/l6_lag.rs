//! L6: after healing every consumer catches up.
//!
//! A consumer that has lost its place, or waits for a leader that is none, falls behind for ever while everything around it is well. So whoever
//! was told to read a partition from its beginning comes to its end once producers have stopped. After a loss its place may lie
//! beyond the end, and retention may pass it by; where it goes on then is its own affair (`auto.offset.reset`, by default the very end): such
//! partitions are left out.

use super::clients::Clients;
use super::ghost::{Change, Ghost, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "L6";
/// What must hold.
pub const CLAIM: &str = "after healing every consumer reads up to what is committed";

/// The check. Exercised where a consumer was behind when faults ended.
#[derive(Default)]
pub struct Lag;

impl Check for Lag {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::SettleBegan]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if matches!(change, Change::SettleBegan) {
            (0..scene.clients.kinds.len()).for_each(|node| page.looked(lag(scene.ghost, scene.clients, node).is_some()));
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        for node in (0..scene.clients.kinds.len()).filter(|_| scene.settling) {
            if let Some((partition, position)) = lag(scene.ghost, scene.clients, node) {
                page.found(scene.event, Some(partition), Weight::HANG, || waits(scene.ghost, node, partition, position));
            }
        }
    }
}

/// A partition of which a consumer has not read everything, and where it is.
#[must_use]
pub fn lag(ghost: &Ghost, clients: &Clients, node: usize) -> Option<(usize, Offset)> {
    let mut reads = clients.reads.get(node)?.iter();
    let behind = reads.find(|(partition, position)| {
        let p = &ghost.partitions[*partition];
        p.losses.is_empty() && (p.kept_from..p.readable_end()).contains(position)
    });
    behind.copied()
}

/// What waits for what.
#[must_use]
pub fn waits(ghost: &Ghost, node: usize, partition: usize, position: Offset) -> String {
    let (node, name, end) = (ghost.node_name(node), ghost.name(partition), ghost.partitions[partition].true_high_watermark());
    format!("{node} has read {name} up to {position} of {end}")
}

//! L6: after healing every consumer catches up.
//!
//! A consumer that has lost its place, or waits for a leader that is none, falls behind for ever while everything around it is well. So whoever
//! was told to read a partition from its beginning comes to its end once producers have stopped. Where retention or deletion passed it by, it goes
//! on as `auto.offset.reset` says: at the first record that is kept, or at the end as it was when it asked ([`reader`](super::reader)), and
//! from there it must come to the end all the same. With `none` it may stay where its place is gone. After a loss its place may lie
//! beyond the end: such partitions are left out.

use super::clients::Clients;
use super::ghost::{Change, Ghost, Kind};
use super::page::{Page, Weight};
use super::setup::Reset;
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
    let reader = clients.readers.get(node)?.as_ref()?;
    let behind = reader.places.iter().find(|(partition, position)| {
        let p = &ghost.partitions[*partition];
        let may_stay = reader.reset == Reset::Nowhere && *position < p.kept_from;
        p.losses.is_empty() && *position < p.readable_end() && !may_stay
    });
    behind.copied()
}

/// What waits for what.
#[must_use]
pub fn waits(ghost: &Ghost, node: usize, partition: usize, position: Offset) -> String {
    let (node, name, end) = (ghost.node_name(node), ghost.name(partition), ghost.partitions[partition].true_high_watermark());
    format!("{node} has read {name} up to {position} of {end}")
}

//! R20: at rest, the in-sync replicas are equal.
//!
//! When faults are over and everything has caught up, every member of the ISR has the same batches, and all of them are committed. The final
//! audit of the disks must show the same as the brokers stated: what a broker says of its log is what lies on its disk.

use super::ghost::{Change, Kind, Partition};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R20";
/// What must hold.
pub const CLAIM: &str = "at rest all in-sync replicas hold the same log, all of it committed, and their disks say the same";

/// The check.
#[derive(Default)]
pub struct Convergence;

impl Check for Convergence {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Imaged]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Imaged { at, differs } = change else { return };
        page.looked(scene.ghost.shadow(*at).log.end() > Offset::ZERO);
        if let Some(place) = differs {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                let (node, name) = (scene.node(at.node), scene.name(*at));
                format!("the disk of {node} differs from what it stated about {name}, from {place} on")
            });
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        if !scene.at_rest {
            return;
        }
        for (partition, p) in scene.ghost.living() {
            page.looked(p.state.isr.len() > 1 && p.log.end() > Offset::ZERO);
            if let Some(text) = differ(scene, p) {
                let name = scene.ghost.name(partition);
                page.found(scene.event, Some(partition), Weight::VIOLATION, || format!("{name} came to rest, but {text}"));
            }
        }
    }
}

fn differ(scene: &Scene<'_>, p: &Partition) -> Option<String> {
    let committed = &p.log;
    for member in &p.state.isr {
        let node = scene.ghost.node_of(*member)?;
        let log = &p.shadows[node].log;
        let agreed = log.agrees_up_to(committed, Offset::ZERO);
        if log.end() != committed.end() || agreed < committed.end() {
            let (end, committed) = (log.end(), committed.end());
            return Some(format!("{member:?} ends at {end} and agrees up to {agreed}, while {committed} is committed"));
        }
    }
    None
}

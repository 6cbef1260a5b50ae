//! R7: log matching. The same offset in the same epoch has the same past.
//!
//! One leader writes each epoch, in order, and followers copy whole prefixes. So two logs that hold a batch of equal offset and epoch are
//! equal up to it (Raft's log matching property). Truncation by epochs (KIP-101, KIP-279) relies on it: once it is broken, logs
//! diverge for good and nobody notices.

use super::ghost::{Change, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "R7";
/// What must hold.
pub const CLAIM: &str = "logs that hold a batch of the same offset and epoch are equal up to it";

/// The check.
#[derive(Default)]
pub struct LogMatching;

impl Check for LogMatching {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Appended, Kind::Recovered]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if let Change::Appended { at, link, clashes, .. } = change {
            page.looked(link.base > Offset::ZERO);
            if *clashes {
                page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                    let (node, name, epoch) = (scene.node(at.node), scene.name(*at), link.epoch);
                    format!(
                        "{node} appends {} of epoch {epoch} to {name}, which elsewhere has another content or past",
                        link.base
                    )
                });
            }
        }
        if let Change::Recovered { at, recovery } = change {
            page.looked(recovery.end > Offset::ZERO);
            if recovery.clashes && !recovery.disk_struck {
                page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                    let (node, name) = (scene.node(at.node), scene.name(*at));
                    format!("the disk of {node} holds a batch of {name} that elsewhere has another content or past")
                });
            }
        }
    }
}

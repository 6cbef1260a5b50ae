//! D8: recovery finds what must be there, and invents nothing.
//!
//! ```text
//!   what was durable  ≤  log end after recovery  ≤  what the medium kept
//! ```
//!
//! A process that dies loses nothing: the page cache lives on. A loss of power may take what was not synced, but never what an audit found
//! durable, or what the broker itself called flushed and promised to others (`flush.messages=1`). Below its end the recovered log
//! equals the former one; and the log end that the broker states is the one on its disk.

use super::ghost::{Change, Kind, Recovery};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;

/// The id.
pub const ID: &str = "D8";
/// What must hold.
pub const CLAIM: &str = "recovery keeps everything durable, agrees with the former log and adds nothing to what the medium kept";

/// The check.
#[derive(Default)]
pub struct RecoveredPrefix;

impl Check for RecoveredPrefix {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Recovered]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        let Change::Recovered { at, recovery } = change else { return };
        page.looked(recovery.end_before > Offset::ZERO);
        if let Some(why) = is_wrong(recovery) {
            page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                format!("{} recovered {} up to {}, but {why}", scene.node(at.node), scene.name(*at), recovery.end)
            });
        }
    }
}

fn is_wrong(recovery: &Recovery) -> Option<String> {
    let end = recovery.end;
    if let Some(claimed) = recovery.claimed_end.filter(|claimed| *claimed != end) {
        return Some(format!("it says {claimed}"));
    }
    // A log that has lost everything above a start that was durably moved is empty there.
    if let Some(kept) = recovery.survived_end.filter(|kept| end > *kept && !recovery.is_given_up) {
        return Some(format!("the medium kept only what is below {kept}"));
    }
    if recovery.disk_struck {
        return None;
    }
    let must_keep = must_keep(recovery);
    if end < must_keep {
        return Some(format!("everything below {must_keep} had to survive"));
    }
    let both = end.min(recovery.end_before);
    (recovery.agrees_up_to < both).then(|| format!("from {} on it is not the log from before", recovery.agrees_up_to))
}

fn must_keep(recovery: &Recovery) -> Offset {
    match recovery.ending {
        super::ghost::Ending::Process => recovery.end_before,
        super::ghost::Ending::Power => recovery.durable_before,
    }
}

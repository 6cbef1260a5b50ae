//! D9: damage below the recovery point is not the end of the log.
//!
//! A batch that does not check out *above* the recovery point may be torn by a loss of power, and recovery cuts there. *Below* it everything
//! was on the medium once: bad bytes are rot, and what follows them was promised to others. Kafka's recovery cuts there as well, and keeps its
//! seat. Here such a log is reported before anything else happens to it, and given up as a whole. So whoever comes back with less than its
//! recovery point, although the medium kept more, must have said so first; in this life or, if it stopped at the discovery, in one
//! before it.
//!
//! ```text
//!   medium      0 ─────────×───────│──────── 90       the recovery point is 60, the batch at 40 is rotten
//!   comes back  0 ──────── 40                         wrong, unless it has reported the damage
//! ```
//!
//! The auditor reads the medium as it was written, so rot does not hide from it what was there.

use std::collections::{BTreeMap, BTreeSet};

use super::ghost::{Change, Kind, Place};
use super::page::{Page, Weight};
use super::{Check, Scene};
use brokerlab::types::Offset;
use brokerlab_reports::event::AuditMoment;

/// The id.
pub const ID: &str = "D9";
/// What must hold.
pub const CLAIM: &str =
    "a log that comes back with less than its recovery point, and less than the medium kept, was reported as damaged";

/// The check. Exercised by every log that comes back with less than its recovery point.
#[derive(Default)]
pub struct RotIsReported {
    points: BTreeMap<Place, Offset>,
    reported: BTreeSet<Place>,
}

impl Check for RotIsReported {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::Audited, Kind::Damaged, Kind::Recovered, Kind::Appended]
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "a check is shown only what it watches")]
    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        match change {
            Change::Audited { at, image, .. } if image.moment == AuditMoment::BeforeRecovery => {
                self.points.insert(*at, image.small_files.recovery_point);
            }
            Change::Damaged { at } => {
                self.reported.insert(*at);
            }
            // It has gone on: damage that it meets from now on is another one.
            Change::Appended { at, .. } => {
                self.reported.remove(at);
            }
            Change::Recovered { at, recovery } => {
                let point = self.points.get(at).copied().unwrap_or_default();
                let kept = recovery.survived_end.unwrap_or_default().min(point);
                let is_short = recovery.end < kept && !recovery.is_given_up;
                page.looked(is_short);
                if is_short && !self.reported.contains(at) {
                    page.found(scene.event, Some(at.partition), Weight::VIOLATION, || {
                        let (node, name, end) = (scene.node(at.node), scene.name(*at), recovery.end);
                        format!("{node} cut {name} at {end}, below its recovery point {point}, and says nothing of any damage")
                    });
                }
            }
            _ => {}
        }
    }
}

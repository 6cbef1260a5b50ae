//! What the settle phase waits for, and what becomes of it.
//!
//! Safety says that nothing bad happens; a cluster that does nothing at all is perfectly safe. So once faults are over there are obligations,
//! each with a reason that can be told: *what waits for what*. The run ends when all are met, or hangs.
//!
//! ```text
//!   faults end ──▶ L2 open writes end ─┐
//!                  L1 leaders known    ├─▶ the laboratory's consumer reads everything (B1, B3) ──▶ the end
//!                  L4 full ISR         │
//!                  L3 HW = log end    ─┘
//! ```

use super::ghost::{Change, Ghost, Kind};
use super::page::{Page, Weight};
use super::{Check, Scene};

/// One obligation of every partition.
#[derive(Clone, Copy)]
pub struct Obligation {
    /// The id of its check.
    pub id: &'static str,
    /// Whether a partition meets it.
    pub is_met: fn(&Ghost, usize) -> bool,
    /// What waits for what, if it does not.
    pub waits: fn(&Ghost, usize) -> String,
}

/// The obligations of partitions.
pub const OBLIGATIONS: [Obligation; 3] = [
    Obligation { id: super::l1_leader::ID, is_met: super::l1_leader::is_met, waits: super::l1_leader::waits },
    Obligation {
        id: super::l3_high_watermark::ID,
        is_met: super::l3_high_watermark::is_met,
        waits: super::l3_high_watermark::waits,
    },
    Obligation { id: super::l4_full_isr::ID, is_met: super::l4_full_isr::is_met, waits: super::l4_full_isr::waits },
];

/// The check of one obligation: exercised where it was not met when faults ended, violated where it is not met in the end.
pub struct Liveness(pub Obligation);

impl Check for Liveness {
    fn watches(&self) -> &'static [Kind] {
        &[Kind::SettleBegan]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if matches!(change, Change::SettleBegan) {
            for (partition, _) in scene.ghost.living() {
                page.looked(!(self.0.is_met)(scene.ghost, partition));
            }
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        if !scene.settling {
            return;
        }
        for (partition, _) in scene.ghost.living().filter(|(partition, _)| !(self.0.is_met)(scene.ghost, *partition)) {
            page.found(scene.event, Some(partition), Weight::HANG, || (self.0.waits)(scene.ghost, partition));
        }
    }
}

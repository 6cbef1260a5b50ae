//! Looking, every now and then, for old records to give up.
//!
//! `log.retention.check.interval.ms` is the only clock: what is over age or size at such a moment goes. Every replica looks at its own log
//! ([`crate::replica`]); here is only when, and that files which could not go yet get another chance.

use crate::types::Time;

use super::BrokerActor;
use super::reply::Step;

impl BrokerActor {
    /// Applies retention to all logs, if it is time.
    pub(super) fn check_retention(&mut self, step: &mut Step<'_>) {
        let now = step.now.mono;
        if !self.view.is_published() || self.retention_due > now {
            return;
        }
        self.retention_due = now.plus(self.config.retention_check_interval);
        let (replicas, _) = self.partitions.touch_all();
        let mut waits = false;
        for replica in replicas {
            replica.apply_retention(step.now, step.disk, step.out);
            waits |= replica.log().has_old_segments();
        }
        if waits {
            self.checkpoints.note_log_start();
            self.stirred = true;
        }
    }

    /// When to look next.
    pub(super) fn retention_deadline(&self) -> Option<Time> {
        self.view.is_published().then_some(self.retention_due)
    }
}

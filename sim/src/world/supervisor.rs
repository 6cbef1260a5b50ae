//! The supervisor: ends a broker that can do no more, and starts it again.
//!
//! ```text
//!   disk says EIO, ENOSPC, or gives other bytes ──▶ broker: LogFailed, falls silent ──▶ the process ends
//!                                                        ▲                                   │ RESTART_AFTER
//!                                                        └────────── starts again ◀──────────┘
//! ```
//!
//! A broker halts when its data directory fails. Somebody starts it again, with luck after the fault is over: systemd does so with
//! `Restart=on-failure`.

use brokerlab::fact::Fact;
use brokerlab::types::Duration;
use brokerlab_reports::event::EventId;

use super::cast::Role;
use super::chance::key_of;
use super::state::{Due, World};

/// A process that has given up is started again after this.
const RESTART_AFTER: Duration = Duration::secs(1);

impl World {
    /// Whether a broker says that its data directory has failed: it can do no more.
    #[must_use]
    pub fn gives_up(&self, node: u16, fact: &Fact) -> bool {
        matches!(fact, Fact::LogFailed { partition: None, .. }) && matches!(self.member(node).role, Role::Broker(_))
    }

    /// After a step: a process that has given up ends, and is started again some time later.
    pub fn end_if_given_up(&mut self, node: u16) {
        let state = self.node(node);
        let Some(event) = state.gave_up.take().filter(|_| state.process.is_some()) else { return };
        self.crash(node, event);
        let state = self.node(node);
        state.failures += 1;
        let life = state.life;
        self.heap.push(self.now.plus(RESTART_AFTER), Due::Supervise { node, life, event });
    }

    /// Starts a process again, unless somebody has done so, or a fault keeps it down.
    pub fn supervise(&mut self, node: u16, life: u32, event: EventId) {
        let state = self.node(node);
        if state.process.is_some() || state.life != life || state.outages > 0 {
            return;
        }
        let reason = key_of(&format!("supervisor {}", state.failures));
        self.start(node, reason, event);
    }
}

//! Deadlines of a shard.
//!
//! A member that shows that it lives moves its deadline, thousands of times for each one that is missed. So an alarm is left where it is when
//! its deadline moves away, and set anew when it rings too early: a heartbeat costs nothing here, and a living member one alarm for each
//! session. Whoever is rung for looks whether its time has really come; an alarm whose member is gone rings in vain.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::types::Time;

/// Whom an alarm is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Alarm {
    /// A member, or who was given a member id, has been silent for long.
    Member(Arc<str>, Arc<str>),
    /// A rebalance has taken long.
    Rebalance(Arc<str>),
}

/// All alarms.
#[derive(Default, Hash, Debug)]
pub(super) struct Alarms(BTreeSet<(Time, Alarm)>);

impl Alarms {
    /// Rings then.
    pub fn set(&mut self, at: Time, alarm: Alarm) {
        self.0.insert((at, alarm));
    }

    /// Whoever is to be rung for now.
    pub fn ring(&mut self, now: Time) -> Option<Alarm> {
        let is_due = self.0.first().is_some_and(|(at, _)| *at <= now);
        is_due.then(|| self.0.pop_first())?.map(|(_, alarm)| alarm)
    }

    /// The next one.
    pub fn deadline(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }
}

//! Leader and follower, and what each remembers.
//!
//! ```text
//!            leader named: I                    leader named: another, or none
//!   Waiting ────────────────▶ Leader(epoch) ◀──────────────────▶ Follower(epoch)
//! ```
//!
//! Each role carries exactly the memory that means something in it, and forgets it when the role ends. What followers told a leader in one
//! epoch does not count in the next one, even if the leader is the same: between the two epochs they may have truncated.

use std::collections::BTreeMap;

use crate::mutant::Taint;
use crate::types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionEpoch, Time};

use super::isr::Isr;

/// What a replica is at present.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// It has not heard the controller's word since the process started.
    Waiting,
    /// It leads.
    Leader(Leader),
    /// It follows, or there is no leader at present.
    Follower(Follower),
}

/// What a leader remembers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Leader {
    /// Its leader epoch.
    pub epoch: LeaderEpoch,
    /// The state of the partition that it knows; changes build upon it.
    pub partition_epoch: PartitionEpoch,
    /// Log end at the election: everything from here on was written by this leader (LESO).
    pub epoch_start: Offset,
    /// Assigned replicas, preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The in-sync replicas, as committed or as proposed.
    pub isr: Isr,
    /// Elected from outside the ISR: it says so in a proposal of its own before the ISR may grow.
    pub recovering: bool,
    /// What the other replicas told it in this epoch.
    pub followers: BTreeMap<BrokerId, Progress>,
}

/// What a leader knows of one follower.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Progress {
    /// Everything below is in its log; `None` until it has fetched in this epoch.
    pub log_end: Option<Offset>,
    /// Where its log starts; `None` until it has fetched in this epoch.
    pub log_start: Option<Offset>,
    /// The broker epoch under which it fetched.
    pub broker_epoch: BrokerEpoch,
    /// When it last had everything that the leader had.
    pub caught_up_at: Option<Time>,
    /// When it last fetched, and where the leader's log ended then.
    pub last_fetch: Option<(Time, Offset)>,
}

/// What a follower remembers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Follower {
    /// The leader epoch.
    pub epoch: LeaderEpoch,
    /// The newest state of the partition that it has heard of.
    pub partition_epoch: PartitionEpoch,
    /// Whom it follows; `None`: nobody leads at present.
    pub leader: Option<BrokerId>,
    /// Only with a planted bug: fetches in this epoch do not name the epoch of the last batch, so logs are not compared.
    pub unchecked: Taint,
}

impl Progress {
    /// A follower that has not fetched yet. A member of the ISR is given the benefit of the doubt: its time begins to run now.
    #[must_use]
    pub fn unknown(in_isr: bool, now: Time) -> Progress {
        Progress {
            log_end: None,
            log_start: None,
            broker_epoch: BrokerEpoch::NONE,
            caught_up_at: in_isr.then_some(now),
            last_fetch: None,
        }
    }

    /// Takes in a fetch from `offset` at a moment when the leader's log ends at `leader_end`.
    ///
    /// A follower under constant load never quite reaches the log end. It counts as caught up as of its previous fetch if it has now
    /// everything that the leader had then.
    pub fn on_fetch(&mut self, now: Time, offset: Offset, leader_end: Offset, broker_epoch: BrokerEpoch) {
        if offset >= leader_end {
            self.caught_up_at = self.caught_up_at.max(Some(now));
        } else if let Some((then, end_then)) = self.last_fetch
            && offset >= end_then
        {
            self.caught_up_at = self.caught_up_at.max(Some(then));
        }
        self.log_end = Some(offset);
        self.broker_epoch = broker_epoch;
        self.last_fetch = Some((now, leader_end));
    }
}

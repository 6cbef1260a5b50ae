//! The controller's word makes the role.
//!
//! Every state of a partition has a partition epoch; an older one than known is a late messenger and is ignored. Equal is normal: the answer to
//! an AlterPartition often arrives before the metadata record that it created.
//!
//! Becoming leader does three things at once: the epoch is entered into the epoch history *now*, not with the first record (KAFKA-7415: a leader
//! that writes nothing must still be able to say where the epochs before it ended), the present log end becomes the epoch start, and everything
//! that followers said in former epochs is forgotten.

use std::collections::BTreeMap;

use crate::actor::{Now, Outbox};
use crate::disk::Disk;
use crate::fact::{Fact, TruncationReason};
use crate::mutant::{Mutant, Taint};
use crate::types::{BrokerId, LeaderEpoch, PartitionEpoch};

use super::role::{Follower, Leader, Progress, Role};
use super::{Isr, Members, Replica};

/// The state of a partition according to the metadata log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Registration {
    /// Assigned replicas, preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// In-sync replicas.
    pub isr: Vec<BrokerId>,
    /// The leader, if there is one.
    pub leader: Option<BrokerId>,
    /// Leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// Partition epoch.
    pub partition_epoch: PartitionEpoch,
    /// The leader was elected from outside the ISR and has not yet said that it is ready.
    pub recovering: bool,
}

impl Replica {
    /// Takes in a state of the partition.
    pub fn on_registration(
        &mut self,
        now: Now,
        registration: &Registration,
        members: &Members,
        disk: &mut dyn Disk,
        out: &mut Outbox,
    ) {
        if self.failed.is_some() || registration.partition_epoch < self.partition_epoch() {
            return;
        }
        // No controller of ours lets the leader epoch fall; one that does is not obeyed.
        if registration.leader_epoch < self.leader_epoch() {
            return;
        }
        let same_epoch = registration.leader_epoch == self.leader_epoch();
        if !same_epoch && let Err(rot) = self.log.judge_epochs(registration.leader_epoch) {
            self.note_log_error(&rot, disk, out);
            return;
        }
        match (&mut self.role, registration.leader == Some(self.broker)) {
            (Role::Leader(_), true) if same_epoch => self.go_on_leading(registration, out),
            (_, true) => self.become_leader(now, registration, out),
            (Role::Follower(follower), false) if same_epoch => {
                follower.partition_epoch = registration.partition_epoch;
                return;
            }
            (_, false) => self.become_follower(registration, disk, out),
        }
        self.advance_high_watermark(now, members, out);
    }

    fn go_on_leading(&mut self, registration: &Registration, out: &mut Outbox) {
        if let Role::Leader(leader) = &mut self.role
            && registration.partition_epoch > leader.partition_epoch
        {
            leader.partition_epoch = registration.partition_epoch;
            leader.replicas.clone_from(&registration.replicas);
            self.changes.role = true;
            self.learn_isr(&registration.isr, registration.recovering, out);
        }
    }

    fn become_leader(&mut self, now: Now, registration: &Registration, out: &mut Outbox) {
        let others = registration.replicas.iter().filter(|&&replica| replica != self.broker);
        let followers: BTreeMap<_, _> =
            others.map(|&other| (other, Progress::unknown(registration.isr.contains(&other), now.mono))).collect();
        let epoch_start = self.log.log_end();
        if self.mutant(Mutant::NoEpochEntryAtElection) {
            out.fact(Mutant::NoEpochEntryAtElection.acted());
        } else {
            self.log.begin_epoch(registration.leader_epoch);
        }
        self.role = Role::Leader(Leader {
            epoch: registration.leader_epoch,
            partition_epoch: registration.partition_epoch,
            epoch_start,
            replicas: registration.replicas.clone(),
            isr: Isr::committed(&registration.isr),
            recovering: registration.recovering,
            followers,
        });
        self.changes.role = true;
        out.fact(Fact::BecameLeader {
            partition: self.partition,
            leader_epoch: registration.leader_epoch,
            partition_epoch: registration.partition_epoch,
            epoch_start,
            high_watermark: self.high_watermark,
            isr: sorted(&registration.isr),
        });
        self.propose_recovered(out);
    }

    fn become_follower(&mut self, registration: &Registration, disk: &mut dyn Disk, out: &mut Outbox) {
        let new_leader = registration.leader_epoch > self.leader_epoch();
        self.role = Role::Follower(Follower {
            epoch: registration.leader_epoch,
            partition_epoch: registration.partition_epoch,
            leader: registration.leader,
            unchecked: Taint::default(),
        });
        self.changes.role = true;
        out.fact(Fact::BecameFollower {
            partition: self.partition,
            leader_epoch: registration.leader_epoch,
            leader: registration.leader,
            log_end: self.log.log_end(),
            high_watermark: self.high_watermark,
        });
        if self.mutant(Mutant::HwTruncation)
            && new_leader
            && registration.leader.is_some()
            && self.high_watermark < self.log.log_end()
        {
            out.fact(Mutant::HwTruncation.acted());
            self.truncate(self.high_watermark, TruncationReason::ToHighWatermark, disk, out);
        }
    }
}

/// A set of brokers as facts name it.
pub(super) fn sorted(brokers: &[BrokerId]) -> Vec<BrokerId> {
    let mut brokers = brokers.to_vec();
    brokers.sort_unstable();
    brokers
}

//! What members believe to own.
//!
//! A belief may be wrong, with a member that was fenced and has not heard of it; it ends when the member says so, or with its process.

use std::collections::BTreeSet;
use std::sync::Arc;

use brokerlab::fact::GroupFact;
use brokerlab::types::{Offset, TopicPartition};

use super::change::GroupChange;
use super::course::Session;
use crate::check::ghost::Ghost;
use crate::check::setup::Reset;

/// What the consumer on one node believes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Belief {
    /// Its node.
    pub node: usize,
    /// As which member.
    pub member: Arc<str>,
    /// In which generation, or member epoch.
    pub generation: i32,
    /// What it owns.
    pub partitions: BTreeSet<TopicPartition>,
}

impl Ghost {
    /// A member speaks.
    pub(super) fn apply_belief<'e>(&mut self, node: usize, group: usize, fact: &'e GroupFact) -> Option<GroupChange<'e>> {
        #[allow(clippy::wildcard_enum_match_arm, reason = "everything else is a coordinator's")]
        match fact {
            GroupFact::PartitionsAssigned { member, generation, partitions, .. } => {
                self.note_owned(node, group, member, *generation, partitions);
                let (member, generation) = (member.clone(), *generation);
                Some(GroupChange::Assigned { group, node, member, generation, partitions })
            }
            GroupFact::PartitionsRevoked { partitions, .. } | GroupFact::PartitionsLost { partitions, .. } => {
                let now = self.now;
                let group = &mut self.groups.all[group];
                for belief in group.beliefs.iter_mut().filter(|belief| belief.node == node) {
                    belief.partitions.retain(|known| !partitions.contains(known));
                }
                for partition in partitions {
                    if let Some(course) = group.courses.get_mut(partition) {
                        course.end_sessions(node, now);
                    }
                }
                None
            }
            GroupFact::PositionTaken { member, generation, partition, committed, .. } => {
                let kept_from = self.named(partition).map_or(Offset::ZERO, |partition| self.partitions[partition].kept_from);
                let event = self.now;
                let earliest = self.groups.all[group].habits.as_ref().is_some_and(|habits| habits.reset == Reset::Earliest);
                let course = self.groups.all[group].courses.entry(partition.clone()).or_default();
                course.base = course.base.or(*committed).or(earliest.then_some(kept_from));
                let asked = course.asked_by(node).unwrap_or(event);
                let (member, generation, committed) = (member.clone(), *generation, *committed);
                course.begin(Session::new(node, member.clone(), generation, committed, kept_from, asked), event);
                Some(GroupChange::Positioned { group, node, member, partition, committed, asked })
            }
            _ => None,
        }
    }

    fn note_owned(&mut self, node: usize, group: usize, member: &Arc<str>, generation: i32, partitions: &[TopicPartition]) {
        let beliefs = &mut self.groups.all[group].beliefs;
        let at = beliefs.iter().position(|belief| belief.node == node).unwrap_or_else(|| {
            beliefs.push(Belief { node, member: member.clone(), generation, partitions: BTreeSet::new() });
            beliefs.len() - 1
        });
        let belief = &mut beliefs[at];
        (belief.member, belief.generation) = (member.clone(), generation);
        belief.partitions.extend(partitions.iter().cloned());
    }
}

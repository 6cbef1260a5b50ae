//! What coordinators answer: promises, and signs of life.

use std::sync::Arc;

use brokerlab::types::{Duration, Time};
use brokerlab_reports::group::GroupTap;

use super::change::GroupChange;
use super::{Contact, Lived, RecordPlace};
use crate::check::ghost::Ghost;

/// The group is in a rebalance; who heart-beats is told so, and is alive.
const REBALANCE_IN_PROGRESS: i16 = 27;
/// Who commits is not, or no longer, what it says: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, FENCED_MEMBER_EPOCH,
/// STALE_MEMBER_EPOCH.
const OF_THE_PAST: [i16; 5] = [22, 25, 82, 110, 113];

impl Ghost {
    /// Takes in an answer.
    pub(in crate::check) fn apply_group_tap<'e>(&mut self, node: usize, tap: &'e GroupTap) -> Option<GroupChange<'e>> {
        let (group, event) = (self.groups.enter(tap.group()), self.now);
        if self.groups.all[group].shard.is_none() {
            self.groups.all[group].shard = self.shard_of(tap.group());
        }
        match tap {
            GroupTap::CommitAnswered { member, generation, partition, offset, error, asker, request, .. } => {
                self.contact(group, member, usize::from(asker.0));
                self.tally.refused_commits += u64::from(OF_THE_PAST.contains(error));
                if *error != 0 {
                    return None;
                }
                let register = self.groups.all[group].registers.entry(partition.clone()).or_default();
                let place = register.acknowledge((node, member, *generation), *offset, (*request, event));
                Some(GroupChange::CommitAnswered { group, node, member: member.clone(), partition, offset: *offset, place })
            }
            GroupTap::OffsetTold { partition, offset, error, asker, request, .. } => {
                if *error != 0 {
                    return None;
                }
                let course = self.groups.all[group].courses.entry(partition.clone()).or_default();
                course.note_told(usize::from(asker.0), *request);
                Some(GroupChange::OffsetTold { group, node, partition, offset: *offset, request: *request })
            }
            GroupTap::JoinAnswered { member, instance, generation, session, rebalance, error, asker, .. } => {
                let contact = self.contact(group, member, usize::from(asker.0));
                (contact.session, contact.rebalance) = (*session, *rebalance);
                contact.instance.clone_from(instance);
                let known = self.groups.all[group].term(node).and_then(|term| term.members.get(member)?.succeeded);
                let (_, place) = known.filter(|(since, _)| *error == 0 && since == generation)?;
                Some(GroupChange::PlaceTold { group, node, member: member.clone(), place })
            }
            GroupTap::SyncAnswered { member, generation, error, asker, .. } => {
                self.contact(group, member, usize::from(asker.0));
                if *error != 0 {
                    return None;
                }
                let decided = self.groups.all[group].term(node).and_then(|term| term.decided);
                let place = decided.filter(|(decided, _)| decided == generation).map(|(_, place)| place);
                Some(self.live_by(group, node, member, *generation, place))
            }
            GroupTap::HeartbeatAnswered { member, error, asker, .. } => {
                let now = self.time;
                let contact = self.contact(group, member, usize::from(asker.0));
                if ![0, REBALANCE_IN_PROGRESS].contains(error) {
                    return None;
                }
                contact.heard = Some((node, now));
                Some(GroupChange::Heard { group, node })
            }
            GroupTap::LeaveAnswered { .. } => None,
            GroupTap::EpochAnswered { member, epoch, error, asker, .. } => {
                let now = self.time;
                self.contact(group, member, usize::from(asker.0)).heard = Some((node, now));
                if *error != 0 || *epoch <= 0 {
                    return None;
                }
                let known = self.groups.all[group].term(node).and_then(|term| term.members.get(member)?.reconciled.as_ref());
                let place = known.filter(|known| known.epoch == *epoch).map(|known| known.place);
                Some(self.live_by(group, node, member, *epoch, place))
            }
        }
    }

    fn live_by<'e>(
        &mut self,
        group: usize,
        node: usize,
        member: &Arc<str>,
        generation: i32,
        place: Option<RecordPlace>,
    ) -> GroupChange<'e> {
        let lived = &mut self.groups.all[group].lived;
        if lived.is_none_or(|lived| lived.generation < generation) {
            *lived = Some(Lived { generation, event: self.now });
        }
        GroupChange::GenerationTold { group, node, member: member.clone(), generation, place }
    }

    /// The coordinator has answered a member.
    fn contact(&mut self, group: usize, member: &Arc<str>, node: usize) -> &mut Contact {
        let answered = (self.now, self.time);
        let contact = self.groups.all[group].contacts.entry(member.clone()).or_insert_with(|| Contact {
            node,
            instance: None,
            session: Duration::ZERO,
            rebalance: Duration::ZERO,
            heard: None,
            answered: (self.now, Time::ZERO),
        });
        (contact.node, contact.answered) = (node, answered);
        contact
    }
}

//! What coordinators state: members, generations, assignments, commits.

use std::sync::Arc;

use brokerlab::fact::GroupFact;
use brokerlab::fact::group::{GroupProtocol, GroupState, LoadedGroup};
use brokerlab::types::{LeaderEpoch, Offset, PartitionId, TopicPartition};

use super::change::GroupChange;
use super::shard::{holds, is_below_end};
use super::terms::{Member, Reconciled, Term};
use super::{Group, Note, RecordPlace, Stored};
use crate::check::chain::Chain;
use crate::check::ghost::Ghost;

/// Records of one register that are remembered beyond the newest acknowledged one: a loss may take many.
const WRITTEN_MAX: usize = 4096;

impl Ghost {
    /// Takes in what a coordinator or a member states.
    pub(in crate::check) fn apply_group_fact<'e>(&mut self, node: usize, fact: &'e GroupFact) -> Option<GroupChange<'e>> {
        if let GroupFact::CoordinatorLoaded { shard, leader_epoch, log_end, groups } = fact {
            return Some(self.load_shard(node, *shard, *leader_epoch, *log_end, groups));
        }
        if let GroupFact::CoordinatorUnloaded { shard, leader_epoch } = fact {
            let shard = self.intern(*shard);
            let at_work = |group: &&Group| group.shard == Some(shard) && group.is_rebalanced_by(node);
            self.tally.interrupted_rebalances += self.groups.all.iter().filter(at_work).count() as u64;
            let of_shard = self.groups.all.iter_mut().filter(|group| group.shard == Some(shard));
            of_shard.for_each(|group| group.terms.retain(|term| term.node != node || term.epoch > *leader_epoch));
            return None;
        }
        let group = self.groups.enter(fact.group()?);
        if self.groups.all[group].shard.is_none() {
            self.groups.all[group].shard = self.shard_of(fact.group()?);
        }
        match fact {
            GroupFact::CommitStored { .. } | GroupFact::CommitRemoved { .. } => self.apply_commit(node, group, fact),
            GroupFact::MemberJoined { .. }
            | GroupFact::MemberRemoved { .. }
            | GroupFact::GroupStateChanged { .. }
            | GroupFact::GenerationBegun { .. }
            | GroupFact::AssignmentDecided { .. }
            | GroupFact::MemberReconciled { .. } => self.apply_decision_of_group(node, group, fact),
            GroupFact::ProtocolChanged { protocol, generation, .. } => {
                self.change_protocol(node, group, *protocol, *generation);
                None
            }
            GroupFact::PartitionsAssigned { .. }
            | GroupFact::PartitionsRevoked { .. }
            | GroupFact::PartitionsLost { .. }
            | GroupFact::PositionTaken { .. } => self.apply_belief(node, group, fact),
            GroupFact::MemberFenced { .. } | GroupFact::CoordinatorLoaded { .. } | GroupFact::CoordinatorUnloaded { .. } => None,
        }
    }

    /// A coordinator begins: all that it says of the groups of this shard from now on is its own word.
    fn load_shard<'e>(
        &mut self,
        node: usize,
        shard: PartitionId,
        epoch: LeaderEpoch,
        log_end: Offset,
        groups: &'e [LoadedGroup],
    ) -> GroupChange<'e> {
        let (shard, now) = (self.intern(shard), self.time);
        let log = self.partitions[shard].shadows[node].log.clone();
        for loaded in groups {
            let group = self.groups.enter(&loaded.group);
            self.groups.all[group].shard = Some(shard);
        }
        for group in self.groups.all.iter_mut().filter(|group| group.shard == Some(shard)) {
            let loaded = groups.iter().find(|loaded| loaded.group == group.id);
            let term = loaded
                .map_or_else(|| Term::new(node, epoch, now), |loaded| group.revive(loaded, &log, Term::new(node, epoch, now)));
            group.begin_term(term);
        }
        GroupChange::Loaded { shard, node, epoch, log_end, groups }
    }

    /// The word of that node, which begins here if it was not loaded.
    fn term_of(&mut self, group: usize, node: usize) -> &mut Term {
        let epoch = self.epoch_at_shard(self.groups.all[group].shard, node);
        let known = &mut self.groups.all[group];
        let at = known.terms.iter().position(|term| term.node == node).unwrap_or_else(|| {
            known.begin_term(Term::new(node, epoch, self.time));
            known.terms.len() - 1
        });
        &mut known.terms[at]
    }

    /// The group speaks another protocol. Its generations go on: what has begun before stays begun.
    fn change_protocol(&mut self, node: usize, group: usize, protocol: GroupProtocol, generation: i32) {
        let place = self.end_of_shard(self.groups.all[group].shard, node);
        let term = self.term_of(group, node);
        term.modern = protocol == GroupProtocol::Consumer;
        (term.assignment, term.decided) = (Vec::new(), None);
        let known = &mut self.groups.all[group];
        known.notes.push(Note { place, generation, members: Vec::new(), assignment: Vec::new(), certain: true });
        known.protocols.push((place, protocol));
    }

    fn apply_decision_of_group<'e>(&mut self, node: usize, group: usize, fact: &'e GroupFact) -> Option<GroupChange<'e>> {
        let (now, place) = (self.time, self.end_of_shard(self.groups.all[group].shard, node));
        if let GroupFact::MemberJoined { member, instance: Some(instance), .. } = fact {
            self.groups.all[group].instances.insert(member.clone(), instance.clone());
        }
        let term = self.term_of(group, node);
        if let GroupFact::MemberJoined { member, instance, .. } = fact {
            let same = |(id, known): &(&Arc<str>, &Member)| *id != member && instance.is_some() && known.instance == *instance;
            let rival = term.members.iter().find(same).map(|(id, _)| id.clone());
            let succeeded = (instance.is_some() && term.state == GroupState::Stable).then_some((term.generation, place));
            term.admit(member, Member { instance: instance.clone(), since: now, reconciled: None, succeeded });
            if instance.is_some() && term.state == GroupState::Stable {
                let (generation, members) = (term.generation, term.members.keys().cloned().collect());
                let assignment = term.assignment.clone();
                self.groups.all[group].notes.push(Note { place, generation, members, assignment, certain: false });
            }
            self.groups.all[group].note_members(node, place);
            return Some(GroupChange::Joined { group, node, member: member.clone(), instance: instance.clone(), rival });
        }
        if let GroupFact::MemberRemoved { member, reason, .. } = fact {
            let was = term.remove(member, *reason);
            self.groups.all[group].note_members(node, place);
            return Some(GroupChange::Removed { group, node, member: member.clone(), reason: *reason, was });
        }
        if let GroupFact::GroupStateChanged { state, generation, .. } = fact {
            let before = term.generation;
            (term.state, term.generation, term.since) = (*state, *generation, now);
            if *state == GroupState::Dead {
                // A group of that name begins anew.
                (term.generation, term.begun) = (-1, -1);
            }
            term.modern |= matches!(state, GroupState::Assigning | GroupState::Reconciling);
            if matches!(state, GroupState::Empty | GroupState::Dead) {
                // The record of it may not have been written: then the old one stands.
                self.groups.all[group].note_end(place, *generation, *state);
            }
            return Some(GroupChange::Entered { group, node, state: *state, generation: *generation, before });
        }
        if let GroupFact::GenerationBegun { generation, members, .. } = fact {
            let before = std::mem::replace(&mut term.begun, *generation);
            term.generation = *generation;
            if term.modern {
                let (generation, members, assignment) = (*generation, members.clone(), Vec::new());
                self.groups.all[group].notes.push(Note { place, generation, members, assignment, certain: true });
            }
            return Some(GroupChange::Begun { group, node, generation: *generation, before });
        }
        if let GroupFact::MemberReconciled { member, epoch, assigned, revoking, .. } = fact {
            term.modern = true;
            let (epoch, assigned, revoking) = (*epoch, assigned.clone(), revoking.clone());
            let known = term.members.get_mut(member)?;
            let reconciled = Reconciled { epoch, assigned, revoking, place };
            known.reconciled = Some(reconciled.clone());
            self.groups.all[group].reconciled.push((member.clone(), reconciled));
            return None;
        }
        let GroupFact::AssignmentDecided { generation, assignment, subscribed, .. } = fact else { return None };
        term.assignment.clone_from(assignment);
        term.decided = Some((*generation, place));
        let known = &mut self.groups.all[group];
        if !subscribed.is_empty() {
            known.subscribed.clone_from(subscribed);
        }
        let members = assignment.iter().map(|(member, _)| member.clone()).collect();
        let note = Note { place, generation: *generation, members, assignment: assignment.clone(), certain: true };
        known.notes.push(note);
        Some(GroupChange::Decided { group, node, generation: *generation, assignment, subscribed })
    }

    fn apply_commit<'e>(&mut self, node: usize, group: usize, fact: &'e GroupFact) -> Option<GroupChange<'e>> {
        let (event, request, sent) = (self.now, self.cause, self.sent());
        if let GroupFact::CommitRemoved { partition, .. } = fact {
            let place = self.end_of_shard(self.groups.all[group].shard, node);
            let (value, member, generation, acknowledged) = (None, Arc::from(""), -1, None);
            let stored = Stored { value, place, node, member, generation, event, request, follows: None, acknowledged };
            self.write(group, partition, stored);
            return None;
        }
        let GroupFact::CommitStored { member, generation, partition, offset, at, .. } = fact else { return None };
        let shard = self.groups.all[group].shard;
        let before = shard.and_then(|shard| {
            let known = self.groups.all[group].registers.get(partition)?;
            known.fold(&self.partitions[shard].shadows[node].log)?.value
        });
        let place = RecordPlace { at: *at, epoch: self.epoch_at_shard(shard, node) };
        let (value, member, generation) = (Some(*offset), member.clone(), *generation);
        let follows = self.named_once(partition).and_then(|read| self.partitions[read].epoch_before(*offset));
        let (acknowledged, member_id) = (None, member.clone());
        let stored = Stored { value, place, node, member: member_id, generation, event, request, follows, acknowledged };
        self.write(group, partition, stored);
        Some(GroupChange::Stored { group, node, member, generation, partition, offset: *offset, before, sent })
    }

    fn write(&mut self, group: usize, partition: &TopicPartition, stored: Stored) {
        let register = self.groups.all[group].registers.entry(partition.clone()).or_default();
        register.written.push(stored);
        if register.written.len() > 2 * WRITTEN_MAX {
            let floor = register.acknowledged().map(|floor| floor.place);
            register.is_pruned = true;
            let mut surplus = WRITTEN_MAX;
            register.written.retain(|stored| {
                let old = surplus > 0 && floor.is_some_and(|floor| stored.place < floor);
                surplus -= usize::from(old);
                !old
            });
        }
    }
}

impl Group {
    /// A term that begins with what was found in the log.
    fn revive(&self, loaded: &LoadedGroup, log: &Chain, term: Term) -> Term {
        let last = self.protocols.iter().rfind(|(place, _)| is_below_end(log, *place));
        let modern = last.is_some_and(|(_, protocol)| *protocol == GroupProtocol::Consumer);
        let reconciled = |id: &Arc<str>| {
            let of_member = self.reconciled.iter().rfind(|(known, reconciled)| known == id && holds(log, reconciled.place));
            of_member.filter(|_| modern).map(|(_, reconciled)| reconciled.clone())
        };
        let member = |id: &Arc<str>| {
            let instance = self.instances.get(id).cloned();
            let member = Member { instance, since: term.since, reconciled: reconciled(id), succeeded: None };
            (id.clone(), member)
        };
        let says = |note: &&Note| note.generation == loaded.generation && note.members == loaded.members;
        let note = match modern {
            false => self.notes.iter().rfind(says),
            true => self.notes.iter().filter(|note| !note.assignment.is_empty() && holds(log, note.place)).rfind(says),
        };
        let state = if loaded.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        Term {
            state,
            generation: loaded.generation,
            begun: loaded.generation,
            members: loaded.members.iter().map(member).collect(),
            assignment: note.map(|note| note.assignment.clone()).unwrap_or_default(),
            decided: note.map(|note| (note.generation, note.place)),
            modern,
            ..term
        }
    }

    /// KIP-848: members come and go with a record of their own, and the group epoch rises with the next.
    fn note_members(&mut self, node: usize, place: RecordPlace) {
        let Some(term) = self.term(node).filter(|term| term.modern) else { return };
        let (generation, members, assignment) = (term.generation, term.members.keys().cloned().collect(), Vec::new());
        self.notes.push(Note { place, generation, members, assignment, certain: false });
    }

    fn note_end(&mut self, place: RecordPlace, generation: i32, state: GroupState) {
        let (members, assignment, certain) = (Vec::new(), Vec::new(), false);
        let generation = if state == GroupState::Dead { -1 } else { generation };
        self.notes.push(Note { place, generation, members, assignment, certain });
        if state == GroupState::Dead {
            self.lived = None;
        }
    }

    /// What a log may say of generation and members: the last certain record that it holds, and all later ones that may have been written.
    pub fn notes_in<'g>(&'g self, log: &'g Chain) -> impl Iterator<Item = &'g Note> {
        let held = |note: &&Note| holds(log, note.place);
        let floor = self.notes.iter().filter(|note| note.certain).filter(held).map(|note| note.place).max();
        self.notes
            .iter()
            .filter(move |note| floor.is_none_or(|floor| note.place >= floor) && (!note.certain || holds(log, note.place)))
    }
}

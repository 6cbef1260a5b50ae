//! What one coordinator says of a group while it speaks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use brokerlab::fact::group::{GroupState, RemovalReason};
use brokerlab::types::{LeaderEpoch, Time, TopicPartition};

use super::RecordPlace;

/// One coordinator's word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// Its node.
    pub node: usize,
    /// Leader epoch of the shard in which it speaks.
    pub epoch: LeaderEpoch,
    /// The state of the group.
    pub state: GroupState,
    /// Since when.
    pub since: Time,
    /// Generation, or group epoch.
    pub generation: i32,
    /// The generation that began last in this term, or with which it was loaded; -1 for none.
    pub begun: i32,
    /// Members by id.
    pub members: BTreeMap<Arc<str>, Member>,
    /// Who is to own what, as last decided in this term.
    pub assignment: Vec<(Arc<str>, Vec<TopicPartition>)>,
    /// The generation of that, and where its record stands.
    pub decided: Option<(i32, RecordPlace)>,
    /// The group speaks the protocol of KIP-848.
    pub modern: bool,
    /// A static member that has just made room for its next self: instance, and member id.
    pub(super) vacated: Option<(Arc<str>, Arc<str>)>,
}

/// One member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// `group.instance.id` of a static member.
    pub instance: Option<Arc<str>>,
    /// Since when this coordinator counts it in: a new one gives it a whole session.
    pub since: Time,
    /// KIP-848: how far it has come.
    pub reconciled: Option<Reconciled>,
    /// It took the place of its former self while the group was stable: in which generation, and where the record of that stands.
    pub succeeded: Option<(i32, RecordPlace)>,
}

/// KIP-848: how far a member has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reconciled {
    /// Member epoch.
    pub epoch: i32,
    /// What it may own.
    pub assigned: Vec<TopicPartition>,
    /// What it still has to give up.
    pub revoking: Vec<TopicPartition>,
    /// Where the record of it stands.
    pub place: RecordPlace,
}

impl Term {
    /// A coordinator that knows nothing of the group.
    pub(super) fn new(node: usize, epoch: LeaderEpoch, now: Time) -> Term {
        Term {
            node,
            epoch,
            state: GroupState::Empty,
            since: now,
            generation: -1,
            begun: -1,
            members: BTreeMap::new(),
            assignment: Vec::new(),
            decided: None,
            modern: false,
            vacated: None,
        }
    }

    /// A member is counted out; gives what was known of it.
    pub(super) fn remove(&mut self, id: &Arc<str>, reason: RemovalReason) -> Option<Member> {
        let was = self.members.remove(id)?;
        let instance = was.instance.clone().filter(|_| reason == RemovalReason::Replaced);
        self.vacated = instance.map(|instance| (instance, id.clone()));
        Some(was)
    }

    /// A member is counted in. What was assigned to the former self of a static one is its own.
    pub(super) fn admit(&mut self, id: &Arc<str>, member: Member) {
        let former = self.vacated.take().filter(|(instance, _)| member.instance.as_ref() == Some(instance));
        if let Some((_, former)) = former {
            self.assignment.iter_mut().filter(|(known, _)| *known == former).for_each(|(known, _)| *known = id.clone());
            self.assignment.sort();
        }
        self.members.insert(id.clone(), member);
    }

    /// What a member is to own.
    #[must_use]
    pub fn target(&self, member: &str) -> Option<&[TopicPartition]> {
        self.assignment.iter().find(|(known, _)| **known == *member).map(|(_, partitions)| partitions.as_slice())
    }
}

//! What one coordinator says of a group while it speaks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use brokerlab::fact::group::GroupState;
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
    /// A static member that is gone, and whose successor is named next: what was its own is the successor's (KIP-345).
    pub(super) replaced: Option<Arc<str>>,
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
            replaced: None,
        }
    }

    /// A member is counted in. If it is a static one that comes back, it takes the place of its former self.
    pub(super) fn count_in(&mut self, id: &Arc<str>, member: Member) {
        if let Some(former) = self.replaced.take().filter(|_| member.instance.is_some()) {
            self.assignment.iter_mut().filter(|(known, _)| *known == former).for_each(|(known, _)| known.clone_from(id));
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

//! From what is stored to a group that lives, and back.

use std::sync::Arc;

use bytes::Bytes;

use crate::group::alarms::Alarm;
use crate::group::groups::Group;
use crate::group::shard::Work;
use crate::group::stored::{Stored, StoredMember};
use crate::types::{Offset, Time, Timestamp};

use super::{Classic, Member, Phase};

impl Classic {
    /// The record of the group says so; it ends at `end`.
    pub fn store(&mut self, stored: Option<Stored>, end: Offset) {
        self.stored = stored;
        self.stored_end = end;
    }

    /// The group as it is to be stored, with these assignments.
    pub(super) fn to_store(&self, now: Timestamp, assignment: impl Fn(&Arc<str>) -> Bytes) -> Stored {
        let member = |(id, member): (&Arc<str>, &Member)| {
            let protocol = self.protocol.as_deref().unwrap_or_default();
            let stored = StoredMember {
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                host: member.host.clone(),
                session: member.session,
                rebalance: member.rebalance,
                subscription: member.metadata_for(protocol).cloned().unwrap_or_default(),
                assignment: assignment(id),
            };
            (id.clone(), stored)
        };
        Stored {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            since: Some(self.since.unwrap_or(now)),
            members: self.members.iter().map(member).collect(),
        }
    }

    fn restore(&mut self, stored: &Stored, now: Time) {
        let protocol = stored.protocol.clone().unwrap_or_default();
        self.protocol_type = Some(stored.protocol_type.clone()).filter(|name| !name.is_empty());
        (self.generation, self.protocol, self.leader) = (stored.generation, stored.protocol.clone(), stored.leader.clone());
        self.since = stored.since;
        for (id, member) in &stored.members {
            if let Some(instance) = &member.instance {
                self.instances.insert(instance.clone(), id.clone());
            }
            self.members.insert(id.clone(), revived(member, &protocol, now));
        }
        self.phase = if self.members.is_empty() { Phase::Empty } else { Phase::Stable { until: now } };
    }

    /// Whether the living group is what the log says; asked of stable ones.
    #[cfg(test)]
    pub fn is_as_stored(&self) -> bool {
        let assignment = |id: &Arc<str>| self.members[id].assignment.clone();
        self.stored.as_ref() == Some(&self.to_store(Timestamp(0), assignment)).filter(|_| self.since.is_some())
    }
}

fn revived(member: &StoredMember, protocol: &Arc<str>, now: Time) -> Member {
    let expires = now.plus(member.session);
    Member {
        instance: member.instance.clone(),
        client_id: member.client_id.clone(),
        host: member.host.clone(),
        session: member.session,
        rebalance: member.rebalance,
        protocols: vec![(protocol.clone(), member.subscription.clone())],
        assignment: member.assignment.clone(),
        is_new: false,
        expires,
        alarm: expires,
        join: None,
        sync: None,
        has_synced: true,
    }
}

impl Group {
    /// Begins to live after it was loaded: every member has a whole session before it, because nobody knows when it was heard last.
    pub(in crate::group) fn revive(&mut self, work: &mut Work<'_, '_>) {
        let Some(stored) = self.classic.stored.clone() else { return };
        self.classic.restore(&stored, work.now());
        for (id, member) in &self.classic.members {
            work.desk.alarms.set(member.alarm, Alarm::Member(self.id.clone(), id.clone()));
        }
        // The bound may be lower than it was.
        if self.classic.members.len() > work.desk.config.members_max {
            self.prepare_rebalance(work);
        }
    }
}

//! What we own comes to be what we were told: first what goes, then what comes.
//!
//! Only while the application polls, because only then what it was handed counts as processed. Topics are told by id. What an id stands for, metadata
//! say; a topic that was deleted and created again has another one, so what we own of the former goes, whatever its name.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::client::group::{Desk, Membership, Phase};
use crate::types::{TopicId, TopicPartition};

impl Membership {
    /// The application polls: one who is not in the group joins.
    pub(in crate::client::group) fn enter(&mut self, desk: &Desk<'_>) {
        let is_wanted = desk.is_polling && self.is_subscribed() && self.lost.is_none();
        if is_wanted && matches!(self.phase, Phase::Out) {
            self.phase = Phase::Entering;
        }
    }

    /// The application gives up what we may own no longer, then gets what is new.
    pub(in crate::client::group) fn reconcile(&mut self, desk: &mut Desk<'_>) {
        if !desk.is_polling || self.lost.is_some() {
            return;
        }
        self.begin_to_give_up(desk);
        if let Phase::GivingUp { gone, until } = &self.phase {
            let (gone, until) = (gone.clone(), *until);
            if self.awaits_commits(until, desk) {
                return;
            }
            self.end_commits_of(&gone, desk);
            self.revoke(gone, desk);
            self.phase = Phase::In;
        }
        if matches!(self.phase, Phase::In) {
            self.take_what_is_new(desk);
        }
    }

    fn begin_to_give_up(&mut self, desk: &mut Desk<'_>) {
        if !matches!(self.phase, Phase::In) {
            return;
        }
        let gone: BTreeSet<TopicPartition> = self.owned.partitions.iter().filter(|one| !self.may_own(one)).cloned().collect();
        if gone.is_empty() {
            return;
        }
        desk.places.suspend(&gone);
        self.commit_before_they_go(|partition| gone.contains(partition), desk);
        self.phase = Phase::GivingUp { gone, until: desk.now.plus(self.patience()) };
    }

    fn may_own(&self, partition: &TopicPartition) -> bool {
        let assigned = self.talk.ids.get(&partition.topic).and_then(|id| self.talk.assigned.get(id));
        assigned.is_some_and(|indices| indices.contains(&partition.index))
    }

    fn take_what_is_new(&mut self, desk: &mut Desk<'_>) {
        let mut assigned = self.owned.partitions.clone();
        for (id, indices) in &self.talk.assigned {
            match self.name_of(*id, desk) {
                Some(topic) => {
                    assigned.extend(indices.iter().map(|index| TopicPartition { topic: Arc::clone(&topic), index: *index }));
                    self.talk.ids.insert(topic, *id);
                }
                // A topic that is younger than our metadata, or gone again: they will tell.
                None => desk.cluster.miss(),
            }
        }
        if assigned.len() > self.owned.partitions.len() {
            self.take(assigned, desk);
        }
    }

    /// The name of a topic that we subscribe to.
    fn name_of(&self, id: TopicId, desk: &Desk<'_>) -> Option<Arc<str>> {
        let metadata = desk.cluster.metadata();
        let is_it = |name: &&Arc<str>| metadata.topic(name).is_some_and(|topic| topic.id == id && topic.error == 0);
        self.topics.iter().find(is_it).cloned()
    }
}

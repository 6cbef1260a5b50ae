//! How far a group has come in one partition: what was processed, and in which sessions.
//!
//! A *session* is one consumer's work on one partition, from where it took its position to when it gave the partition up, lost it or died.

use std::sync::Arc;

use brokerlab::types::{Offset, TopicPartition};
use brokerlab_reports::event::EventId;

use super::change::GroupChange;
use super::spans::Spans;
use crate::check::ghost::Ghost;

/// One partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Course {
    /// What was processed.
    pub done: Spans,
    /// Where the group began to read: everything from here on is owed to it. `None` until that is known: with `auto.offset.reset=latest`
    /// only the first record shows it.
    pub base: Option<Offset>,
    /// Sessions, oldest first.
    pub sessions: Vec<Session>,
    /// Who asked for the committed offset, and at which event that request was delivered: the last one of each node.
    told: Vec<(usize, EventId)>,
}

/// One consumer's work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// Its node.
    pub node: usize,
    /// As which member.
    pub member: Arc<str>,
    /// In which generation.
    pub generation: i32,
    /// The committed offset from which it went on.
    pub committed: Option<Offset>,
    /// What retention had taken when it began.
    pub kept_from: Offset,
    /// When it asked for that offset.
    pub asked: EventId,
    /// What it processed itself.
    pub done: Spans,
    /// When it processed first and last.
    pub worked: Option<(EventId, EventId)>,
    /// The last that it was told of the partition's end: where it goes on, if it was sent there.
    pub told_end: Option<Offset>,
    /// When it gave the partition up, lost it, or died.
    pub ended: Option<EventId>,
}

impl Session {
    pub(super) fn new(
        node: usize,
        member: Arc<str>,
        generation: i32,
        committed: Option<Offset>,
        kept_from: Offset,
        asked: EventId,
    ) -> Session {
        let done = Spans::default();
        Session { node, member, generation, committed, kept_from, asked, done, worked: None, told_end: None, ended: None }
    }
}

impl Course {
    /// A consumer begins.
    pub(super) fn begin(&mut self, session: Session, event: EventId) {
        self.end_sessions(session.node, event);
        self.sessions.push(session);
    }

    /// A consumer ends.
    pub(super) fn end_sessions(&mut self, node: usize, event: EventId) {
        let open = self.sessions.iter_mut().filter(|session| session.node == node && session.ended.is_none());
        open.for_each(|session| session.ended = Some(event));
    }

    /// A consumer was told what is committed.
    pub(super) fn note_told(&mut self, node: usize, asked: EventId) {
        self.told.retain(|(known, _)| *known != node);
        self.told.push((node, asked));
    }

    /// When a consumer asked for what it was last told.
    pub(super) fn asked_by(&self, node: usize) -> Option<EventId> {
        self.told.iter().find(|(known, _)| *known == node).map(|(_, asked)| *asked)
    }

    /// A consumer was told where the partition ends.
    pub(super) fn note_end(&mut self, node: usize, end: Offset) {
        if let Some(session) = self.sessions.iter_mut().rfind(|session| session.node == node && session.ended.is_none()) {
            session.told_end = Some(end);
        }
    }

    /// The last session of a node.
    #[must_use]
    pub fn session_of(&self, node: usize) -> Option<&Session> {
        self.sessions.iter().rfind(|session| session.node == node)
    }
}

impl Ghost {
    /// A leader has told somebody where a partition ends.
    pub(in crate::check) fn note_listed_end(&mut self, node: usize, partition: usize, end: Offset) {
        let Some(topic) = self.partitions[partition].topic else { return };
        let name = TopicPartition { topic: self.topics[topic].name.as_str().into(), index: self.partitions[partition].id.index };
        for course in self.groups.all.iter_mut().filter_map(|group| group.courses.get_mut(&name)) {
            course.note_end(node, end);
        }
    }

    /// An application has processed records. The group is the one for which its consumer took a position there.
    pub(in crate::check) fn apply_processed<'e>(
        &mut self,
        node: usize,
        partition: &'e TopicPartition,
        from: Offset,
        to: Offset,
    ) -> Option<GroupChange<'e>> {
        let event = self.now;
        let reads = |course: &Course| course.sessions.iter().any(|session| session.node == node);
        let group = self.groups.all.iter().position(|group| group.courses.get(partition).is_some_and(reads))?;
        let course = self.groups.all[group].courses.get_mut(partition)?;
        let known = course.done.first_known(from, to);
        self.tally.redelivered += course.done.count(from, to);
        course.done.add(from, to);
        course.base.get_or_insert(from);
        let at = course.sessions.iter().rposition(|session| session.node == node)?;
        let session = &mut course.sessions[at];
        let repeated = session.done.first_known(from, to);
        let first = session.worked.is_none();
        session.done.add(from, to);
        session.worked = Some((session.worked.map_or(event, |(first, _)| first), event));
        Some(GroupChange::Processed { group, node, partition, from, session: at, first, known, repeated })
    }
}

//! The coordinators on this broker: which shards there are, and who waits for their answers.
//!
//! ```text
//!   request ─▶ which partition of __consumer_offsets? ─▶ shard ─▶ effects ──▶ answers, now or later, by token
//!                     │ led elsewhere: NOT_COORDINATOR     │  ▲
//!                     └ no such topic:  the same           │  └ high watermark, time, topics deleted
//!                                                          └ journal: the replica of that partition
//! ```
//!
//! A shard decides everything about its groups ([`crate::group`]); the broker knows which replica stands behind it, lets it hear of the high
//! watermark at the end of each step that has moved it, and takes its answers to those who asked. An answer whose asker has gone goes nowhere.
//!
//! A broker that leads no partition of that topic has no shards and does nothing here.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::fact::Fact;
use crate::group::{Asker, Effects, GroupRequest, Journal, Shard, Token, Topics, Turn, shard_of};
use crate::replica::{Members, Replica};
use crate::types::{ConnectionId, Offset, PartitionId, Time, TopicId};
use crate::wire::record::BatchBuilder;
use crate::wire::{DeleteGroupsResponse, ErrorCode, GroupRecord, Response};

use super::BrokerActor;
use super::group_requests::Outline;
use super::reply::{Caller, Step};

/// Who waits for an answer, and what is still to be made of it.
#[derive(Debug)]
pub(super) enum Waits {
    /// As it comes.
    Answer(Caller),
    /// Together with what the broker said itself of partitions that are not there.
    Outlined(Caller, Outline),
    /// Together with the answers of other shards.
    Part(Caller),
}

impl Waits {
    fn caller(&self) -> Caller {
        match self {
            Waits::Answer(caller) | Waits::Outlined(caller, _) | Waits::Part(caller) => *caller,
        }
    }
}

/// The shards, and who waits.
#[derive(Default, Debug)]
pub(super) struct Groups {
    pub(super) shards: BTreeMap<PartitionId, Shard>,
    /// The topic of the coordinators' state, if it was created.
    pub(super) topic: Option<TopicId>,
    /// Topics of the cluster, kept while there are shards.
    pub(super) topics: Topics,
    /// When each shard wants to be woken, and by that.
    alarm_of: BTreeMap<PartitionId, Time>,
    alarms: BTreeSet<(Time, PartitionId)>,
    /// Shards whose log is not read to its end so far.
    pub(super) loading: BTreeSet<PartitionId>,
    next_token: u64,
    waiting: BTreeMap<Token, Waits>,
    by_connection: BTreeSet<(ConnectionId, Token)>,
    /// DeleteGroups of which some shards have not answered.
    collected: BTreeMap<ConnectionId, (usize, DeleteGroupsResponse)>,
}

impl Groups {
    /// The number of a request from now on.
    pub fn token(&mut self, waits: Waits) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.by_connection.insert((waits.caller().connection, token));
        self.waiting.insert(token, waits);
        token
    }

    fn take(&mut self, token: Token) -> Option<Waits> {
        let waits = self.waiting.remove(&token)?;
        self.by_connection.remove(&(waits.caller().connection, token));
        Some(waits)
    }

    /// Collects so many answers for this connection.
    pub fn collect(&mut self, connection: ConnectionId, parts: usize) {
        self.collected.insert(connection, (parts, DeleteGroupsResponse::default()));
    }

    /// Nobody waits there any more.
    pub fn forget(&mut self, connection: ConnectionId) {
        let range = (connection, Token(0))..=(connection, Token(u64::MAX));
        let tokens: Vec<Token> = self.by_connection.range(range).map(|(_, token)| *token).collect();
        for token in tokens {
            self.take(token);
        }
        self.collected.remove(&connection);
    }

    /// Notes when a shard wants to be woken.
    pub fn note_alarm(&mut self, partition: PartitionId) {
        let due = self.shards.get(&partition).and_then(Shard::deadline);
        let before = self.alarm_of.get(&partition).copied();
        if due == before {
            return;
        }
        if let Some(before) = before {
            self.alarms.remove(&(before, partition));
        }
        match due {
            Some(due) => drop((self.alarm_of.insert(partition, due), self.alarms.insert((due, partition)))),
            None => drop(self.alarm_of.remove(&partition)),
        }
    }

    /// The shards whose time has come.
    pub fn due(&self, now: Time) -> Vec<PartitionId> {
        self.alarms.iter().take_while(|(due, _)| *due <= now).map(|(_, partition)| *partition).collect()
    }

    /// When there is something to do: at once, while a log is being read.
    pub fn deadline(&self) -> Option<Time> {
        match self.loading.is_empty() {
            true => self.alarms.first().map(|(due, _)| *due),
            false => Some(Time::ZERO),
        }
    }

    /// The end of the process's part in the cluster.
    pub fn clear(&mut self) {
        *self = Groups::default();
    }
}

impl Hash for Groups {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.shards, self.topic, &self.topics, &self.loading, self.next_token, &self.by_connection).hash(state);
    }
}

/// Appends to the replica behind a shard.
struct ReplicaJournal<'a, 'b> {
    replica: &'a mut Replica,
    members: &'a Members,
    step: &'a mut Step<'b>,
    has_appended: bool,
}

impl Journal for ReplicaJournal<'_, '_> {
    fn append(&mut self, records: &[GroupRecord]) -> Result<Offset, ErrorCode> {
        let mut batch = BatchBuilder::new();
        for record in records {
            let (key, value) = record.encode().map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
            batch.push(self.step.now.wall, Some(&key), value.as_deref(), &[]);
        }
        let Step { now, disk, out } = &mut *self.step;
        let promise = self.replica.append(*now, batch.build(), -1, self.members, *disk, out)?;
        self.has_appended = true;
        Ok(promise.end)
    }
}

impl BrokerActor {
    /// The partition whose leader coordinates this group.
    pub(super) fn partition_of_group(&self, group: &str) -> Option<PartitionId> {
        let topic = self.view.image().topic(self.groups.topic?)?;
        let count = i32::try_from(topic.partitions.len()).ok().filter(|count| *count > 0)?;
        Some(PartitionId { topic: topic.id, index: shard_of(group, count) })
    }

    /// The shard that coordinates this group.
    ///
    /// # Errors
    /// NOT_COORDINATOR, if it is another broker's.
    pub(super) fn shard_of_group(&self, group: &str) -> Result<PartitionId, ErrorCode> {
        let partition = self.partition_of_group(group).filter(|partition| self.groups.shards.contains_key(partition));
        partition.ok_or(ErrorCode::NOT_COORDINATOR)
    }

    /// Hands a request to its shard.
    pub(super) fn ask_shard(
        &mut self,
        partition: PartitionId,
        waits: Waits,
        client_id: Option<String>,
        request: GroupRequest,
        step: &mut Step<'_>,
    ) {
        let caller = waits.caller();
        let host = self.clients.get(&caller.connection).cloned().unwrap_or_default();
        let asker = Asker { client_id: Arc::from(client_id.unwrap_or_default()), host, version: caller.version };
        let token = self.groups.token(waits);
        self.with_shard(partition, step, |shard, turn| shard.on_request(token, &asker, request, turn));
    }

    /// A step of a shard, and what follows from it.
    pub(super) fn with_shard(
        &mut self,
        partition: PartitionId,
        step: &mut Step<'_>,
        act: impl FnOnce(&mut Shard, &mut Turn<'_>),
    ) {
        let Some(shard) = self.groups.shards.get_mut(&partition) else { return };
        let Some((replica, members)) = self.partitions.touch_quietly(partition) else { return };
        let mut effects = Effects::default();
        let now = step.now;
        let mut journal = ReplicaJournal { replica, members, step, has_appended: false };
        act(shard, &mut Turn { now, topics: &self.groups.topics, journal: &mut journal, effects: &mut effects });
        if journal.has_appended {
            // It is looked at when the step ends: followers are to be told, the high watermark may have moved.
            self.partitions.touch(partition);
        }
        self.groups.note_alarm(partition);
        self.carry_out(effects, step);
    }

    /// States what a shard states, answers what it answers.
    pub(super) fn carry_out(&mut self, effects: Effects, step: &mut Step<'_>) {
        effects.facts.into_iter().for_each(|fact| step.out.fact(Fact::Group(fact)));
        if let Some(mutant) = self.config.mutants.planted().filter(|_| effects.acted.is_set()) {
            step.out.fact(mutant.acted());
        }
        for (token, response) in effects.answers {
            match self.groups.take(token) {
                Some(Waits::Answer(caller)) => caller.answer(response, step.out),
                Some(Waits::Outlined(caller, outline)) => caller.answer(outline.filled(response), step.out),
                Some(Waits::Part(caller)) => self.collect_part(caller, response, step),
                None => {}
            }
        }
    }

    /// One more of the answers that make up a DeleteGroups.
    pub(super) fn collect_part(&mut self, caller: Caller, response: impl Into<Response>, step: &mut Step<'_>) {
        let Response::DeleteGroups(part) = response.into() else { unreachable!("only DeleteGroups comes in parts") };
        let Some((missing, whole)) = self.groups.collected.get_mut(&caller.connection) else { return };
        whole.results.extend(part.results);
        *missing -= 1;
        if *missing == 0
            && let Some((_, whole)) = self.groups.collected.remove(&caller.connection)
        {
            caller.answer(whole, step.out);
        }
    }
}

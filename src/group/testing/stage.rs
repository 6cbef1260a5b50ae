//! What scripts play on: one shard, a log in memory, clients by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::actor::Now;
use crate::fact::GroupFact;
use crate::group::{Asker, Effects, GroupConfig, GroupRequest, Journal, Shard, Token, TopicShape, Topics, Turn};
use crate::types::{Duration, LeaderEpoch, Offset, PartitionId, Time, Timestamp, Uuid};
use crate::wire::consumer_group_heartbeat_response::Assignment;
use crate::wire::record::BatchBuilder;
use crate::wire::{ErrorCode, GroupRecord, Response};

/// Length of what makes a member id unique: a dash and 36 digits and dashes.
const UNIQUE: usize = 37;

/// The log of the partition.
#[derive(Default)]
pub(super) struct Log {
    pub batches: Vec<(Offset, Bytes)>,
    pub records: Vec<(Offset, GroupRecord)>,
    pub end: Offset,
    pub refusal: Option<ErrorCode>,
}

impl Journal for Log {
    fn append(&mut self, records: &[GroupRecord]) -> Result<Offset, ErrorCode> {
        if let Some(error) = self.refusal {
            return Err(error);
        }
        let mut batch = BatchBuilder::new().at(self.end, LeaderEpoch(0));
        for (delta, record) in records.iter().enumerate() {
            let (key, value) = record.encode().expect("what a shard writes can be written");
            batch.push(Timestamp(1), Some(&key), value.as_deref(), &[]);
            self.records.push((self.end.plus(delta as i64), record.clone()));
        }
        self.batches.push((self.end, batch.build()));
        self.end = self.end.plus(records.len() as i64);
        Ok(self.end)
    }
}

impl Log {
    /// Batches from here on, as many as a small read would give.
    pub fn read(&self, from: Offset) -> Bytes {
        let found = self.batches.iter().rfind(|(base, _)| *base <= from);
        let (base, bytes) = found.expect("a log that has an end has a batch");
        assert!(*base <= from, "{from} is not in the log");
        bytes.clone()
    }

    /// A new leader has less.
    pub fn truncate(&mut self, end: Offset) {
        self.batches.retain(|(base, _)| *base < end);
        self.records.retain(|(at, _)| *at < end);
        self.end = self.end.min(end);
    }
}

/// What was asked, to say whom an answer is for.
pub(super) struct Asked {
    pub who: String,
    pub what: &'static str,
}

pub(super) struct Stage {
    pub now: Time,
    pub config: GroupConfig,
    pub log: Log,
    pub shard: Option<Shard>,
    pub epoch: LeaderEpoch,
    pub topics: Topics,
    /// The high watermark follows the log end by itself.
    pub follows: bool,
    pub high_watermark: Offset,
    pub asked: BTreeMap<Token, Asked>,
    next_token: u64,
    /// Member ids as scripts call them, in both directions.
    names: BTreeMap<Arc<str>, String>,
    pub ids: BTreeMap<String, Arc<str>>,
    /// What each client believes: its member id and generation.
    pub member_ids: BTreeMap<String, String>,
    pub generations: BTreeMap<String, i32>,
    /// What each client was told to own by the newer protocol.
    pub owned: BTreeMap<String, Assignment>,
    pub tell_facts: bool,
    pub told: String,
}

impl Default for Stage {
    fn default() -> Stage {
        Stage {
            now: Time(1),
            config: GroupConfig::default(),
            log: Log::default(),
            shard: None,
            epoch: LeaderEpoch(0),
            topics: Topics::default(),
            follows: true,
            high_watermark: Offset::ZERO,
            asked: BTreeMap::new(),
            next_token: 0,
            names: BTreeMap::new(),
            ids: BTreeMap::new(),
            member_ids: BTreeMap::new(),
            generations: BTreeMap::new(),
            owned: BTreeMap::new(),
            tell_facts: false,
            told: String::new(),
        }
    }
}

impl Stage {
    pub fn moment(&self) -> Now {
        Now { mono: self.now, wall: Timestamp(1_000_000 + self.now.0 as i64 / 1_000_000) }
    }

    /// A step of the shard, and all that follows from it.
    pub fn step(&mut self, act: impl FnOnce(&mut Shard, &mut Turn<'_>)) {
        let Some(mut shard) = self.shard.take() else { return };
        let mut effects = Effects::default();
        let now = self.moment();
        let mut turn = Turn { now, topics: &self.topics, journal: &mut self.log, effects: &mut effects };
        act(&mut shard, &mut turn);
        shard.on_high_watermark(self.high_watermark, &mut turn);
        if self.follows && self.log.end > self.high_watermark {
            self.high_watermark = self.log.end;
            let mut turn = Turn { now, topics: &self.topics, journal: &mut self.log, effects: &mut effects };
            shard.on_high_watermark(self.high_watermark, &mut turn);
        }
        shard.check();
        self.shard = Some(shard);
        self.tell(effects);
    }

    pub fn ask(&mut self, who: &str, what: &'static str, version: i16, request: GroupRequest) {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.asked.insert(token, Asked { who: who.to_owned(), what });
        let asker = Asker { client_id: Arc::from(who), host: Arc::from("/10.0.0.1"), version };
        self.step(|shard, turn| shard.on_request(token, &asker, request, turn));
    }

    fn tell(&mut self, effects: Effects) {
        if effects.acted.is_set() {
            self.told.push_str("  the planted bug acts\n");
        }
        if self.tell_facts {
            for fact in effects.facts {
                let line = self.fact(&fact);
                self.told.push_str(&line);
            }
        }
        for (token, response) in effects.answers {
            let asked = self.asked.remove(&token).expect("each request is answered once");
            self.note(&asked, &response);
            let line = self.answer(&asked, &response);
            self.told.push_str(&line);
        }
    }

    /// A client learns its member id and generation.
    fn note(&mut self, asked: &Asked, response: &Response) {
        if let Response::ConsumerGroupHeartbeat(told) = response
            && told.error_code == 0
        {
            self.generations.insert(asked.who.clone(), told.member_epoch);
            if let Some(assignment) = &told.assignment {
                self.owned.insert(asked.who.clone(), assignment.clone());
            }
        }
        let Response::JoinGroup(joined) = response else { return };
        self.name(&joined.member_id);
        match ErrorCode(joined.error_code) {
            ErrorCode::NONE => {
                self.member_ids.insert(asked.who.clone(), joined.member_id.clone());
                self.generations.insert(asked.who.clone(), joined.generation_id);
            }
            ErrorCode::MEMBER_ID_REQUIRED => drop(self.member_ids.insert(asked.who.clone(), joined.member_id.clone())),
            ErrorCode::UNKNOWN_MEMBER_ID => drop(self.member_ids.remove(&asked.who)),
            _ => {}
        }
    }

    /// How scripts call a member id: what it begins with, and which of those it is.
    pub fn name(&mut self, id: &str) -> String {
        if let Some(name) = self.names.get(id) {
            return name.clone();
        }
        let Some(first) = id.len().checked_sub(UNIQUE).and_then(|end| id.get(..end)) else { return id.to_owned() };
        let count = self.names.values().filter(|name| name.split('.').next() == Some(first)).count() + 1;
        let name = format!("{first}.{count}");
        self.names.insert(Arc::from(id), name.clone());
        self.ids.insert(name.clone(), Arc::from(id));
        name
    }

    /// Time passes, alarm by alarm.
    pub fn wait(&mut self, span: Duration) {
        let end = self.now.plus(span);
        while let Some(due) = self.shard.as_ref().and_then(Shard::deadline).filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.step(|shard, turn| shard.on_time(turn));
        }
        self.now = end;
        self.step(|shard, turn| shard.on_time(turn));
    }

    /// Another broker leads, which has the log up to `end`.
    pub fn fail_over(&mut self, end: Option<Offset>) {
        if let Some(shard) = self.shard.take() {
            let mut effects = Effects::default();
            shard.resign(&mut effects);
            self.tell(effects);
        }
        if let Some(end) = end {
            self.log.truncate(end);
        }
        self.high_watermark = self.high_watermark.min(self.log.end);
        self.epoch = self.epoch.next();
        let partition = PartitionId { topic: Uuid(50), index: 7 };
        let bounds = (Offset::ZERO, self.log.end);
        self.shard = Some(Shard::new(partition, self.epoch, bounds, self.config.clone(), 42));
        self.step(|_, _| ());
    }

    /// The next piece of the log is read.
    pub fn load(&mut self) -> bool {
        let Some((from, _)) = self.shard.as_ref().and_then(Shard::wants) else { return false };
        let bytes = self.log.read(from);
        self.step(|shard, turn| shard.load(&bytes, turn).expect("what was written can be read"));
        true
    }

    pub fn set_topic(&mut self, name: &str, partitions: i32) {
        let id = Uuid(name.bytes().fold(7, |id, byte| id * 31 + u128::from(byte)));
        self.topics.insert(Arc::from(name), TopicShape { id, partitions });
    }

    pub fn drop_topics(&mut self, names: &[String]) {
        let names: BTreeSet<Arc<str>> = names.iter().map(|name| Arc::from(name.as_str())).collect();
        self.step(|shard, turn| shard.on_topics_deleted(&names, turn));
    }

    fn fact(&mut self, fact: &GroupFact) -> String {
        let text = format!("  fact {fact:?}\n");
        self.renamed(&text)
    }

    /// A text with member ids as scripts call them.
    pub fn renamed(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (id, name) in &self.names {
            text = text.replace(&**id, name);
        }
        text
    }
}

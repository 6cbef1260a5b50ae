//! The laboratory's admin: creates the topics of the scenario, one after the other, until each exists. Later it passes on what faults
//! ask of the cluster (elections, deletion of records); how that ends is in the recording and does not concern it, but for one thing: a topic
//! that it was asked to delete it creates again.
//!
//! ```text
//!   delete ──▶ deleted, or it was not there ──▶ create ──▶ created, or it is there already ──▶ done
//!     └─◀─ any other failure ─┘                   └─◀─ any other failure ─┘
//! ```

use std::sync::Arc;

use brokerlab::operation::{Operation, Outcome};
use brokerlab::types::{Duration, Time};

use super::Wish;
use crate::scenario::model::Topic;

/// Wait after a failure.
const RETRY: Duration = Duration::millis(100);
/// Kafka's TOPIC_ALREADY_EXISTS: an earlier try, whose answer was lost, has succeeded.
const TOPIC_ALREADY_EXISTS: i16 = 36;
/// Kafka's UNKNOWN_TOPIC_OR_PARTITION: there is nothing to delete.
const UNKNOWN_TOPIC: i16 = 3;

/// Creates topics.
#[derive(Debug)]
pub struct TopicCreator {
    topics: Vec<Topic>,
    created: usize,
    renewal: Option<Renewal>,
}

/// A topic that is deleted and created again.
#[derive(Debug)]
struct Renewal {
    topic: Topic,
    deleted: bool,
}

impl TopicCreator {
    /// Will create these.
    #[must_use]
    pub fn new(topics: &[Topic]) -> TopicCreator {
        TopicCreator { topics: topics.to_vec(), created: 0, renewal: None }
    }

    /// Will delete a topic and create it again; this is the first step. `None` if there is no such topic, or it is busy with another.
    pub fn renew(&mut self, name: &str) -> Option<Operation> {
        let topic = self.topics.iter().find(|topic| topic.name == name)?.clone();
        if self.renewal.is_some() || self.created < self.topics.len() {
            return None;
        }
        let first = delete(&topic);
        self.renewal = Some(Renewal { topic, deleted: false });
        Some(first)
    }

    pub(super) fn on_start(&mut self, now: Time) -> Wish {
        // The brokers get a moment to register, which saves a refusal.
        Wish::at(now.plus(RETRY))
    }

    pub(super) fn on_time(&mut self) -> Wish {
        if let Some(Renewal { topic, deleted }) = &self.renewal {
            return Wish::now(if *deleted { create(topic) } else { delete(topic) });
        }
        self.topics.get(self.created).map_or_else(Wish::nothing, |topic| Wish::now(create(topic)))
    }

    pub(super) fn on_outcome(&mut self, outcome: &Outcome, now: Time) -> Wish {
        if self.created == self.topics.len() {
            return self.go_on_renewing(outcome, now);
        }
        match outcome {
            Outcome::Failed { code, .. } if *code != TOPIC_ALREADY_EXISTS => Wish::at(now.plus(RETRY)),
            Outcome::Failed { .. }
            | Outcome::TopicCreated { .. }
            | Outcome::Produced { .. }
            | Outcome::Assigned
            | Outcome::Subscribed
            | Outcome::Unsubscribed
            | Outcome::Committed { .. }
            | Outcome::Polled { .. }
            | Outcome::Offset { .. }
            | Outcome::TopicDeleted
            | Outcome::RecordsDeleted { .. }
            | Outcome::LeadersElected { .. }
            | Outcome::TopicDescribed { .. }
            | Outcome::Stopped => {
                self.created += 1;
                self.on_time()
            }
        }
    }
}

impl TopicCreator {
    /// Outcomes of other requests come here too. A failure of one of them makes it ask once too often, which does no harm: whatever is deleted
    /// is created again.
    fn go_on_renewing(&mut self, outcome: &Outcome, now: Time) -> Wish {
        let Some(renewal) = &mut self.renewal else { return Wish::nothing() };
        match outcome {
            Outcome::TopicDeleted => renewal.deleted = true,
            Outcome::Failed { code: UNKNOWN_TOPIC, .. } if !renewal.deleted => renewal.deleted = true,
            Outcome::Failed { code: TOPIC_ALREADY_EXISTS, .. } | Outcome::TopicCreated { .. } if renewal.deleted => {
                self.renewal = None;
                return Wish::nothing();
            }
            Outcome::Failed { .. } => return Wish::at(now.plus(RETRY)),
            Outcome::TopicCreated { .. }
            | Outcome::Produced { .. }
            | Outcome::Assigned
            | Outcome::Subscribed
            | Outcome::Unsubscribed
            | Outcome::Committed { .. }
            | Outcome::Polled { .. }
            | Outcome::Offset { .. }
            | Outcome::RecordsDeleted { .. }
            | Outcome::LeadersElected { .. }
            | Outcome::TopicDescribed { .. }
            | Outcome::Stopped => return Wish::nothing(),
        }
        self.on_time()
    }
}

fn delete(topic: &Topic) -> Operation {
    Operation::DeleteTopic { name: Arc::from(topic.name.as_str()) }
}

fn create(topic: &Topic) -> Operation {
    Operation::CreateTopic {
        name: Arc::from(topic.name.as_str()),
        partitions: i32::try_from(topic.partitions).unwrap_or(i32::MAX),
        replicas: i16::try_from(topic.replicas).unwrap_or(i16::MAX),
        config: topic.config.clone(),
    }
}

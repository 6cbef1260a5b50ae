//! The laboratory's admin: creates the topics of the scenario, one after the other, until each exists. Later it passes on what faults
//! ask of the cluster (elections, deletion of records); how that ends is in the recording and does not concern it.

use std::sync::Arc;

use brokerlab::operation::{Operation, Outcome};
use brokerlab::types::{Duration, Time};

use super::Wish;
use crate::scenario::model::Topic;

/// Wait after a failure.
const RETRY: Duration = Duration::millis(100);
/// Kafka's TOPIC_ALREADY_EXISTS: an earlier try, whose answer was lost, has succeeded.
const TOPIC_ALREADY_EXISTS: i16 = 36;

/// Creates topics.
#[derive(Debug)]
pub struct TopicCreator {
    topics: Vec<Topic>,
    created: usize,
}

impl TopicCreator {
    /// Will create these.
    #[must_use]
    pub fn new(topics: &[Topic]) -> TopicCreator {
        TopicCreator { topics: topics.to_vec(), created: 0 }
    }

    pub(super) fn on_start(&mut self, now: Time) -> Wish {
        // The brokers get a moment to register, which saves a refusal.
        Wish::at(now.plus(RETRY))
    }

    pub(super) fn on_time(&mut self) -> Wish {
        self.topics.get(self.created).map_or_else(Wish::nothing, |topic| Wish::now(create(topic)))
    }

    pub(super) fn on_outcome(&mut self, outcome: &Outcome, now: Time) -> Wish {
        if self.created == self.topics.len() {
            return Wish::nothing();
        }
        match outcome {
            Outcome::Failed { code, .. } if *code != TOPIC_ALREADY_EXISTS => Wish::at(now.plus(RETRY)),
            Outcome::Failed { .. }
            | Outcome::TopicCreated { .. }
            | Outcome::Produced { .. }
            | Outcome::Assigned
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

fn create(topic: &Topic) -> Operation {
    Operation::CreateTopic {
        name: Arc::from(topic.name.as_str()),
        partitions: i32::try_from(topic.partitions).unwrap_or(i32::MAX),
        replicas: i16::try_from(topic.replicas).unwrap_or(i16::MAX),
        config: topic.config.clone(),
    }
}

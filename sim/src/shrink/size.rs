//! How large a run is, in the terms of those who have to read it.

use brokerlab::types::Duration;
use serde_json::{Value, json};

use super::weather::count_settings;
use crate::cli::Outcome;
use crate::scenario::Scenario;

/// The size of a plan and its run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Faults.
    pub faults: usize,
    /// What applications asked for until faults ended: writes, polls, commits.
    pub operations: u64,
    /// Brokers.
    pub brokers: u32,
    /// Partitions of all topics.
    pub partitions: u32,
    /// Producers, consumers, members of groups.
    pub clients: u32,
    /// Kafka's properties that are set.
    pub settings: usize,
    /// Length of the fault phase.
    pub duration: Duration,
    /// Frames delivered.
    pub frames: u64,
}

impl Size {
    /// The size of a plan and of what it brought.
    #[must_use]
    pub fn of(plan: &Scenario, outcome: &Outcome) -> Size {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let members: u32 = plan.groups.iter().map(|group| group.members + group.spare).sum();
        Size {
            faults: plan.faults.len(),
            operations: outcome.operations,
            brokers: plan.cluster.brokers,
            partitions: plan.topics.iter().map(|topic| topic.partitions).sum(),
            clients: count(plan.producers.len()) + count(plan.consumers.len()) + members,
            settings: count_settings(plan),
            duration: plan.duration,
            frames: outcome.frames,
        }
    }

    /// One object.
    #[must_use]
    pub fn to_json(self) -> Value {
        json!({
            "faults": self.faults,
            "operations": self.operations,
            "brokers": self.brokers,
            "partitions": self.partitions,
            "clients": self.clients,
            "settings": self.settings,
            "duration_ms": self.duration.as_millis(),
            "frames": self.frames,
        })
    }

    /// In a sentence.
    #[must_use]
    pub fn text(self) -> String {
        format!(
            "{}, {}, {}, {}, {}",
            counted(self.faults as u64, "fault"),
            counted(self.operations, "client operation"),
            counted(u64::from(self.clients), "client"),
            counted(u64::from(self.brokers), "broker"),
            self.duration
        )
    }
}

fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

//! L9: the cluster is not stuck.
//!
//! Being slow and being stuck look alike from each single obligation. They differ in whether anything moves at all: a record appended or committed, a
//! decision, a registration, an operation that ends. If work is pending after healing and nothing of this has happened for `STILL`, nothing
//! will: the finding says so, with everything that waits and what it waits for.

use super::ghost::{Change, Kind};
use super::liveness::OBLIGATIONS;
use super::page::{Page, Weight};
use super::{Check, Scene, b14_unseen, l2_open_writes, l5_stable_groups, l6_lag, l10_life};
use brokerlab::operation::Outcome;
use brokerlab::types::{Duration, Time};

/// The id.
pub const ID: &str = "L9";
/// What must hold.
pub const CLAIM: &str = "after healing something moves as long as anything is pending";

/// Nothing moved for so long: longer than any retry or time-out between brokers.
const STILL: Duration = Duration::secs(15);

/// The check. Exercised where something was pending when faults ended.
#[derive(Default)]
pub struct Progress {
    moved: Time,
}

impl Check for Progress {
    fn watches(&self) -> &'static [Kind] {
        &[
            Kind::Appended,
            Kind::Advanced,
            Kind::Followed,
            Kind::Truncated,
            Kind::Began,
            Kind::Decided,
            Kind::Registered,
            Kind::Unfenced,
            Kind::Recovered,
            Kind::SettleBegan,
            Kind::Completed,
            Kind::Group,
        ]
    }

    fn look(&mut self, scene: &Scene<'_>, change: &Change<'_>, page: &mut Page) {
        if matches!(change, Change::SettleBegan) {
            page.looked(!pending(scene).is_empty());
        }
        if is_progress(change) {
            self.moved = scene.ghost.time;
        }
    }

    fn finish(&mut self, scene: &Scene<'_>, page: &mut Page) {
        let still = scene.ghost.time.since(self.moved);
        if !scene.settling || scene.at_rest || still < STILL {
            return;
        }
        page.found(scene.event, None, Weight::HANG, || {
            let pending = pending(scene);
            let pending =
                if pending.is_empty() { "the laboratory's consumer is not through".to_string() } else { pending.join("; ") };
            format!("nothing has moved for {} s, while {pending}", still.as_millis() / 1000)
        });
    }
}

fn is_progress(change: &Change<'_>) -> bool {
    match change {
        Change::Appended { .. }
        | Change::Advanced { .. }
        | Change::Followed { .. }
        | Change::Truncated { .. }
        | Change::Began { .. }
        | Change::Decided { .. }
        | Change::Registered { .. }
        | Change::Unfenced { .. }
        | Change::Recovered { .. }
        | Change::SettleBegan => true,
        Change::Completed { completion, .. } => match &completion.outcome {
            Outcome::Polled { records } => !records.is_empty(),
            Outcome::Produced { .. }
            | Outcome::Assigned
            | Outcome::Subscribed
            | Outcome::Unsubscribed
            | Outcome::Failed { .. }
            | Outcome::TopicCreated { .. }
            | Outcome::TopicDeleted
            | Outcome::RecordsDeleted { .. }
            | Outcome::LeadersElected { .. }
            | Outcome::TopicDescribed { .. }
            | Outcome::Stopped => true,
            // A member commits where it stands, also when it stands still.
            Outcome::Offset { .. } | Outcome::Committed { .. } => false,
        },
        Change::Group(change) => change.is_progress(),
        Change::StartMoved { .. }
        | Change::CompactionBegan { .. }
        | Change::Heard { .. }
        | Change::Damaged { .. }
        | Change::Learned { .. }
        | Change::Flushed { .. }
        | Change::Accepted { .. }
        | Change::Applied { .. }
        | Change::Listed { .. }
        | Change::Imaged { .. }
        | Change::Audited { .. }
        | Change::Answered(_)
        | Change::IsrAnswered(_)
        | Change::HeartbeatAnswered { .. }
        | Change::ProducerIdGiven { .. }
        | Change::Waited { .. }
        | Change::Exposed { .. }
        | Change::Invoked { .. }
        | Change::ClientGone { .. } => false,
    }
}

/// What waits for what, over all obligations.
fn pending(scene: &Scene<'_>) -> Vec<String> {
    let (ghost, clients) = (scene.ghost, scene.clients);
    let mut pending = Vec::new();
    for node in 0..ghost.nodes.len() {
        let open = clients.open_writes(node);
        pending.extend((open > 0).then(|| l2_open_writes::waits(scene.node(node), open)));
        pending.extend(l10_life::waits(ghost, node));
        pending.extend(l6_lag::lag(ghost, clients, node).map(|(partition, at)| l6_lag::waits(ghost, node, partition, at)));
    }
    pending.extend((0..ghost.groups.all.len()).filter_map(|group| l5_stable_groups::waits(ghost, group)));
    pending.extend((0..ghost.groups.all.len()).filter_map(|group| b14_unseen::waits(ghost, group)));
    for (partition, _) in ghost.living() {
        let unmet = OBLIGATIONS.iter().filter(|obligation| !(obligation.is_met)(ghost, partition));
        pending.extend(unmet.map(|obligation| (obligation.waits)(ghost, partition)));
    }
    pending
}

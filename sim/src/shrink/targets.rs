//! Whom faults strike, said in terms of what is left.
//!
//! A fault that strikes the leader of a partition that nobody writes to, or the coordinator of a group that has no other part in this, means the node that happens to
//! play that part. Said otherwise, the topic or the group may go.

use super::search::Search;
use crate::scenario::Scenario;
use crate::scenario::model::Target;

/// Names targets by parts that matter, else by their nodes; then numbers the faults.
pub fn rename(search: &mut Search<'_, '_>) -> bool {
    let mut is_plainer = false;
    for at in 0..targets(&mut search.best.clone()).len() {
        let target = targets(&mut search.best.clone())[at].clone();
        if !is_far_fetched(&search.best, &target) {
            continue;
        }
        let with = |other: Target| {
            let mut plan = search.best.clone();
            *targets(&mut plan)[at] = other;
            plan
        };
        let proposals: Vec<Scenario> = nearer(&search.best).into_iter().map(with).collect();
        is_plainer |= search.in_any_weather(&proposals);
    }
    is_plainer | number(search)
}

/// Whether the target is about a partition or a group of which nobody would speak without it.
fn is_far_fetched(plan: &Scenario, target: &Target) -> bool {
    let is_written = |topic: &str| plan.producers.iter().any(|one| one.topic == topic);
    match (target.group(), target.partition()) {
        (Some(_), _) => !matches!(target, Target::Member(_)),
        (None, Some((topic, _))) => !is_written(topic),
        (None, None) => false,
    }
}

/// Targets that people would think of first: parts that the written partitions have, then nodes.
fn nearer(plan: &Scenario) -> Vec<Target> {
    let mut topics: Vec<&String> = plan.producers.iter().map(|one| &one.topic).collect();
    topics.sort_unstable();
    topics.dedup();
    let leaders = topics.iter().map(|topic| Target::Leader((*topic).clone(), 0));
    let followers = topics.iter().map(|topic| Target::FollowerInIsr((*topic).clone(), 0));
    let brokers = (1..=plan.cluster.brokers).map(|number| Target::Node(format!("b{number}")));
    leaders.chain(followers).chain(brokers).collect()
}

fn targets(plan: &mut Scenario) -> Vec<&mut Target> {
    plan.faults.iter_mut().flat_map(|fault| fault.kind.targets_mut()).collect()
}

/// The first fault is f1. Chance is keyed by ids, so that takes a run, too.
fn number(search: &mut Search<'_, '_>) -> bool {
    let mut plan = search.best.clone();
    plan.faults.iter_mut().zip(1..).for_each(|(fault, number)| fault.id = format!("f{number}"));
    plan != search.best && search.in_any_weather(&[plan])
}

//! Which faults are needed, and how little of each does.

use brokerlab::types::Duration;

use super::search::Search;
use crate::scenario::Scenario;
use crate::scenario::model::{Fault, FaultKind};

/// What begins after the failure was seen has no part in it. `seen` is counted from the begin of the fault phase.
pub fn drop_later(search: &mut Search<'_, '_>, seen: Duration) -> bool {
    let until = |step: u64| Duration::millis((seen.as_millis() + 1).next_multiple_of(step)).min(search.best.duration);
    let proposals: Vec<Scenario> = [1000, 100, 1].map(|step| ending(&search.best, until(step))).into();
    let proposals: Vec<Scenario> = proposals.into_iter().filter(|one| *one != search.best).collect();
    search.as_is(&proposals)
}

/// The plan with an earlier end.
fn ending(plan: &Scenario, end: Duration) -> Scenario {
    let mut plan = Scenario { duration: end, ..plan.clone() };
    plan.faults.retain(|fault| fault.at <= end);
    plan.producers.iter_mut().for_each(|one| one.at.retain(|at| *at <= end));
    plan
}

/// Leaves away the faults that are not needed.
pub fn drop_unneeded(search: &mut Search<'_, '_>) -> bool {
    search.minimize(search.best.faults.len(), |plan, kept| {
        let faults = kept.iter().map(|at| plan.faults[*at].clone()).collect();
        Scenario { faults, ..plan.clone() }
    })
}

/// Makes each fault as plain as it can be: fewer times, both directions, everybody.
pub fn make_plain(search: &mut Search<'_, '_>) -> bool {
    let mut is_plainer = false;
    for at in 0..search.best.faults.len() {
        // Each of its aspects by itself, until none gets any plainer.
        while search.in_any_weather(&plainer_plans(&search.best, at)) {
            is_plainer = true;
        }
    }
    is_plainer
}

fn plainer_plans(plan: &Scenario, at: usize) -> Vec<Scenario> {
    let Some(fault) = plan.faults.get(at) else { return Vec::new() };
    let with = |kind: FaultKind| {
        let mut plan = plan.clone();
        plan.faults[at] = Fault { kind, ..fault.clone() };
        plan
    };
    plainer(&fault.kind).into_iter().filter(|kind| *kind != fault.kind).map(with).collect()
}

/// The same kind with one aspect less, or a plainer kind.
#[allow(clippy::wildcard_enum_match_arm, reason = "the others have nothing that could be left out")]
fn plainer(kind: &FaultKind) -> Vec<FaultKind> {
    match kind.clone() {
        FaultKind::CrashLoop { target, times, every } => {
            vec![FaultKind::Crash { target: target.clone() }, FaultKind::CrashLoop { target, times: times.min(2), every }]
        }
        FaultKind::IoError { target, operation, path, nth, times } => {
            let with =
                |path: &str, nth, times| FaultKind::IoError { target: target.clone(), operation, path: path.into(), nth, times };
            vec![with("", nth, times), with(&path, 1, times), with(&path, nth, 1)]
        }
        FaultKind::FailedSync { target, path, nth } => {
            let with = |path: &str, nth| FaultKind::FailedSync { target: target.clone(), path: path.into(), nth };
            vec![with("", nth), with(&path, 1)]
        }
        FaultKind::BitRot { target, .. } => vec![FaultKind::BitRot { target, flips: 1 }],
        FaultKind::Isolate { target, .. } => vec![FaultKind::Isolate { target, except_clients: false }],
        FaultKind::Cut { from, to, .. } => vec![FaultKind::Cut { from, to, one_way: false }],
        FaultKind::FlappingLink { from, to: Some(to), one_way, .. } => vec![FaultKind::Cut { from, to, one_way }],
        FaultKind::FlappingLink { from, to: None, .. } => vec![FaultKind::Isolate { target: from, except_clients: false }],
        FaultKind::CutClients { targets, .. } => vec![FaultKind::CutClients { targets, one_way: false }],
        FaultKind::Split { groups, one_way } => {
            let alone = groups.first().and_then(|group| group.first()).cloned();
            let isolated = alone.map(|target| FaultKind::Isolate { target, except_clients: true });
            let halves = FaultKind::Split { groups: groups.iter().take(1).cloned().collect(), one_way };
            isolated.into_iter().chain([halves, FaultKind::Split { groups, one_way: false }]).collect()
        }
        FaultKind::Frame { frames, fate } => {
            let mut fewer = Vec::new();
            for (nth, count) in [(1, 1), (frames.nth, 1), (1, frames.count)] {
                let mut frames = frames.clone();
                (frames.nth, frames.count) = (nth, count);
                fewer.push(FaultKind::Frame { frames, fate });
            }
            for (from, to) in [(None, None), (None, frames.to.clone()), (frames.from.clone(), None)] {
                let mut frames = frames.clone();
                (frames.from, frames.to) = (from, to);
                fewer.push(FaultKind::Frame { frames, fate });
            }
            fewer
        }
        FaultKind::StaleMetadata { target, by: Some(_) } => vec![FaultKind::StaleMetadata { target, by: None }],
        _ => Vec::new(),
    }
}

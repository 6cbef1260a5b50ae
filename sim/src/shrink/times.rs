//! When things happen: close together, for a short time, at moments that a person would have chosen.

use brokerlab::types::Duration;

use super::search::Search;
use crate::scenario::Scenario;
use crate::scenario::model::{Fate, FaultKind};

/// What may be left of a pause, or of the time after the last thing that happens.
const PAUSES: [Duration; 5] =
    [Duration::millis(100), Duration::millis(500), Duration::secs(1), Duration::secs(2), Duration::secs(5)];
/// What a group or a time-out may need after the last thing that happens.
const LONG_PAUSES: [Duration; 3] = [Duration::secs(10), Duration::secs(15), Duration::secs(20)];
/// Round figures, the roundest first.
const UNITS: [Duration; 6] = [
    Duration::secs(1),
    Duration::millis(500),
    Duration::millis(100),
    Duration::millis(50),
    Duration::millis(10),
    Duration::millis(1),
];

/// Makes the run shorter and its times rounder.
pub fn tighten(search: &mut Search<'_, '_>) -> bool {
    let mut is_tighter = end_sooner(search);
    is_tighter |= close_gaps(search);
    is_tighter |= shorten(search);
    is_tighter | round(search)
}

/// Lets the faults phase end soon after the last thing that happens in it.
fn end_sooner(search: &mut Search<'_, '_>) -> bool {
    let last = points(&mut search.best.clone()).into_iter().map(|point| *point).max().unwrap_or(Duration::ZERO);
    let ending = |pause: &Duration| Scenario { duration: Duration(last.0 + pause.0), ..search.best.clone() };
    let proposals: Vec<Scenario> =
        PAUSES.iter().chain(&LONG_PAUSES).map(ending).filter(|one| one.duration < search.best.duration).collect();
    !proposals.is_empty() && search.in_any_weather(&proposals)
}

/// Shortens the pauses in which nothing begins.
fn close_gaps(search: &mut Search<'_, '_>) -> bool {
    let (mut is_tighter, mut from) = (false, Duration::ZERO);
    loop {
        let next = points(&mut search.best.clone()).into_iter().map(|point| *point).filter(|point| *point > from).min();
        let Some(next) = next else { return is_tighter };
        let gap = next.0 - from.0;
        let sooner = |pause: &Duration| sooner(&search.best, next, Duration(gap - pause.0));
        let proposals: Vec<Scenario> = PAUSES.iter().filter(|pause| pause.0 < gap).map(sooner).collect();
        let is_first = from == Duration::ZERO;
        if if is_first { search.in_any_weather(&proposals) } else { search.as_is(&proposals) } {
            is_tighter = true;
            continue_from(&mut from, search);
        } else {
            from = next;
        }
    }
}

/// The first point behind this one has moved: goes on there.
fn continue_from(from: &mut Duration, search: &Search<'_, '_>) {
    let next = points(&mut search.best.clone()).into_iter().map(|point| *point).filter(|point| *point > *from).min();
    *from = next.unwrap_or(search.best.duration);
}

/// Everything from that moment on comes so much sooner.
fn sooner(plan: &Scenario, from: Duration, by: Duration) -> Scenario {
    let mut plan = plan.clone();
    points(&mut plan).into_iter().filter(|point| **point >= from).for_each(|point| point.0 -= by.0);
    plan.duration.0 -= by.0;
    in_order(plan)
}

/// Makes faults last less.
fn shorten(search: &mut Search<'_, '_>) -> bool {
    let mut is_shorter = false;
    for at in 0..search.best.faults.len() {
        let lasting = |lasts: &Duration| {
            let mut plan = search.best.clone();
            plan.faults[at].lasts = *lasts;
            plan
        };
        let now = search.best.faults[at].lasts;
        let proposals: Vec<Scenario> = PAUSES.iter().filter(|lasts| **lasts < now).map(lasting).collect();
        is_shorter |= search.as_is(&proposals);
    }
    is_shorter
}

/// Makes figures round: all together, then one after the other.
fn round(search: &mut Search<'_, '_>) -> bool {
    let all = UNITS.map(|unit| {
        let mut plan = search.best.clone();
        figures(&mut plan).into_iter().for_each(|figure| *figure = rounded(*figure, unit).unwrap_or(*figure));
        in_order(plan)
    });
    let proposals: Vec<Scenario> = all.into_iter().filter(|one| *one != search.best).collect();
    let mut is_rounder = !proposals.is_empty() && search.in_any_weather(&proposals);
    for at in 0..figures(&mut search.best.clone()).len() {
        let now = *figures(&mut search.best.clone())[at];
        let rounder = UNITS.iter().take_while(|unit| !now.0.is_multiple_of(unit.0));
        let with = |figure: Duration| {
            let mut plan = search.best.clone();
            *figures(&mut plan)[at] = figure;
            in_order(plan)
        };
        let proposals: Vec<Scenario> = rounder.filter_map(|unit| rounded(now, *unit)).map(with).collect();
        is_rounder |= search.as_is(&proposals);
    }
    is_rounder
}

/// The nearest multiple, unless that is nothing or more than twice as much.
fn rounded(figure: Duration, unit: Duration) -> Option<Duration> {
    let near = (figure.0 + unit.0 / 2) / unit.0 * unit.0;
    (near > 0 && near <= figure.0.saturating_mul(2) && near != figure.0).then_some(Duration(near))
}

/// Faults stand in the order in which they begin.
fn in_order(mut plan: Scenario) -> Scenario {
    plan.faults.sort_by_key(|fault| fault.at);
    plan.producers.iter_mut().for_each(|one| one.at.sort_unstable());
    plan
}

/// The moments at which something begins.
fn points(plan: &mut Scenario) -> Vec<&mut Duration> {
    let writes = plan.producers.iter_mut().flat_map(|one| &mut one.at);
    plan.faults.iter_mut().map(|fault| &mut fault.at).chain(writes).collect()
}

/// Every figure that a person would have chosen: moments and lengths.
fn figures(plan: &mut Scenario) -> Vec<&mut Duration> {
    let mut figures = vec![&mut plan.duration];
    figures.extend(plan.producers.iter_mut().flat_map(|one| &mut one.at));
    for fault in &mut plan.faults {
        figures.extend([&mut fault.at, &mut fault.lasts]);
        match &mut fault.kind {
            FaultKind::SlowLink { by, .. }
            | FaultKind::SlowDisk { by, .. }
            | FaultKind::SlowProcessing { by, .. }
            | FaultKind::ClockJump { by, .. }
            | FaultKind::StaleMetadata { by: Some(by), .. }
            | FaultKind::Frame { fate: Fate::Delay(by), .. }
            | FaultKind::CrashLoop { every: by, .. } => figures.push(by),
            FaultKind::FlappingLink { every, down, .. } => figures.extend([every, down]),
            FaultKind::Crash { .. }
            | FaultKind::PowerLoss { .. }
            | FaultKind::PowerLossAtOperation { .. }
            | FaultKind::Outage
            | FaultKind::FailedSync { .. }
            | FaultKind::IoError { .. }
            | FaultKind::FullDisk { .. }
            | FaultKind::BitRot { .. }
            | FaultKind::WipeDisk { .. }
            | FaultKind::ClockSkew { .. }
            | FaultKind::Pause { .. }
            | FaultKind::Restart { .. }
            | FaultKind::Isolate { .. }
            | FaultKind::Cut { .. }
            | FaultKind::StuckDisk { .. }
            | FaultKind::Frame { .. }
            | FaultKind::StaleMetadata { .. }
            | FaultKind::Split { .. }
            | FaultKind::Bridge { .. }
            | FaultKind::MajoritiesRing
            | FaultKind::CutClients { .. }
            | FaultKind::NarrowLink { .. }
            | FaultKind::ElectPreferred { .. }
            | FaultKind::RecreateTopic { .. }
            | FaultKind::MemberJoins { .. }
            | FaultKind::MemberLeaves { .. }
            | FaultKind::DeleteRecords { .. } => {}
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_round_but_not_nothing_and_not_another_size() {
        let round = |millis, unit| rounded(Duration::millis(millis), Duration::millis(unit)).map(Duration::as_millis);
        assert_eq!((round(2407, 1000), round(2407, 500), round(2407, 100)), (Some(2000), Some(2500), Some(2400)));
        assert_eq!((round(15, 1000), round(15, 10), round(400, 1000)), (None, Some(20), None));
        assert_eq!((round(600, 1000), round(2000, 1000)), (Some(1000), None));
    }

    #[test]
    fn what_comes_later_comes_sooner_and_the_rest_stays() {
        let fault = |id: &str, at| crate::scenario::model::Fault {
            id: id.into(),
            at: Duration::secs(at),
            lasts: Duration::secs(1),
            kind: FaultKind::Outage,
        };
        let plan = Scenario { duration: Duration::secs(30), faults: vec![fault("a", 5), fault("b", 20)], ..Scenario::default() };
        let moved = sooner(&plan, Duration::secs(20), Duration::secs(14));
        assert_eq!(moved.faults.iter().map(|fault| fault.at).collect::<Vec<_>>(), [Duration::secs(5), Duration::secs(6)]);
        assert_eq!(moved.duration, Duration::secs(16));
    }
}

//! How little has to be written and read.
//!
//! A steady writer is slowed down first, which costs few runs. When few enough records are left, each is written at a moment of its own, and those
//! that are not needed are left away one by one. If many are needed, a steady writer says the same in fewer words.

use brokerlab::types::Duration;

use super::search::Search;
use crate::scenario::Scenario;
use crate::scenario::model::{CommitPolicy, Producer};

/// Paces to slow down to, the slowest first.
const PACES: [Duration; 7] = [
    Duration::secs(10),
    Duration::secs(5),
    Duration::secs(2),
    Duration::secs(1),
    Duration::millis(500),
    Duration::millis(200),
    Duration::millis(100),
];
/// So many moments are still worth a list for the search,
const MOMENTS_MAX: u64 = 600;
/// and so many for a reader.
const READABLE_MAX: usize = 12;
/// Paces of steady writers that take the place of a list.
const STEADY: [Duration; 6] = [
    Duration::millis(10),
    Duration::millis(20),
    Duration::millis(50),
    Duration::millis(100),
    Duration::millis(200),
    Duration::millis(500),
];
/// Caps for the records of a writer that has too many for a list.
const CAPS: [u64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/// Makes clients do less.
pub fn lighten(search: &mut Search<'_, '_>) -> bool {
    let mut is_lighter = slow_down(search);
    is_lighter |= cap(search);
    is_lighter |= choose_moments(search);
    is_lighter | plain_records(search)
}

fn slow_down(search: &mut Search<'_, '_>) -> bool {
    let mut is_slower = false;
    let all = PACES.map(|pace| slowed(&search.best, pace, |_, _| true));
    is_slower |= propose(search, all.into());
    for client in 0..clients(&search.best) {
        let one = PACES.map(|pace| slowed(&search.best, pace, |_, at| at == client));
        is_slower |= propose(search, one.into());
    }
    is_slower
}

fn clients(plan: &Scenario) -> usize {
    plan.producers.len() + plan.consumers.len() + plan.groups.len()
}

/// The plan with a slower pace for those clients that are chosen.
fn slowed(plan: &Scenario, pace: Duration, is_chosen: impl Fn(&Scenario, usize) -> bool) -> Scenario {
    let mut slow = plan.clone();
    let writers = slow.producers.iter_mut().map(|one| (!one.at.is_empty(), &mut one.every));
    let readers = slow.consumers.iter_mut().map(|one| (false, &mut one.every));
    let groups = slow.groups.iter_mut().map(|one| (false, &mut one.every));
    for (at, (has_own, every)) in writers.chain(readers).chain(groups).enumerate() {
        if !has_own && *every < pace && is_chosen(plan, at) {
            *every = pace;
        }
    }
    slow
}

/// Caps what steady writers write.
fn cap(search: &mut Search<'_, '_>) -> bool {
    let mut is_capped = false;
    for at in 0..search.best.producers.len() {
        let planned = moments(&search.best, &search.best.producers[at]).len() as u64;
        let capped = |most: &u64| {
            let mut plan = search.best.clone();
            plan.producers[at].records = Some(*most);
            plan
        };
        let steady = search.best.producers[at].at.is_empty();
        let proposals: Vec<Scenario> = CAPS.iter().filter(|most| steady && **most < planned).map(capped).collect();
        is_capped |= propose(search, proposals);
    }
    is_capped
}

/// The moments at which a producer writes.
fn moments(plan: &Scenario, producer: &Producer) -> Vec<Duration> {
    let most = usize::try_from(producer.records.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    if !producer.at.is_empty() {
        return producer.at.iter().copied().take(most).collect();
    }
    let steady = (1..).map(|n| producer.every.times(n)).take_while(|at| *at < plan.duration);
    steady.take(most.min(usize::try_from(MOMENTS_MAX + 1).unwrap_or(usize::MAX))).collect()
}

/// Writes each record at a moment of its own, and only those that are needed. A list that is long and has brought nothing is given up again.
fn choose_moments(search: &mut Search<'_, '_>) -> bool {
    let before = search.best.clone();
    list_moments(search);
    drop_moments(search);
    for at in 0..search.best.producers.len() {
        make_steady(search, at);
    }
    let is_long = search.best.producers.iter().any(|one| one.at.len() > READABLE_MAX);
    if is_long && writes(&search.best) >= writes(&before) {
        search.best.clone_from(&before);
    }
    search.best != before
}

/// How much is to be written.
fn writes(plan: &Scenario) -> usize {
    plan.producers.iter().map(|one| moments(plan, one).len()).sum()
}

/// A steady writer of as many records instead of a long list.
fn make_steady(search: &mut Search<'_, '_>, at: usize) {
    let records = search.best.producers[at].at.len() as u64;
    if records <= READABLE_MAX as u64 {
        return;
    }
    let steady = |every: &Duration| {
        let mut plan = search.best.clone();
        let producer = &mut plan.producers[at];
        (producer.every, producer.records, producer.at) = (*every, Some(records), Vec::new());
        plan
    };
    let fits = |every: &&Duration| every.times(records) < search.best.duration;
    let proposals: Vec<Scenario> = STEADY.iter().rev().filter(fits).map(steady).collect();
    propose(search, proposals);
}

/// Gives every writer moments of its own: the same as before.
fn list_moments(search: &mut Search<'_, '_>) -> bool {
    let mut plan = search.best.clone();
    let all: Vec<Vec<Duration>> = plan.producers.iter().map(|one| moments(&plan, one)).collect();
    if all.iter().map(|one| one.len() as u64).sum::<u64>() > MOMENTS_MAX {
        return false;
    }
    for (producer, at) in plan.producers.iter_mut().zip(all).filter(|(_, at)| !at.is_empty()) {
        (producer.every, producer.records, producer.at) = (Duration::ZERO, None, at);
    }
    propose(search, vec![plan])
}

/// Leaves away records that need not be written, and writers that have nothing left to write.
fn drop_moments(search: &mut Search<'_, '_>) -> bool {
    let counts: Vec<usize> = search.best.producers.iter().map(|one| one.at.len()).collect();
    search.minimize(counts.iter().sum(), |plan, kept| {
        let mut plan = plan.clone();
        let mut number = 0;
        for producer in &mut plan.producers {
            producer.at.retain(|_| {
                number += 1;
                kept.binary_search(&(number - 1)).is_ok()
            });
        }
        plan.producers.retain(|one| !one.at.is_empty() || one.every > Duration::ZERO);
        plan
    })
}

/// Small values, no keys; members that do nothing special.
fn plain_records(search: &mut Search<'_, '_>) -> bool {
    let mut is_plainer = false;
    for part in PARTS {
        let mut plan = search.best.clone();
        part(&mut plan);
        is_plainer |= propose(search, vec![plan]);
    }
    is_plainer
}

const PARTS: [fn(&mut Scenario); 5] = [
    |plan| plan.producers.iter_mut().for_each(|one| one.value_bytes = 64),
    |plan| plan.producers.iter_mut().for_each(|one| one.keys = 0),
    |plan| plan.groups.iter_mut().for_each(|group| group.is_static = false),
    |plan| plan.groups.iter_mut().for_each(|group| group.commit = CommitPolicy::After),
    |plan| plan.groups.iter_mut().for_each(|group| group.processing = Duration::millis(1)),
];

fn propose(search: &mut Search<'_, '_>, proposals: Vec<Scenario>) -> bool {
    let proposals: Vec<Scenario> = proposals.into_iter().filter(|one| *one != search.best).collect();
    search.in_any_weather(&proposals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_writer_and_its_list_write_at_the_same_moments() {
        let plan = Scenario { duration: Duration::secs(1), ..Scenario::default() };
        let steady = Producer { every: Duration::millis(300), ..Producer::default() };
        let list = [300, 600, 900].map(Duration::millis);
        assert_eq!(moments(&plan, &steady), list);
        assert_eq!(moments(&plan, &Producer { records: Some(2), ..steady.clone() }), list[..2]);
        assert_eq!(moments(&plan, &Producer { at: list.to_vec(), every: Duration::ZERO, ..steady }), list);
    }

    #[test]
    fn only_those_that_hurry_are_slowed_down() {
        let hurried = Producer { every: Duration::millis(20), ..Producer::default() };
        let listed = Producer { at: vec![Duration::millis(1)], ..Producer::default() };
        let plan = Scenario { producers: vec![hurried, listed], ..Scenario::default() };
        let slow = slowed(&plan, Duration::secs(1), |_, _| true);
        assert_eq!((slow.producers[0].every, slow.producers[1].every), (Duration::secs(1), Duration::ZERO));
        assert_eq!(slowed(&plan, Duration::millis(10), |_, _| true), plan);
        assert_eq!(slowed(&plan, Duration::secs(1), |_, at| at == 1), plan);
    }
}

//! Calm weather, and settings that may go back to their defaults.

use std::collections::BTreeMap;

use brokerlab::types::Duration;

use super::search::Search;
use crate::scenario::Scenario;
use crate::scenario::model::{DiskWeather, Network};

/// Makes everything even: no jitter, no stragglers, nothing in pieces, clocks that agree. If that is too much, each of it by itself.
pub fn calm_down(search: &mut Search<'_, '_>) -> bool {
    let calm = calm(&search.best);
    let usual = Scenario { network: Network::default(), disk: DiskWeather::default(), ..search.best.clone() };
    let proposals: Vec<Scenario> = [calm, usual].into_iter().filter(|one| *one != search.best).collect();
    if proposals.is_empty() {
        return false;
    }
    let mut is_calmer = search.in_any_weather(&proposals);
    for part in PARTS {
        let mut proposal = search.best.clone();
        part(&mut proposal);
        is_calmer |= proposal != search.best && search.in_any_weather(&[proposal]);
    }
    is_calmer
}

fn calm(plan: &Scenario) -> Scenario {
    let mut plan = plan.clone();
    PARTS.iter().for_each(|part| part(&mut plan));
    plan
}

/// One thing each that may be even or not.
const PARTS: [fn(&mut Scenario); 10] = [
    |plan| plan.network.jitter = Duration::ZERO,
    |plan| plan.network.tail_one_in = 0,
    |plan| plan.network.tail = Network::default().tail,
    |plan| plan.network.split_one_in = 0,
    |plan| plan.network.latency = Network::default().latency,
    |plan| plan.network.bandwidth = None,
    |plan| plan.disk.jitter = Duration::ZERO,
    |plan| plan.disk.sync = DiskWeather::default().sync,
    |plan| (plan.disk.harsh, plan.disk.capacity) = (false, None),
    |plan| plan.cluster.drift_ppm_max = 0,
];

/// Leaves away the properties that may have their defaults.
pub fn drop_settings(search: &mut Search<'_, '_>) -> bool {
    let all = properties(&search.best);
    search.minimize(all.len(), |plan, kept| {
        let mut plan = plan.clone();
        let mut at = 0;
        for config in configs(&mut plan) {
            config.retain(|_, _| {
                at += 1;
                kept.binary_search(&(at - 1)).is_ok()
            });
        }
        plan
    })
}

/// How many properties are set.
#[must_use]
pub fn count_settings(plan: &Scenario) -> usize {
    properties(plan).len()
}

fn properties(plan: &Scenario) -> Vec<String> {
    configs(&mut plan.clone()).into_iter().flat_map(|config| config.keys().cloned().collect::<Vec<_>>()).collect()
}

/// All tables of properties, always in the same order.
fn configs(plan: &mut Scenario) -> Vec<&mut BTreeMap<String, String>> {
    let cluster = std::iter::once(&mut plan.cluster.config);
    let topics = plan.topics.iter_mut().map(|topic| &mut topic.config);
    let producers = plan.producers.iter_mut().map(|one| &mut one.config);
    let consumers = plan.consumers.iter_mut().map(|one| &mut one.config);
    let groups = plan.groups.iter_mut().flat_map(|group| std::iter::once(&mut group.config).chain(&mut group.spare_config));
    cluster.chain(topics).chain(producers).chain(consumers).chain(groups).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_weather_is_calm_whatever_it_was() {
        let mut plan = Scenario::default();
        (plan.network.tail_one_in, plan.disk.harsh, plan.cluster.drift_ppm_max) = (20, true, 5000);
        let calm = calm(&plan);
        assert_eq!((calm.network.jitter, calm.network.tail_one_in, calm.network.split_one_in), (Duration::ZERO, 0, 0));
        assert!(!calm.disk.harsh && calm.cluster.drift_ppm_max == 0);
        assert_eq!(self::calm(&calm), calm);
    }
}

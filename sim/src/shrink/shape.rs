//! How small a cluster does, and with how few clients.

use super::search::Search;
use crate::scenario::Scenario;
use crate::scenario::model::{Group, Target, Topic};

/// Makes cluster and clients smaller.
pub fn make_smaller(search: &mut Search<'_, '_>) -> bool {
    let mut is_smaller = drop_clients(search);
    is_smaller |= drop_topics(search);
    is_smaller |= drop_members(search);
    is_smaller |= drop_partitions(search);
    is_smaller |= drop_brokers(search);
    is_smaller | drop_replicas(search)
}

/// Leaves away whole clients.
fn drop_clients(search: &mut Search<'_, '_>) -> bool {
    let plan = &search.best;
    let (producers, consumers) = (plan.producers.len(), plan.consumers.len());
    search.minimize(producers + consumers + plan.groups.len(), |plan, kept| {
        let chosen =
            |from: usize, count: usize| kept.iter().filter(move |at| (from..from + count).contains(at)).map(move |at| *at - from);
        let mut fewer = plan.clone();
        fewer.producers = chosen(0, producers).map(|at| plan.producers[at].clone()).collect();
        fewer.consumers = chosen(producers, consumers).map(|at| plan.consumers[at].clone()).collect();
        fewer.groups = chosen(producers + consumers, plan.groups.len()).map(|at| plan.groups[at].clone()).collect();
        fewer
    })
}

/// Leaves away a topic with everything that is about it.
fn drop_topics(search: &mut Search<'_, '_>) -> bool {
    let mut is_smaller = false;
    while search.in_any_weather(&search.best.topics.iter().map(|topic| without_topic(&search.best, topic)).collect::<Vec<_>>()) {
        is_smaller = true;
    }
    is_smaller
}

fn without_topic(plan: &Scenario, topic: &Topic) -> Scenario {
    let mut plan = plan.clone();
    let name = topic.name.as_str();
    plan.topics.retain(|one| one.name != name);
    plan.producers.retain(|one| one.topic != name);
    plan.consumers.retain(|one| one.topic != name);
    plan.groups.iter_mut().for_each(|group| group.topics.retain(|one| one != name));
    plan.groups.retain(|group| !group.topics.is_empty());
    let is_about_it = |target: &Target| target.partition().is_some_and(|(topic, _)| topic == name);
    plan.faults.retain(|fault| !fault.kind.targets().iter().any(|(_, target)| is_about_it(target)));
    plan
}

/// Fewer members, none that stand by.
fn drop_members(search: &mut Search<'_, '_>) -> bool {
    let mut is_smaller = false;
    for at in 0..search.best.groups.len() {
        let group = search.best.groups[at].clone();
        let with = |members, spare| {
            let mut plan = search.best.clone();
            plan.groups[at] = Group { members, spare, ..group.clone() };
            plan
        };
        let fewer = (0..=group.members).flat_map(|members| (0..=group.spare).map(move |spare| (members, spare)));
        let fewer = fewer.filter(|found| *found != (group.members, group.spare));
        let proposals: Vec<Scenario> = fewer.map(|(members, spare)| with(members, spare)).collect();
        is_smaller |= search.in_any_weather(&proposals);
    }
    is_smaller
}

/// One partition of each topic, whichever it is that matters.
fn drop_partitions(search: &mut Search<'_, '_>) -> bool {
    let mut is_smaller = false;
    for at in 0..search.best.topics.len() {
        let count = search.best.topics[at].partitions;
        let alone = (0..count).map(|index| with_partition(&search.best, at, index));
        let proposals: Vec<Scenario> = alone.filter(|one| *one != search.best).collect();
        is_smaller |= count > 1 && search.in_any_weather(&proposals);
        is_smaller |= aim(search, at);
    }
    is_smaller
}

/// If a topic keeps several partitions, its producers write to the one that matters, not to whichever the partitioner chooses.
fn aim(search: &mut Search<'_, '_>, topic: usize) -> bool {
    let (name, count) = (search.best.topics[topic].name.clone(), search.best.topics[topic].partitions);
    let is_aimed = |plan: &Scenario| plan.producers.iter().filter(|one| one.topic == name).all(|one| one.partition.is_some());
    if count == 1 || is_aimed(&search.best) {
        return false;
    }
    let aimed = |index: u32| {
        let mut plan = search.best.clone();
        plan.producers.iter_mut().filter(|one| one.topic == name).for_each(|one| one.partition = Some(index));
        plan
    };
    let proposals: Vec<Scenario> = (0..count).map(aimed).collect();
    search.in_any_weather(&proposals)
}

/// The plan in which a topic has only that partition, which is called 0 then. Faults that are about others are gone.
fn with_partition(plan: &Scenario, topic: usize, index: u32) -> Scenario {
    let mut plan = plan.clone();
    let name = plan.topics[topic].name.clone();
    plan.topics[topic].partitions = 1;
    let is_another = |target: &Target| target.partition().is_some_and(|(topic, of)| topic == name && of != index);
    plan.faults.retain(|fault| !fault.kind.targets().iter().any(|(_, target)| is_another(target)));
    for target in plan.faults.iter_mut().flat_map(|fault| fault.kind.targets_mut()) {
        match target {
            Target::Leader(topic, of) | Target::Follower(topic, of) | Target::FollowerInIsr(topic, of) if *topic == name => {
                *of = 0
            }
            Target::Owner { topic, partition, .. } if *topic == name => *partition = 0,
            Target::Leader(..) | Target::Follower(..) | Target::FollowerInIsr(..) | Target::Owner { .. } => {}
            Target::Node(_) | Target::AnyBroker | Target::Controller | Target::Coordinator(_) | Target::Member(_) => {}
        }
    }
    plan.producers.iter_mut().filter(|one| one.topic == name).for_each(|one| one.partition = None);
    plan
}

/// Fewer brokers: those that faults name stay, under other numbers.
fn drop_brokers(search: &mut Search<'_, '_>) -> bool {
    let proposals: Vec<Scenario> =
        (1..search.best.cluster.brokers).filter_map(|count| with_brokers(&search.best, count)).collect();
    !proposals.is_empty() && search.in_any_weather(&proposals)
}

fn with_brokers(plan: &Scenario, count: u32) -> Option<Scenario> {
    let named = |number: &u32| {
        let node = Target::Node(format!("b{number}"));
        plan.faults.iter().any(|fault| fault.kind.targets().iter().any(|(_, target)| **target == node))
    };
    let (mut kept, others): (Vec<u32>, Vec<u32>) = (1..=plan.cluster.brokers).partition(named);
    let more = usize::try_from(count).ok()?.checked_sub(kept.len())?;
    kept.extend(others.iter().take(more));
    kept.sort_unstable();
    let mut plan = plan.clone();
    plan.cluster.brokers = count;
    for target in plan.faults.iter_mut().flat_map(|fault| fault.kind.targets_mut()) {
        let Target::Node(name) = target else { continue };
        let number = name.strip_prefix('b').and_then(|digits| digits.parse::<u32>().ok());
        let place = number.and_then(|number| kept.iter().position(|one| *one == number));
        if let Some(place) = place {
            *name = format!("b{}", place + 1);
        }
    }
    plan.topics.iter_mut().for_each(|topic| limit_replicas(topic, count));
    Some(plan)
}

/// No more replicas than that, and no more of them in the smallest ISR.
fn limit_replicas(topic: &mut Topic, most: u32) {
    topic.replicas = topic.replicas.min(most);
    let smallest = topic.config.get("min.insync.replicas").and_then(|value| value.parse::<u32>().ok());
    if smallest.is_some_and(|smallest| smallest > topic.replicas) {
        topic.config.insert("min.insync.replicas".into(), topic.replicas.to_string());
    }
}

fn drop_replicas(search: &mut Search<'_, '_>) -> bool {
    let mut is_smaller = false;
    for at in 0..search.best.topics.len() {
        let fewer = |most: u32| {
            let mut plan = search.best.clone();
            limit_replicas(&mut plan.topics[at], most);
            plan
        };
        let proposals: Vec<Scenario> = (1..search.best.topics[at].replicas).map(fewer).collect();
        is_smaller |= !proposals.is_empty() && search.in_any_weather(&proposals);
    }
    is_smaller
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    fn plan(targets: &[&str]) -> Scenario {
        let mut text = String::from(
            "title = \"t\"\nduration = \"9s\"\ncluster = { brokers = 5 }\n[[topics]]\nname = \"orders\"\npartitions = 3\nreplicas = 3\n\
             config = { \"min.insync.replicas\" = 2 }\n[[producers]]\nname = \"p1\"\ntopic = \"orders\"\nevery = \"1s\"\npartition = 2\n",
        );
        for (number, target) in targets.iter().enumerate() {
            let fault =
                format!("[[faults]]\nid = \"f{number}\"\nat = \"1s\"\nfor = \"1s\"\nkind = \"crash\"\ntarget = \"{target}\"\n");
            text.push_str(&fault);
        }
        parse("plan.toml", &text).unwrap()
    }

    fn targets(plan: &Scenario) -> Vec<String> {
        plan.faults.iter().flat_map(|fault| fault.kind.targets()).map(|(_, target)| target.to_string()).collect()
    }

    #[test]
    fn brokers_that_faults_name_stay_under_other_numbers() {
        let plan = plan(&["b4", "leader of orders-0"]);
        let two = with_brokers(&plan, 2).unwrap();
        assert_eq!((two.cluster.brokers, two.topics[0].replicas), (2, 2));
        assert_eq!(targets(&two), ["b2", "leader of orders-0"]);
        let one = with_brokers(&plan, 1).unwrap();
        assert_eq!((targets(&one)[0].as_str(), one.topics[0].replicas), ("b1", 1));
        assert_eq!(one.topics[0].config["min.insync.replicas"], "1", "else nothing could be written");
        assert_eq!(with_brokers(&self::plan(&["b4", "b5"]), 1), None);
    }

    #[test]
    fn the_partition_that_stays_is_called_0_and_faults_of_others_go() {
        let plan = plan(&["leader of orders-2", "a follower of orders-1", "b1"]);
        let alone = with_partition(&plan, 0, 2);
        assert_eq!((alone.topics[0].partitions, alone.producers[0].partition), (1, None));
        assert_eq!(targets(&alone), ["leader of orders-0", "b1"]);
    }

    #[test]
    fn with_a_topic_goes_what_is_about_it() {
        let plan = plan(&["leader of orders-2", "b1"]);
        let without = without_topic(&plan, &plan.topics[0]);
        assert!(without.topics.is_empty() && without.producers.is_empty());
        assert_eq!(targets(&without), ["b1"]);
    }
}

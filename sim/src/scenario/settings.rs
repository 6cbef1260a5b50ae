//! Settings by name, for the swarm: `topics.orders.config.min.insync.replicas`.
//!
//! Uniform chaos finds less than a swarm: a bug that needs a tiny segment *and* a long lag time-out shows itself only where some
//! seeds have both. So each seed draws whole settings anew. Two settings that only make sense together are written together, joined
//! by ` + `, and so are their values; a value may carry a weight:
//!
//! ```toml
//! [chaos.swarm]
//! "cluster.brokers" = [3, 5]
//! "producers.each.config.acks + producers.each.config.enable.idempotence" = ["19 * all + true", "1 + false"]
//! ```

use brokerlab::types::Duration;

use super::chance::Chance;
use super::model::{CommitPolicy, Group, Producer, Scenario, Topic};
use super::properties::{self, Property};
use super::units;

/// How settings are written.
pub const FORMS: &str = "cluster.brokers, cluster.drift_ppm_max, cluster.config.PROPERTY, topics.NAME.partitions, topics.NAME.replicas, \
topics.NAME.config.PROPERTY, producers.count, consumers.count, groups.count (the first so many of those listed), producers.NAME.every, producers.NAME.value_size, producers.NAME.keys, producers.NAME.config.PROPERTY, \
consumers.NAME.every, consumers.NAME.config.PROPERTY, groups.NAME.members, groups.NAME.spare, groups.NAME.static, groups.NAME.processing, groups.NAME.every, groups.NAME.commit, \
groups.NAME.config.PROPERTY, network.latency, network.jitter, network.tail_one_in, network.tail, \
network.split_one_in, network.bandwidth, disk.sync, disk.jitter, disk.harsh; NAME may be `each`, then each one draws for itself; \"A + B\" = [\"1 + 2\"] \
draws two together; \"19 * all\" weighs 19 times";

/// Largest value that a producer writes.
pub const VALUE_BYTES_MAX: u32 = 1 << 20;

/// How many of the clients listed take part.
const PRODUCERS: &str = "producers.count";
/// The same for readers.
const CONSUMERS: &str = "consumers.count";
/// The same for groups.
const GROUPS: &str = "groups.count";

/// Joins settings that are drawn together, and their values.
const TOGETHER: &str = " + ";

/// One line of the swarm: settings drawn together, and the choices with their weights.
struct Draw<'s> {
    settings: Vec<&'s str>,
    choices: Vec<(u64, Vec<&'s str>)>,
}

impl<'s> Draw<'s> {
    fn read(setting: &'s str, values: &'s [String]) -> Result<Draw<'s>, String> {
        let settings: Vec<&str> = setting.split(TOGETHER).map(str::trim).collect();
        let choices: Vec<(u64, Vec<&str>)> = values.iter().map(|value| choice(value)).collect();
        if let Some((_, found)) = choices.iter().find(|(_, found)| found.len() != settings.len()) {
            return Err(format!(
                "`{setting}` draws {} settings, but `{}` are {} values",
                settings.len(),
                found.join(TOGETHER),
                found.len()
            ));
        }
        Ok(Draw { settings, choices })
    }

    fn choose(&self, chance: Chance) -> &[&'s str] {
        let mut left = chance.below(self.choices.iter().map(|(weight, _)| weight).sum());
        for (weight, values) in &self.choices {
            if left < *weight {
                return values;
            }
            left -= weight;
        }
        &self.choices.last().expect("a list of values is never empty").1
    }
}

fn choice(value: &str) -> (u64, Vec<&str>) {
    let weighted =
        value.split_once(" * ").and_then(|(weight, rest)| Some((weight.parse::<u64>().ok()?.clamp(1, 1_000_000), rest)));
    let (weight, rest) = weighted.unwrap_or((1, value));
    (weight, rest.split(TOGETHER).map(str::trim).collect())
}

/// Draws every setting of the swarm.
pub fn apply(scenario: &mut Scenario, chance: Chance) {
    let swarm = scenario.chaos.as_ref().map(|chaos| chaos.swarm.clone()).unwrap_or_default();
    for (setting, values) in &swarm {
        let draw = Draw::read(setting, values).expect("checked when the file was read");
        for name in names(scenario, setting) {
            let chosen = draw.choose(chance.about(setting).about(&name));
            for (setting, value) in draw.settings.iter().zip(chosen) {
                set(scenario, &setting.replacen(".each.", &format!(".{name}."), 1), value)
                    .expect("checked when the file was read");
            }
        }
    }
    // Everybody has drawn for himself, taking part or not, so the draws of one do not depend on how many there are.
    for (setting, values) in &swarm {
        count_clients(scenario, setting, values, chance);
    }
    let brokers = scenario.cluster.brokers;
    scenario.topics.iter_mut().for_each(|topic| topic.replicas = topic.replicas.min(brokers));
}

fn count_clients(scenario: &mut Scenario, setting: &str, values: &[String], chance: Chance) {
    if ![PRODUCERS, CONSUMERS, GROUPS].contains(&setting) {
        return;
    }
    let draw = Draw::read(setting, values).expect("checked when the file was read");
    let chosen = draw.choose(chance.about(setting));
    let count = chosen.first().and_then(|value| value.parse().ok()).expect("checked when the file was read");
    match setting {
        PRODUCERS => scenario.producers.truncate(count),
        GROUPS => scenario.groups.truncate(count),
        _ => scenario.consumers.truncate(count),
    }
}

/// Who draws: one for all, or each of the named things for itself.
fn names(scenario: &Scenario, setting: &str) -> Vec<String> {
    match setting.split('.').collect::<Vec<_>>()[..] {
        ["topics", "each", ..] => scenario.topics.iter().map(|topic| topic.name.clone()).collect(),
        ["producers", "each", ..] => scenario.producers.iter().map(|producer| producer.name.clone()).collect(),
        ["groups", "each", ..] => scenario.groups.iter().map(|group| group.name.clone()).collect(),
        ["consumers", "each", ..] => scenario.consumers.iter().map(|consumer| consumer.name.clone()).collect(),
        _ => vec![String::new()],
    }
}

/// Tries every choice of the swarm on a copy.
///
/// # Errors
/// What is wrong with the first bad one.
pub fn check(scenario: &Scenario) -> Result<(), String> {
    let Some(chaos) = &scenario.chaos else { return Ok(()) };
    for (setting, values) in &chaos.swarm {
        let draw = Draw::read(setting, values)?;
        for name in names(scenario, setting) {
            for (_, chosen) in &draw.choices {
                let mut copy = scenario.clone();
                for (setting, value) in draw.settings.iter().zip(chosen) {
                    set(&mut copy, &setting.replacen(".each.", &format!(".{name}."), 1), value)?;
                }
                if let Some(message) = copy.groups.iter().find_map(Group::contradiction) {
                    return Err(format!("`{setting}` may draw `{}`: {message}", chosen.join(TOGETHER)));
                }
                if let Some(message) = copy.producers.iter().find_map(|producer| super::parse::contradiction(&producer.config)) {
                    return Err(format!("`{setting}` may draw `{}`: {message}", chosen.join(TOGETHER)));
                }
            }
        }
    }
    Ok(())
}

/// The most brokers that a seed may draw.
#[must_use]
pub fn most_brokers(scenario: &Scenario) -> u32 {
    most(scenario, "cluster.brokers", scenario.cluster.brokers)
}

/// The most partitions of a topic that a seed may draw.
#[must_use]
pub fn most_partitions(scenario: &Scenario, topic: &Topic) -> u32 {
    most(scenario, &format!("topics.{}.partitions", topic.name), topic.partitions)
}

/// Groups by their numbers, with the most members that a seed may draw.
pub fn most_members(scenario: &Scenario) -> impl Iterator<Item = (usize, Group)> {
    scenario.groups.iter().enumerate().map(|(n, group)| {
        let members = most(scenario, &format!("groups.{}.members", group.name), group.members);
        let members = most(scenario, "groups.each.members", members);
        (n, Group { members, ..group.clone() })
    })
}

fn most(scenario: &Scenario, setting: &str, fixed: u32) -> u32 {
    let drawn = scenario.chaos.as_ref().and_then(|chaos| chaos.swarm.get(setting));
    drawn.into_iter().flatten().filter_map(|value| value.parse().ok()).fold(fixed, u32::max)
}

/// Sets one setting.
///
/// # Errors
/// When there is no such setting, or it cannot have that value.
pub fn set(scenario: &mut Scenario, setting: &str, value: &str) -> Result<(), String> {
    let parts: Vec<&str> = setting.splitn(3, '.').collect();
    match parts[..] {
        ["cluster", "brokers"] => scenario.cluster.brokers = number(setting, value, 1, 9)?,
        ["cluster", "drift_ppm_max"] => scenario.cluster.drift_ppm_max = number(setting, value, 0, 100_000)?,
        ["cluster", "config", name] => property(&mut scenario.cluster.config, properties::CLUSTER, name, value)?,
        ["topics", name, what] => {
            let topic = scenario.topics.iter_mut().find(|topic| topic.name == name);
            set_topic(topic.ok_or_else(|| unknown(setting))?, setting, what, value)?;
        }
        [what @ ("producers" | "consumers" | "groups"), "count"] => {
            let listed = match what {
                "producers" => scenario.producers.len(),
                "consumers" => scenario.consumers.len(),
                _ => scenario.groups.len(),
            };
            number(setting, value, 0, u32::try_from(listed).unwrap_or(u32::MAX))?;
        }
        ["producers", name, what] => {
            let producer = scenario.producers.iter_mut().find(|producer| producer.name == name);
            set_producer(producer.ok_or_else(|| unknown(setting))?, setting, what, value)?;
        }
        ["consumers", name, what] => {
            let consumer =
                scenario.consumers.iter_mut().find(|consumer| consumer.name == name).ok_or_else(|| unknown(setting))?;
            match what.split_once('.') {
                Some(("config", name)) => property(&mut consumer.config, properties::CONSUMER, name, value)?,
                None if what == "every" => consumer.every = pause(setting, value)?,
                Some(_) | None => return Err(unknown(setting)),
            }
        }
        ["groups", name, what] => {
            let group = scenario.groups.iter_mut().find(|group| group.name == name);
            set_group(group.ok_or_else(|| unknown(setting))?, setting, what, value)?;
        }
        ["network", what] => set_network(scenario, setting, what, value)?,
        ["disk", "sync"] => scenario.disk.sync = duration(setting, value)?,
        ["disk", "jitter"] => scenario.disk.jitter = duration(setting, value)?,
        ["disk", "harsh"] => scenario.disk.harsh = value.parse().map_err(|_| bad(setting, value, "true or false"))?,
        _ => return Err(unknown(setting)),
    }
    Ok(())
}

fn set_topic(topic: &mut Topic, setting: &str, what: &str, value: &str) -> Result<(), String> {
    match what.split_once('.') {
        Some(("config", name)) => property(&mut topic.config, properties::TOPIC, name, value)?,
        None if what == "partitions" => topic.partitions = number(setting, value, 1, 64)?,
        None if what == "replicas" => topic.replicas = number(setting, value, 1, 9)?,
        Some(_) | None => return Err(unknown(setting)),
    }
    Ok(())
}

fn set_producer(producer: &mut Producer, setting: &str, what: &str, value: &str) -> Result<(), String> {
    match what.split_once('.') {
        Some(("config", name)) => property(&mut producer.config, properties::PRODUCER, name, value)?,
        None if what == "every" && !producer.at.is_empty() => {
            return Err(format!("`{setting}`: it writes at moments of its own"));
        }
        None if what == "every" => producer.every = pause(setting, value)?,
        None if what == "keys" => producer.keys = number(setting, value, 0, 1 << 20)?,
        None if what == "value_size" => {
            let bytes = units::size(value).and_then(|bytes| u32::try_from(bytes).ok()).filter(|bytes| *bytes <= VALUE_BYTES_MAX);
            producer.value_bytes = bytes.ok_or_else(|| bad(setting, value, units::SIZE_FORM))?;
        }
        Some(_) | None => return Err(unknown(setting)),
    }
    Ok(())
}

fn set_group(group: &mut Group, setting: &str, what: &str, value: &str) -> Result<(), String> {
    match what.split_once('.') {
        Some(("config", name)) => property(&mut group.config, properties::MEMBER, name, value)?,
        None if what == "members" => group.members = number(setting, value, 0, 1000)?,
        None if what == "spare" => group.spare = number(setting, value, 0, 1000)?,
        None if what == "static" => group.is_static = value.parse().map_err(|_| bad(setting, value, "true or false"))?,
        None if what == "every" => group.every = duration(setting, value)?,
        None if what == "processing" => group.processing = duration(setting, value)?,
        None if what == "commit" => {
            let names = CommitPolicy::names().join(", ");
            group.commit = CommitPolicy::parse(value).ok_or_else(|| bad(setting, value, &format!("one of {names}")))?;
        }
        Some(_) | None => return Err(unknown(setting)),
    }
    Ok(())
}

fn set_network(scenario: &mut Scenario, setting: &str, what: &str, value: &str) -> Result<(), String> {
    let network = &mut scenario.network;
    match what {
        "latency" => network.latency = duration(setting, value)?,
        "jitter" => network.jitter = duration(setting, value)?,
        "tail" => network.tail = duration(setting, value)?,
        "tail_one_in" => network.tail_one_in = number(setting, value, 0, 1 << 30)?,
        "bandwidth" => {
            let bytes = units::size(value).filter(|bytes| *bytes > 0);
            network.bandwidth = Some(bytes.ok_or_else(|| bad(setting, value, units::SIZE_FORM))?);
        }
        "split_one_in" => network.split_one_in = number(setting, value, 0, 1 << 30)?,
        _ => return Err(unknown(setting)),
    }
    Ok(())
}

type Config = std::collections::BTreeMap<String, String>;

fn property(config: &mut Config, known: &[Property], name: &str, value: &str) -> Result<(), String> {
    let property =
        known.iter().find(|property| property.name == name).ok_or_else(|| format!("there is no property `{name}` there"))?;
    if !property.form.allows(value) {
        return Err(bad(name, value, &property.form.text()));
    }
    config.insert(name.to_string(), value.to_string());
    Ok(())
}

fn number(setting: &str, value: &str, low: u32, high: u32) -> Result<u32, String> {
    let found = value.parse::<u32>().ok().filter(|n| (low..=high).contains(n));
    found.ok_or_else(|| bad(setting, value, &format!("a whole number from {low} to {high}")))
}

fn duration(setting: &str, value: &str) -> Result<Duration, String> {
    units::duration(value).ok_or_else(|| bad(setting, value, units::DURATION_FORM))
}

fn pause(setting: &str, value: &str) -> Result<Duration, String> {
    duration(setting, value)
        .and_then(|found| if found.0 > 0 { Ok(found) } else { Err(bad(setting, value, "longer than nothing")) })
}

fn bad(setting: &str, value: &str, allowed: &str) -> String {
    format!("`{setting}` cannot be `{value}`: it must be {allowed}")
}

fn unknown(setting: &str) -> String {
    format!("there is no setting `{setting}`")
}

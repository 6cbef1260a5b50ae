//! From a scenario and a seed to a plan: every discrete decision is taken, nothing is left to chance but the weather.
//!
//! The swarm rule (Groce et al., "Swarm testing", 2012): a run in which every kind of fault is possible at an average rate looks like
//! every other such run. So each seed enables a random subset of the kinds, gives each of them its own weight, and draws its own number
//! of faults and its own settings. Bugs that need the absence of something (no crash while a link is slow) are found too.
//!
//! Every draw is keyed by what it is about, so the third fault is the same whether or not there is a fourth.

use std::collections::{BTreeMap, BTreeSet};

use brokerlab::types::Duration;

use super::chance::Chance;
use super::model::{Chaos, DiskOperation, Fate, Fault, FaultKind, Frames, Group, Scenario, Target};
use super::settings;
use super::storm::draw_storms;

/// The plan of one run. Expanding a plan with its own seed gives the same plan.
#[must_use]
pub fn expand(scenario: &Scenario, seed: u64) -> Scenario {
    let mut plan = scenario.clone();
    let chance = Chance::of(seed).about("plan");
    settings::apply(&mut plan, chance.about("swarm"));
    plan.seed = seed;
    if let Some(chaos) = plan.chaos.take() {
        let mut drawn = draw_faults(&plan, &chaos, chance.about("chaos"));
        drawn.extend(draw_storms(&plan, &chaos, chance.about("storms")));
        // The first fault of the run is f1. Equal moments keep the order in which they were drawn.
        drawn.sort_by_key(|fault| fault.at);
        let mut taken: BTreeSet<String> = plan.faults.iter().map(|fault| fault.id.clone()).collect();
        plan.faults.extend(drawn.into_iter().map(|fault| Fault { id: next_id(&mut taken), ..fault }));
    }
    plan.faults.sort_by_key(|fault| fault.at);
    plan
}

fn next_id(taken: &mut BTreeSet<String>) -> String {
    let id = (1u32..).map(|n| format!("f{n}")).find(|id| !taken.contains(id)).expect("numbers do not run out");
    taken.insert(id.clone());
    id
}

/// Faults of groups.
const MEMBER_KINDS: [&str; 3] = ["member-joins", "member-leaves", "slow-processing"];

fn draw_faults(plan: &Scenario, chaos: &Chaos, chance: Chance) -> Vec<Fault> {
    // Where a seed has drawn no group there is nobody to come and go.
    let possible = |kind: &&String| !plan.groups.is_empty() || !MEMBER_KINDS.contains(&kind.as_str());
    let kinds: Vec<&String> = chaos.kinds.iter().filter(possible).collect();
    let kinds = enabled_kinds(&kinds, chance);
    let (fewest, most) = chaos.faults;
    let number = if kinds.is_empty() { 0 } else { chance.about("number").between(u64::from(fewest), u64::from(most)) };
    let crowds = Crowds::draw(plan.duration, chance.about("crowds"));
    let mut faults: Vec<Fault> = (0..number)
        .map(|n| {
            let chance = chance.about("fault").number(n);
            let kind = weighted(&kinds, chance.about("kind"));
            Fault {
                id: String::new(),
                at: match chaos.at_most.contains_key(kind) {
                    true => moment(plan.duration, chance.about("at")),
                    false => crowds.moment(plan.duration, chance.about("at")),
                },
                lasts: log_uniform(chaos.lasts, chance.about("lasts")),
                kind: draw_kind(plan, kind, chance),
            }
        })
        .collect();
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    faults.retain(|fault| {
        let count = seen.entry(fault.kind.name()).or_default();
        *count += 1;
        chaos.at_most.get(fault.kind.name()).is_none_or(|most| *count <= *most)
    });
    faults
}

/// A random subset, never empty unless nothing may be enabled, each with its own weight.
fn enabled_kinds<'k>(kinds: &[&'k String], chance: Chance) -> Vec<(&'k str, u64)> {
    let chance = chance.about("kinds");
    let weight = |kind: &String| 1 << chance.about("weight").about(kind).below(4);
    let enabled: Vec<&String> = kinds.iter().copied().filter(|kind| chance.about(kind).one_in(2)).collect();
    let last_resort = kinds.get(index(chance.about("one").below(kinds.len() as u64))).copied();
    let enabled = if enabled.is_empty() { last_resort.into_iter().collect() } else { enabled };
    enabled.into_iter().map(|kind| (kind.as_str(), weight(kind))).collect()
}

pub(super) fn weighted<'k>(kinds: &[(&'k str, u64)], chance: Chance) -> &'k str {
    let mut left = chance.below(kinds.iter().map(|(_, weight)| weight).sum());
    for (kind, weight) in kinds {
        if left < *weight {
            return kind;
        }
        left -= weight;
    }
    unreachable!("the draw is below the sum of the weights")
}

/// Where in the run faults crowd. Troubles come together: what breaks one thing breaks the next, and it is in the middle of one recovery that
/// another begins. Faults that are spread evenly meet too rarely. So every other seed has a few bad moments, and its faults follow them. What destroys does not:
/// whole runs would end beyond what the cluster tolerates.
struct Crowds(Vec<Duration>);

impl Crowds {
    fn draw(duration: Duration, chance: Chance) -> Crowds {
        let number = if chance.about("at all").one_in(2) { chance.about("number").between(1, 4) } else { 0 };
        Crowds((0..number).map(|n| moment(duration, chance.about("moment").number(n))).collect())
    }

    /// Anywhere, or soon after one of the bad moments.
    fn moment(&self, duration: Duration, chance: Chance) -> Duration {
        let Some(bad) = self.0.get(index(chance.about("which").below(self.0.len().max(1) as u64))) else {
            return moment(duration, chance);
        };
        let after = log_uniform((Duration::millis(1), Duration::millis(3_000)), chance.about("after"));
        let latest = Duration::millis(duration.as_millis() * 9 / 10);
        Duration::millis(bad.as_millis() + after.as_millis()).min(latest)
    }
}

/// Whole milliseconds, so that a plan is easy to read; early enough that what follows can still be seen.
pub(super) fn moment(duration: Duration, chance: Chance) -> Duration {
    let millis = duration.as_millis();
    Duration::millis(chance.between(millis / 20, millis * 9 / 10))
}

/// As many short ones as long ones: every doubling is equally likely.
pub(super) fn log_uniform((low, high): (Duration, Duration), chance: Chance) -> Duration {
    let (low, high) = (low.as_millis().max(1), high.as_millis().max(1));
    let doublings = u64::from((high / low).max(1).ilog2());
    let from = low << chance.about("doubling").between(0, doublings);
    Duration::millis(chance.between(from.min(high), (from * 2).min(high)))
}

fn draw_kind(plan: &Scenario, kind: &str, chance: Chance) -> FaultKind {
    let target = || draw_target(plan, chance.about("target"));
    let broker = || draw_broker(plan, chance.about("target"));
    let by = |low, high| log_uniform((Duration::millis(low), Duration::millis(high)), chance.about("by"));
    let one_in_two = |what: &str| chance.about(what).one_in(2);
    let one_in_four = |what: &str| chance.about(what).one_in(4);
    match kind {
        "crash" => FaultKind::Crash { target: target() },
        "power-loss" => FaultKind::PowerLoss { target: target() },
        "power-loss-at-operation" => {
            FaultKind::PowerLossAtOperation { target: broker(), nth: chance.about("nth").between(1, 200) }
        }
        "pause" => FaultKind::Pause { target: target() },
        "restart" => FaultKind::Restart { target: broker() },
        "isolate" => FaultKind::Isolate { target: broker(), except_clients: one_in_two("except_clients") },
        "cut" => {
            let (from, to) = draw_link(plan, chance.about("link"));
            FaultKind::Cut { from, to, one_way: one_in_two("one_way") }
        }
        "slow-link" => {
            let (from, to) = draw_link(plan, chance.about("link"));
            FaultKind::SlowLink { from, to, by: by(5, 2_000) }
        }
        "slow-disk" => FaultKind::SlowDisk { target: target(), by: by(10, 1_000) },
        "stuck-disk" => FaultKind::StuckDisk { target: broker() },
        "frame" => draw_frames(plan, chance.about("frames")),
        "stale-metadata" => FaultKind::StaleMetadata { target: broker(), by: one_in_two("by how much").then(|| by(50, 3_000)) },
        "split" => FaultKind::Split { groups: draw_groups(plan, chance.about("groups")), one_way: one_in_four("one_way") },
        "bridge" => FaultKind::Bridge { target: target() },
        "outage" => FaultKind::Outage,
        "majorities-ring" => FaultKind::MajoritiesRing,
        "flapping-link" => {
            let (from, to) = draw_link(plan, chance.about("link"));
            let every = log_uniform((Duration::millis(100), Duration::millis(4_000)), chance.about("every"));
            let down = Duration::millis(every.as_millis() * chance.about("down").between(1, 9) / 10);
            FaultKind::FlappingLink {
                from,
                to: (!one_in_four("all")).then_some(to),
                every,
                down,
                one_way: one_in_four("one_way"),
            }
        }
        "cut-clients" => {
            let more = one_in_four("more").then(|| draw_broker(plan, chance.about("other target")));
            let targets = std::iter::once(broker()).chain(more.filter(|more| *more != broker())).collect();
            FaultKind::CutClients { targets, one_way: one_in_four("one_way") }
        }
        "narrow-link" => {
            let (from, to) = draw_link(plan, chance.about("link"));
            let bandwidth = 1024 << chance.about("bandwidth").below(8);
            FaultKind::NarrowLink { from, to: one_in_two("all").then_some(to), bandwidth }
        }
        "elect-preferred" => FaultKind::ElectPreferred { target: draw_led(plan, chance, one_in_two("all")) },
        "recreate-topic" => FaultKind::RecreateTopic { target: draw_spare(plan) },
        "member-joins" => FaultKind::MemberJoins { target: draw_member(plan, chance.about("target")) },
        "member-leaves" => FaultKind::MemberLeaves { target: draw_member(plan, chance.about("target")) },
        "slow-processing" => FaultKind::SlowProcessing { target: draw_member(plan, chance.about("target")), by: by(10, 5_000) },
        "delete-records" => {
            FaultKind::DeleteRecords { target: draw_led(plan, chance, false), keep: (1 << chance.about("keep").below(9)) - 1 }
        }
        "crash-loop" => {
            let (times, every) = (chance.about("times").between(2, 5), by(100, 4_000));
            FaultKind::CrashLoop { target: target(), times, every }
        }
        other => draw_hardware(plan, other, chance),
    }
}

/// Parts of paths that a failing disk may have it in for; mostly any.
const PATHS: [&str; 6] = ["", "", "", ".log", "checkpoint", ".index"];

fn draw_hardware(plan: &Scenario, kind: &str, chance: Chance) -> FaultKind {
    let target = draw_broker(plan, chance.about("target"));
    let path = || PATHS[index(chance.about("path").below(PATHS.len() as u64))].to_string();
    let one_in_two = |what: &str| chance.about(what).one_in(2);
    let doubling = |what: &str, most: u64| 1 << chance.about(what).below(most);
    match kind {
        "failed-sync" => FaultKind::FailedSync { target, path: path(), nth: doubling("nth", 5) },
        "io-error" => {
            let operation = if one_in_two("operation") { DiskOperation::Read } else { DiskOperation::Write };
            FaultKind::IoError { target, operation, path: path(), nth: doubling("nth", 7), times: doubling("times", 4) }
        }
        "full-disk" => FaultKind::FullDisk { target, room: chance.about("room").below(16_384) },
        "bit-rot" => FaultKind::BitRot { target, flips: chance.about("flips").between(1, 3) },
        "wipe-disk" => FaultKind::WipeDisk { target },
        "clock-jump" => {
            let by = log_uniform((Duration::millis(500), Duration::secs(86_400)), chance.about("by"));
            FaultKind::ClockJump { target: draw_anybody(plan, chance.about("target")), by, back: one_in_two("back") }
        }
        "clock-skew" => {
            let ppm = u32::try_from(chance.about("ppm").between(1_000, 300_000)).expect("below a million");
            FaultKind::ClockSkew { target: draw_anybody(plan, chance.about("target")), ppm, slow: one_in_two("slow") }
        }
        other => unreachable!("{other} is in the reference but not here"),
    }
}

/// APIs whose frames a protocol hangs on, with their weights, and the number of such frames among which one is chosen: those of a
/// busy API are all alike, of a rare one each counts.
const SURGERY: [(&str, u64, u64); 8] = [
    ("AlterPartition", 6, 3),
    ("Fetch", 4, 30),
    ("Produce", 4, 20),
    ("BrokerHeartbeat", 2, 4),
    ("OffsetForLeaderEpoch", 2, 3),
    ("BrokerRegistration", 2, 2),
    ("InitProducerId", 1, 2),
    ("Metadata", 1, 4),
];

/// The same for groups: where there are some, every other frame is theirs.
const SURGERY_OF_GROUPS: [(&str, u64, u64); 7] = [
    ("JoinGroup", 4, 5),
    ("SyncGroup", 4, 5),
    ("Heartbeat", 2, 20),
    ("OffsetCommit", 4, 10),
    ("OffsetFetch", 2, 3),
    ("LeaveGroup", 2, 2),
    ("FindCoordinator", 1, 3),
];

/// The same where a group speaks the newer protocol: every other frame of groups.
const SURGERY_OF_NEWER_GROUPS: [(&str, u64, u64); 4] =
    [("ConsumerGroupHeartbeat", 6, 30), ("OffsetCommit", 4, 10), ("OffsetFetch", 2, 3), ("FindCoordinator", 1, 3)];

pub(super) fn draw_frames(plan: &Scenario, chance: Chance) -> FaultKind {
    let of_group = !plan.groups.is_empty() && chance.about("group").one_in(2);
    let is_newer = plan.groups.iter().any(Group::has_newer_members) && chance.about("newer").one_in(2);
    let surgery: &[(&str, u64, u64)] = match (of_group, is_newer) {
        (true, true) => &SURGERY_OF_NEWER_GROUPS,
        (true, false) => &SURGERY_OF_GROUPS,
        (false, _) => &SURGERY,
    };
    let weights: Vec<(&str, u64)> = surgery.iter().map(|(api, weight, _)| (*api, *weight)).collect();
    let api = weighted(&weights, chance.about("api"));
    let among = surgery.iter().find(|(name, ..)| *name == api).map_or(1, |(.., among)| *among);
    let late = || log_uniform((Duration::millis(20), Duration::millis(5_000)), chance.about("by"));
    let fate = match chance.about("fate").below(8) {
        0..=2 => Fate::Hold,
        3..=4 => Fate::Delay(late()),
        5..=6 => Fate::SeverBefore,
        _ => Fate::SeverAfter,
    };
    let end = |what: &str| chance.about("whose").about(what).one_in(4).then(|| draw_broker(plan, chance.about(what)));
    let from = end("from");
    // Only controllers answer these.
    let is_for_brokers = !["AlterPartition", "BrokerHeartbeat", "BrokerRegistration"].contains(&api);
    let to = end("to").filter(|to| is_for_brokers && Some(to) != from.as_ref());
    let frames = Frames {
        apis: vec![api.to_string()],
        responses: chance.about("part").one_in(2),
        from,
        to,
        nth: 1 + chance.about("nth").below(among),
        count: if chance.about("more").one_in(4) { chance.about("count").between(2, 5) } else { 1 },
    };
    FaultKind::Frame { frames, fate }
}

/// One or two groups against the rest: the leader alone or with the controller, a follower, a broker by its name.
fn draw_groups(plan: &Scenario, chance: Chance) -> Vec<Vec<Target>> {
    let first = draw_broker(plan, chance.about("first"));
    let with_controller = chance.about("controller").one_in(3).then_some(Target::Controller);
    let second = chance.about("three").one_in(3).then(|| draw_broker(plan, chance.about("second")));
    let second = second.filter(|second| *second != first).map(|second| vec![second]);
    std::iter::once(std::iter::once(first).chain(with_controller).collect()).chain(second).collect()
}

/// A partition, by its leader, or all.
fn draw_led(plan: &Scenario, chance: Chance, all: bool) -> Target {
    let (topic, partition) = draw_partition(plan, chance.about("partition"));
    if all { Target::Controller } else { Target::Leader(topic, partition) }
}

/// Any member of one of the groups.
fn draw_member(plan: &Scenario, chance: Chance) -> Target {
    let group = plan.groups.get(index(chance.about("group").below(plan.groups.len().max(1) as u64)));
    Target::Member(group.map_or_else(String::new, |group| group.name.clone()))
}

/// Of several topics the last is the one that may go: what clients are told of a name that has stood for two topics proves nothing.
fn draw_spare(plan: &Scenario) -> Target {
    Target::Leader(plan.topics.last().map_or_else(String::new, |topic| topic.name.clone()), 0)
}

/// Clocks of clients are wrong too.
fn draw_anybody(plan: &Scenario, chance: Chance) -> Target {
    match plan.producers.get(index(chance.about("producer").below(3 * plan.producers.len() as u64))) {
        Some(producer) => Target::Node(producer.name.clone()),
        None => draw_target(plan, chance),
    }
}

fn draw_target(plan: &Scenario, chance: Chance) -> Target {
    // Where there are groups, they are hit as often as everything else: members, owners, coordinators.
    if !plan.groups.is_empty() && chance.about("group").one_in(2) {
        return draw_of_group(plan, chance.about("of group"));
    }
    if chance.about("controller").one_in(8) { Target::Controller } else { draw_broker(plan, chance) }
}

fn draw_of_group(plan: &Scenario, chance: Chance) -> Target {
    let group = &plan.groups[index(chance.about("group").below(plan.groups.len() as u64))];
    let topic = &group.topics[index(chance.about("topic").below(group.topics.len() as u64))];
    let count = plan.topics.iter().find(|known| known.name == *topic).map_or(1, |topic| topic.partitions.max(1));
    let partition = u32::try_from(chance.about("partition").below(u64::from(count))).expect("below a 32-bit number");
    match chance.about("who").below(4) {
        0 => Target::Coordinator(group.name.clone()),
        1 => Target::Owner { topic: topic.clone(), partition, group: group.name.clone() },
        _ => Target::Member(group.name.clone()),
    }
}

/// Leaders and followers are where the protocol is; a broker by chance may be neither.
fn draw_broker(plan: &Scenario, chance: Chance) -> Target {
    let (topic, partition) = draw_partition(plan, chance.about("partition"));
    match chance.about("role").below(8) {
        0..=2 => Target::Leader(topic, partition),
        3..=4 => Target::FollowerInIsr(topic, partition),
        5 => Target::Follower(topic, partition),
        _ => Target::Node(format!("b{}", chance.about("broker").between(1, u64::from(plan.cluster.brokers)))),
    }
}

pub(super) fn draw_partition(plan: &Scenario, chance: Chance) -> (String, u32) {
    let topic = &plan.topics[index(chance.below(plan.topics.len() as u64))];
    let partition = chance.about("index").below(u64::from(topic.partitions));
    (topic.name.clone(), u32::try_from(partition).expect("below a 32-bit number"))
}

pub(super) fn draw_link(plan: &Scenario, chance: Chance) -> (Target, Target) {
    let brokers = u64::from(plan.cluster.brokers);
    let first = chance.about("first").between(1, brokers);
    let node = |n: u64| Target::Node(format!("b{n}"));
    let (topic, partition) = draw_partition(plan, chance.about("partition"));
    let mut clients: Vec<String> =
        plan.producers.iter().map(|one| &one.name).chain(plan.consumers.iter().map(|one| &one.name)).cloned().collect();
    clients.extend(plan.groups.iter().flat_map(|group| group.nodes()));
    match chance.about("which").below(8) {
        0..=2 => (Target::Leader(topic.clone(), partition), Target::FollowerInIsr(topic, partition)),
        3..=4 if brokers > 1 => {
            let second = 1 + (first - 1 + chance.about("second").between(1, brokers - 1)) % brokers;
            (node(first), node(second))
        }
        5 if !clients.is_empty() => {
            (Target::Node(clients[index(chance.about("client").below(clients.len() as u64))].clone()), node(first))
        }
        6 => (Target::Controller, Target::Leader(topic, partition)),
        _ => (Target::Controller, node(first)),
    }
}

fn index(n: u64) -> usize {
    usize::try_from(n).expect("an index fits")
}

//! Files that are right, files that are wrong, and what a seed makes of them.

#![allow(clippy::unwrap_used)]
use brokerlab::types::Duration;
use proptest::prelude::*;

use super::chance::Chance;
use super::model::{CommitPolicy, FaultKind, Producer, Progress, Target};
use super::*;

const FULL: &str = r#"title = "A lesson"
lesson = """
With "quotes", a \\ and
two lines."""
seed = 7
duration = "30s"
must_exercise = ["R11", "B1"]
progress = { acknowledged = 3, within = "5s" }
expect = { verdict = ["PASS", "SANCTIONED"], facts = { LeaderElected = 1, lost = 2 }, at_most = { lost = 3 }, never = ["Panicked"] }
cluster = { brokers = 3, config = { "broker.session.timeout.ms" = 3000 } }
network = { latency = "1ms" }
disk = { harsh = true }

[[topics]]
name = "orders"
partitions = 2
replicas = 3
config = { min.insync.replicas = 2 }

[[producers]]
name = "p1"
topic = "orders"
every = "20ms"
value_size = "1KiB"
config = { acks = "all" }

[[consumers]]
name = "r1"
topic = "orders"
every = "50ms"

[[faults]]
id = "f1"
at = "5s"
for = "4s"
kind = "crash"
target = "leader of orders-0"

[[faults]]
id = "cut-1"
at = "6s"
for = "1s"
kind = "cut"
from = "controller"
to = "b2"
one_way = true

[[faults]]
id = "third-answer"
at = "7s"
for = "2s"
kind = "frame"
api = "AlterPartition"
part = "response"
to = "controller"
nth = 3
fate = "sever-before"

[[faults]]
id = "late"
at = "7s"
for = "2s"
kind = "frame"
api = ["Fetch", "Produce"]
from = "b1"
fate = "delay"
by = "300ms"

[[faults]]
id = "old-news"
at = "7s"
for = "2s"
kind = "stale-metadata"
target = "a follower of orders-1"

[[faults]]
id = "three"
at = "8s"
for = "2s"
kind = "split"
groups = [["leader of orders-0", "p1"], ["b2"]]

[[faults]]
id = "bridge"
at = "8s"
for = "2s"
kind = "bridge"
target = "any broker"

[[faults]]
id = "ring"
at = "8s"
for = "2s"
kind = "majorities-ring"

[[faults]]
id = "outage"
at = "8s"
for = "2s"
kind = "outage"

[[faults]]
id = "flap"
at = "9s"
for = "2s"
kind = "flapping-link"
from = "b1"
every = "500ms"
down = "200ms"

[[faults]]
id = "no-clients"
at = "9s"
for = "2s"
kind = "cut-clients"
targets = ["b1", "b2"]

[[faults]]
id = "narrow"
at = "9s"
for = "2s"
kind = "narrow-link"
from = "b1"
to = "b3"
bandwidth = "4KiB"

[[groups]]
name = "billing"
topics = "orders"
members = 2
spare = 1
processing = "5ms"
commit = "before"
config = { session.timeout.ms = 6000, partition.assignment.strategy = "sticky" }
spare_config = { group.protocol = "consumer", group.remote.assignor = "range" }

[chaos]
kinds = ["crash", "power-loss", "cut", "slow-link", "isolate", "power-loss-at-operation", "frame", "stale-metadata", "split",
  "bridge", "majorities-ring", "flapping-link", "cut-clients", "narrow-link", "outage"]
faults = [3, 9]
at_most = { power-loss = 1 }
lasts = ["500ms", "8s"]
storms = [0, 2]

[chaos.swarm]
"cluster.brokers" = [3, 5]
"topics.orders.config.flush.messages" = [1, 1000000]
"producers.each.config.acks + producers.each.config.enable.idempotence" = ["19 * all + true", "1 + false"]
"#;

fn full() -> Scenario {
    parse("dir/full-lesson.toml", FULL).unwrap()
}

/// The error's message, the text under the caret, and the help.
fn refused(text: &str) -> (String, String, String) {
    let error = parse("bad.toml", text).unwrap_err();
    let (start, length) = (error.at.offset(), error.at.len());
    (error.message, format!("{} <- {}", &text[start..start + length], error.label), error.help.unwrap_or_default())
}

fn replaced(from: &str, to: &str) -> (String, String, String) {
    assert!(FULL.contains(from), "{from}");
    refused(&FULL.replacen(from, to, 1))
}

#[test]
fn a_file_becomes_a_value() {
    let scenario = full();
    assert_eq!((scenario.name.as_str(), scenario.seed), ("full-lesson", 7));
    assert_eq!(scenario.lesson, "With \"quotes\", a \\ and\ntwo lines.");
    assert_eq!(scenario.topics[0].config["min.insync.replicas"], "2");
    assert_eq!(scenario.progress, Some(Progress { acknowledged: 3, within: Duration::secs(5) }));
    assert_eq!(scenario.producers[0].value_bytes, 1024);
    assert_eq!(scenario.expect.facts["lost"], 2);
    assert_eq!((scenario.network.latency, scenario.network.tail_one_in), (Duration::millis(1), 200));
    assert_eq!(scenario.faults[0].kind, FaultKind::Crash { target: Target::Leader("orders".into(), 0) });
    let group = &scenario.groups[0];
    assert_eq!((group.topics.as_slice(), group.commit), (["orders".to_string()].as_slice(), CommitPolicy::Before));
    assert_eq!(group.nodes().collect::<Vec<_>>(), ["billing-1", "billing-2", "billing-3"]);
    assert_eq!((group.processing, group.every), (Duration::millis(5), Duration::ZERO));
    let protocol = |member| group.properties(member).get("group.protocol").cloned();
    assert_eq!((protocol(2), protocol(3)), (None, Some("consumer".to_string())));
}

/// The fault of the scenario strikes this target in this way.
fn struck(kind: &str, target: &str) -> Result<FaultKind, String> {
    let fault = format!("kind = \"{kind}\"\ntarget = \"{target}\"");
    let text = FULL.replacen("kind = \"crash\"\ntarget = \"leader of orders-0\"", &fault, 1);
    let scenario = parse("a.toml", &text).map_err(|error| error.message)?;
    assert_eq!(parse("b.toml", &to_toml(&scenario)).unwrap().faults, scenario.faults);
    Ok(scenario.faults[0].kind.clone())
}

#[test]
fn groups_have_targets_of_their_own() {
    let group = || "billing".to_string();
    assert_eq!(struck("pause", "a member of group billing"), Ok(FaultKind::Pause { target: Target::Member(group()) }));
    assert_eq!(struck("crash", "coordinator of group billing"), Ok(FaultKind::Crash { target: Target::Coordinator(group()) }));
    let target = Target::Owner { topic: "orders".into(), partition: 1, group: group() };
    assert_eq!(struck("member-leaves", "the owner of orders-1 in billing"), Ok(FaultKind::MemberLeaves { target }));
    let target = Target::Node("billing-3".into());
    assert_eq!(struck("member-joins", "billing-3"), Ok(FaultKind::MemberJoins { target }));
    let (target, by) = (Target::Member(group()), Duration::secs(2));
    assert_eq!(struck("slow-processing\"\nby = \"2s", "a member of group billing"), Ok(FaultKind::SlowProcessing { target, by }));
}

#[test]
fn targets_of_groups_that_do_not_exist_are_refused() {
    let refused = |kind, target| struck(kind, target).unwrap_err();
    assert_eq!(refused("pause", "a member of group bills"), "there is no group `bills`");
    assert_eq!(refused("pause", "the owner of orders-2 in billing"), "topic `orders` has no such partition");
    assert_eq!(refused("pause", "billing-4"), "there is no target `billing-4`");
    assert_eq!(refused("member-joins", "r1"), "`member-joins` is about a member of a group");
    assert_eq!(refused("member-leaves", "coordinator of group billing"), "`member-leaves` is about a member of a group");
}

/// The scenario with another pace of its producer, without the promise that only steady writers can be given.
fn paced(pace: &str) -> String {
    FULL.replacen("every = \"20ms\"", pace, 1).replacen("progress = { acknowledged = 3, within = \"5s\" }\n", "", 1)
}

#[test]
fn a_producer_may_write_at_moments_of_its_own() {
    let scenario = parse("a.toml", &paced("at = [\"7s\", \"500ms\", \"7s\"]")).unwrap();
    let moments = [Duration::millis(500), Duration::secs(7), Duration::secs(7)];
    assert_eq!((scenario.producers[0].at.as_slice(), scenario.producers[0].every), (moments.as_slice(), Duration::ZERO));
    assert!(to_toml(&scenario).contains("at = [\"500ms\", \"7s\", \"7s\"]"));
    assert_eq!(parse("full-lesson.toml", &to_toml(&scenario)).unwrap(), scenario);
}

#[test]
fn a_producer_writes_steadily_or_at_moments_and_not_after_the_end() {
    let refused = |pace| refused(&paced(pace)).0;
    assert_eq!(refused("every = \"1s\"\nat = [\"1s\"]"), "it writes steadily or at moments of its own, not both");
    assert_eq!(refused("keys = 0"), "when does it write?");
    assert_eq!(refused("at = []"), "when does it write?");
    assert_eq!(refused("at = [\"31s\"]"), "the last moment is after the fault phase");
    assert_eq!(refused("every = \"0s\""), "a producer cannot write without pause");
    assert_eq!(refused("at = [1]"), "`at` cannot be that");
    let (message, _, help) = replaced("every = \"20ms\"", "at = [\"1s\"]");
    assert!(message == "`p1` writes at moments of its own" && help.contains("steady"), "{message}: {help}");
}

#[test]
fn the_property_that_fails_first_may_be_expected() {
    let text = FULL.replacen("expect = { verdict", "expect = { property = \"R12\", verdict", 1);
    let scenario = parse("full-lesson.toml", &text).unwrap();
    assert_eq!(scenario.expect.property.as_deref(), Some("R12"));
    assert_eq!(parse("full-lesson.toml", &to_toml(&scenario)).unwrap(), scenario);
    let (message, place, _) = refused(&text.replacen("\"R12\"", "\"R122\"", 1));
    assert!(message == "there is no property `R122`" && place.contains("did you mean"), "{message} {place}");
}

#[test]
fn names_that_do_not_exist_are_refused_with_the_nearest_one() {
    let cases = [
        ("duration =", "durration =", "did you mean `duration`?"),
        ("kind = \"crash\"", "kind = \"crsh\"", "did you mean `crash`?"),
        ("\"leader of orders-0\"", "\"leader of order-0\"", "did you mean `orders`?"),
        ("min.insync.replicas = 2", "min.insync.replica = 2", "did you mean `min.insync.replicas`?"),
        ("\"R11\"", "\"R111\"", "did you mean `R11`?"),
        ("LeaderElected", "LeaderElectd", "did you mean `LeaderElected`?"),
        ("\"SANCTIONED\"", "\"SANCTIOND\"", "did you mean `SANCTIONED`?"),
        ("topic = \"orders\"", "topic = \"order\"", "did you mean `orders`?"),
        ("one_way = true", "onway = true", "did you mean `one_way`?"),
        ("\"AlterPartition\"", "\"AlterPartitions\"", "did you mean `AlterPartition`?"),
        ("topics = \"orders\"", "topics = [\"order\"]", "did you mean `orders`?"),
        ("commit = \"before\"", "commit = \"befor\"", "did you mean `before`?"),
        ("{ session.timeout.ms", "{ session.timeout", "did you mean `session.timeout.ms`?"),
        ("\"sever-before\"", "\"sever_before\"", "did you mean `sever-before`?"),
        ("partitions = 2", "partition = 2", "did you mean `partitions`?"),
        ("within =", "withn =", "did you mean `within`?"),
    ];
    for (from, to, expected) in cases {
        let (message, place, help) = replaced(from, to);
        assert!(place.ends_with(expected), "{message} | {place} | {help}");
        assert!(message.starts_with("there is no") && help.starts_with("allowed here: "), "{message} | {help}");
    }
}

#[test]
fn values_of_the_wrong_kind_are_refused_with_what_was_allowed() {
    let cases = [
        ("\"30s\"", "\"30\"", "\"30\" <- must be a duration"),
        ("\"30s\"", "30", "30 <- must be a duration"),
        ("\"30s\"", "\"18446744073s\"", "\"18446744073s\" <- must be a duration"),
        ("\"1KiB\"", "\"1KB\"", "\"1KB\" <- must be a size"),
        ("brokers = 3", "brokers = 0", "0 <- must be a whole number from 1 to 9"),
        ("brokers = 3", "brokers = -3", "-3 <- must be a whole number"),
        ("acks = \"all\"", "acks = \"most\"", "\"most\" <- must be all or -1 or 0 or 1"),
        ("min.insync.replicas = 2", "min.insync.replicas = \"two\"", "\"two\" <- must be a whole number from 1 to 100"),
        ("one_way = true", "one_way = \"yes\"", "\"yes\" <- must be true or false"),
        ("\"leader of orders-0\"", "\"the leader\"", "\"the leader\" <- must be a target"),
        ("[[\"leader of orders-0\", \"p1\"], [\"b2\"]]", "[]", "[] <- must be a list of up to 3 lists of targets"),
        ("[\"b1\", \"b2\"]", "[\"b1\", 2]", "[\"b1\", 2] <- must be a target, or a list of targets"),
        ("topics = \"orders\"", "topics = []", "[] <- must be the name of a topic, or a list of them"),
        ("members = 2", "members = 2000", "2000 <- must be a whole number from 0 to 1000"),
        ("\"sticky\"", "\"fair\"", "\"fair\" <- must be range or roundrobin or sticky or cooperative-sticky"),
        ("faults = [3, 9]", "faults = [9, 3]", "[9, 3] <- must be two whole numbers"),
        ("acknowledged = 3", "acknowledged = 0", "0 <- must be a whole number from 1 to 1000000"),
        ("seed = 7", "seed = -7", "-7 <- must be a whole number from 0"),
    ];
    for (from, to, expected) in cases {
        let (message, place, help) = replaced(from, to);
        assert!(place.starts_with(expected) && !help.is_empty(), "{message} | {place} | {help}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let cases = [
        ("replicas = 3", "replicas = 4", "more replicas than brokers"),
        ("id = \"cut-1\"", "id = \"f1\"", "there are two of fault `f1`"),
        ("name = \"r1\"", "name = \"p1\"", "there are two of node `p1`"),
        ("name = \"r1\"", "name = \"b1\"", "`b1` is the name of a broker, a controller or the laboratory"),
        ("\"leader of orders-0\"", "\"leader of orders-2\"", "topic `orders` has no such partition"),
        ("\"leader of orders-0\"", "\"b7\"", "there is no target `b7`"),
        ("at = \"5s\"", "at = \"31s\"", "the fault begins after the fault phase"),
        ("from = \"controller\"", "from = \"b2\"", "both ends of the link are the same"),
        ("to = \"b3\"", "to = \"b1\"", "both ends of the link are the same"),
        ("[\"b2\"]]", "[\"b8\"]]", "there is no target `b8`"),
        ("[[\"leader of orders-0\", \"p1\"], [\"b2\"]]", "[[]]", "nobody is in a group"),
        ("[\"b1\", \"b2\"]", "[]", "nobody is named"),
        ("down = \"200ms\"", "down = \"500ms\"", "the link never comes up"),
        ("every = \"500ms\"", "every = \"500us\"", "the link flaps too fast"),
        ("\"4KiB\"", "\"0B\"", "nothing gets through at all"),
        ("latency = \"1ms\"", "latency = \"1ms\", bandwidth = \"0B\"", "nothing gets through at all"),
        ("every = \"20ms\"", "every = \"0ms\"", "a producer cannot write without pause"),
        ("acks = \"all\"", "acks = \"1\", enable.idempotence = true", "an idempotent producer needs acks=all"),
        ("[3, 5]", "[3, 50]", "`cluster.brokers` cannot be `50`: it must be a whole number from 1 to 9"),
        ("\"cluster.brokers\"", "\"cluster.broker\"", "there is no setting `cluster.broker`"),
        ("\"1 + false\"", "\"1\"", ""),
        ("name = \"r1\"", "name = \"billing-3\"", "there are two of node `billing-3`"),
        ("session.timeout.ms = 6000", "session.timeout.ms = 3000", "`heartbeat.interval.ms` contradicts `session.timeout.ms`"),
        ("spare = 1", "spare = 0", "no member stands by whose properties these could be"),
        ("range\" }", "range\", auto.offset.reset = \"earliest\" }", "`auto.offset.reset` has to be that of `config`"),
        ("range\" }", "range\", session.timeout.ms = 9000 }", "`session.timeout.ms` contradicts `group.protocol`"),
        ("kind = \"crash\"\n", "", "`kind` is missing in [[faults]]"),
        ("within = \"5s\"", "within = \"60ms\"", "`p1` does not even ask for that"),
        ("for = \"4s\"\n", "", "`for` is missing in crash"),
        ("title = \"A lesson\"", "", "`title` is missing in (top of the file)"),
        ("[[topics]]", "[[topics]", ""),
    ];
    for (from, to, expected) in cases {
        let (message, place, help) = replaced(from, to);
        assert!(message.contains(expected), "{message} | {place} | {help}");
    }
}

#[test]
fn an_error_shows_the_line_and_the_caret() {
    let error = parse("bad.toml", &FULL.replace("\"crash\"\n", "\"crush\"\n")).unwrap_err();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
    let mut shown = String::new();
    handler.render_report(&mut shown, &error).unwrap();
    for expected in
        ["there is no kind `crush`", "bad.toml:36", "kind = \"crush\"", "did you mean `crash`?", "power-loss-at-operation"]
    {
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn a_plan_has_no_chance_left_and_expands_to_itself() {
    for seed in 0..200 {
        let plan = expand(&full(), seed);
        assert_eq!((plan.seed, plan.chaos.as_ref()), (seed, None));
        assert!(plan.faults.is_sorted_by_key(|fault| fault.at) && plan.faults.len() >= 13);
        let again = parse("another-name.toml", &to_toml(&plan)).unwrap();
        assert_eq!(again, plan, "a plan is a scenario file again");
        assert_eq!(expand(&again, seed), plan);
    }
}

#[test]
fn swarms_differ_between_seeds_and_keep_the_weights() {
    let plans: Vec<Scenario> = (0..1000).map(|seed| expand(&full(), seed)).collect();
    let brokers = |n: u32| plans.iter().filter(|plan| plan.cluster.brokers == n).count();
    assert!(brokers(3) > 400 && brokers(5) > 400 && brokers(3) + brokers(5) == 1000);
    let acks_1 = plans.iter().filter(|plan| plan.producers[0].config["acks"] == "1").count();
    assert!((20..=80).contains(&acks_1), "{acks_1}");
    assert!(
        plans
            .iter()
            .all(|plan| (plan.producers[0].config["acks"] == "1") == (plan.producers[0].config["enable.idempotence"] == "false"))
    );
    let without = |kind: &str| plans.iter().filter(|plan| plan.faults.iter().all(|fault| fault.kind.name() != kind)).count();
    assert!((450..900).contains(&without("isolate")), "a seed may do without a kind: {}", without("isolate"));
}

#[test]
fn the_third_fault_does_not_depend_on_how_many_there_are() {
    let mut more = full();
    more.chaos.as_mut().unwrap().faults = (9, 9);
    let mut fewer = full();
    fewer.chaos.as_mut().unwrap().faults = (3, 3);
    for seed in 0..50 {
        let kinds = |plan: Scenario| plan.faults.into_iter().map(|fault| (fault.at, fault.kind)).collect::<Vec<_>>();
        let (more, fewer) = (kinds(expand(&more, seed)), kinds(expand(&fewer, seed)));
        assert!(fewer.iter().all(|fault| more.contains(fault)));
    }
}

#[test]
fn every_kind_of_fault_can_be_drawn_written_and_read_back() {
    for kind in reference::fault_kinds() {
        let mut scenario = full();
        let chaos = scenario.chaos.as_mut().unwrap();
        (chaos.kinds, chaos.faults, chaos.at_most) = (vec![kind.to_string()], (5, 5), [].into());
        for seed in 0..40 {
            let plan = expand(&scenario, seed);
            assert!(plan.faults.iter().filter(|fault| fault.kind.name() == kind).count() >= 5, "{kind}");
            assert_eq!(parse("p.toml", &to_toml(&plan)).map_err(|error| error.message), Ok(plan));
        }
    }
}

#[test]
fn storms_move_a_leadership_twice_within_a_round_trip_and_only_by_kinds_that_are_allowed() {
    let mut scenario = full();
    let chaos = scenario.chaos.as_mut().unwrap();
    (chaos.faults, chaos.storms) = ((0, 0), (1, 1));
    chaos.kinds = ["elect-preferred", "restart", "slow-link"].map(String::from).to_vec();
    let fixed = scenario.faults.len();
    let moves = |plan: &Scenario| -> Vec<Duration> {
        let drawn = plan.faults.iter().filter(|fault| ["elect-preferred", "restart"].contains(&fault.kind.name()));
        drawn.map(|fault| fault.at).collect()
    };
    let plans: Vec<Scenario> = (0..200).map(|seed| expand(&scenario, seed)).collect();
    let is_quick = |plan: &&Scenario| moves(plan).windows(2).any(|pair| pair[1].0 - pair[0].0 <= Duration::millis(5).0);
    assert!(plans.iter().filter(is_quick).count() > 40);
    let kinds: Vec<&str> = plans.iter().flat_map(|plan| &plan.faults).map(|fault| fault.kind.name()).collect();
    assert!(kinds.contains(&"slow-link") && kinds.iter().filter(|kind| **kind == "stale-metadata").count() == plans.len());
    assert!(plans.iter().all(|plan| plan.faults.len() > fixed), "each has a slow link at least");
    (scenario.chaos.as_mut().unwrap()).storms = (0, 0);
    assert_eq!(expand(&scenario, 7).faults.len(), fixed);
}

#[test]
fn a_kind_strikes_at_most_as_often_as_the_profile_allows() {
    let mut scenario = full();
    let chaos = scenario.chaos.as_mut().unwrap();
    (chaos.kinds, chaos.faults) = (vec!["power-loss".into()], (9, 9));
    let plan = expand(&scenario, 3);
    assert_eq!(plan.faults.iter().filter(|fault| fault.kind.name() == "power-loss").count(), 1);
}

#[test]
fn the_first_so_many_clients_take_part_and_draw_as_before() {
    let mut scenario = full();
    let first = scenario.producers[0].clone();
    scenario.producers.push(Producer { name: "p2".into(), ..first });
    let swarm = &mut scenario.chaos.as_mut().unwrap().swarm;
    swarm.insert("producers.count".into(), vec!["1".into(), "2".into()]);
    let plans: Vec<Scenario> = (0..60).map(|seed| expand(&scenario, seed)).collect();
    assert!([1, 2].iter().all(|count| plans.iter().any(|plan| plan.producers.len() == *count)));
    scenario.chaos.as_mut().unwrap().swarm.remove("producers.count");
    let whole = (0..60).map(|seed| expand(&scenario, seed).producers[0].clone());
    assert!(plans.iter().map(|plan| plan.producers[0].clone()).eq(whole));
    scenario.chaos.as_mut().unwrap().swarm.insert("producers.count".into(), vec!["3".into()]);
    assert!(settings::check(&scenario).unwrap_err().contains("from 0 to 2"));
}

/// Spoils a text at a few places, as slips of the hand and of editors do.
fn mutated(text: &str, chance: Chance) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for n in 0..chance.about("how many").between(1, 4) {
        let chance = chance.number(n);
        let at = usize::try_from(chance.about("at").below(chars.len() as u64)).unwrap();
        let end = (at + usize::try_from(chance.about("length").between(1, 30)).unwrap()).min(chars.len());
        match chance.about("how").below(6) {
            0 => drop(chars.drain(at..end)),
            1 => chars.insert(at, ['"', '[', ']', '=', '\n', '9', '-', '.', '{', '\u{e9}'][at % 10]),
            2 => chars[at] = ['x', '0', ' ', '"', '\0'][at % 5],
            3 => {
                let other = (at * 7 + 3) % chars.len();
                chars.swap(at, other);
            }
            4 => {
                let copy: Vec<char> = chars[at..end].to_vec();
                chars.splice(at..at, copy);
            }
            _ => drop(chars.splice(at..at, "99999999999999999999".chars())),
        }
        if chars.is_empty() {
            chars.push('x');
        }
    }
    chars.into_iter().collect()
}

#[test]
fn no_spoiled_file_makes_the_reader_panic() {
    let (mut refused, mut taken) = (0, 0);
    for n in 0..4000 {
        let text = mutated(FULL, Chance::of(n));
        match parse("spoiled.toml", &text) {
            Ok(scenario) => {
                taken += 1;
                let plan = expand(&scenario, n);
                assert_eq!(parse("p.toml", &to_toml(&plan)).map_err(|error| error.message), Ok(plan));
            }
            Err(error) => {
                refused += 1;
                assert!(!error.message.is_empty() && error.at.offset() + error.at.len() <= text.len());
                assert!(text.is_char_boundary(error.at.offset()));
            }
        }
    }
    assert!(refused > 2000, "{refused} refused, {taken} taken");
}

proptest! {
    #[test]
    fn a_scenario_that_was_written_is_read_back(
        title in any::<String>(),
        lesson in any::<String>(),
        seed in any::<u64>(),
        every in 1u64..10_000_000_000,
        at in 0u64..30_000_000_000,
        by in 0..=super::units::LONGEST.0,
        chaos in any::<bool>(),
    ) {
        let mut scenario = full();
        (scenario.title, scenario.lesson, scenario.seed) = (title, lesson, seed);
        scenario.producers[0].every = Duration(every);
        scenario.progress = Some(Progress { acknowledged: 3, within: Duration(3 * every + 1) });
        scenario.faults[0].at = Duration(at);
        scenario.faults[1].kind = FaultKind::SlowLink { from: Target::AnyBroker, to: Target::Controller, by: Duration(by) };
        if !chaos {
            scenario.chaos = None;
        }
        let text = to_toml(&scenario);
        prop_assert_eq!(parse("other.toml", &text).map_err(|error| format!("{}\n{text}", error.message)), Ok(scenario));
    }
}

//! The world with its real cast.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use brokerlab::fact::Fact;
use brokerlab::types::Duration;
use brokerlab_reports::event::{What, WorldFact};
use brokerlab_reports::verdict::Verdict;

use super::*;

const CALM: &str = r#"title = "Nothing goes wrong"
seed = 1
duration = "5s"
cluster = { brokers = 3, drift_ppm_max = 100 }
[[topics]]
name = "orders"
partitions = 2
replicas = 3
config = { "min.insync.replicas" = 2 }
[[producers]]
name = "p1"
topic = "orders"
every = "10ms"
[[consumers]]
name = "r1"
topic = "orders"
every = "20ms"
"#;

fn plan(faults: &str) -> Scenario {
    crate::scenario::parse("cluster.toml", &format!("{CALM}{faults}")).unwrap()
}

fn report(plan: &Scenario) -> RunReport {
    run(plan, RunOptions { timeline: true, ..RunOptions::default() }).unwrap()
}

fn count(report: &RunReport, name: &str) -> u64 {
    report.counts.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
}

#[test]
fn calm_cluster_passes() {
    let report = report(&plan(""));
    assert_eq!(report.judgement.verdict, Verdict::Pass, "{:#?}", report);
    assert_eq!(count(&report, "Settled"), 1);
    assert!(count(&report, "HighWatermarkAdvanced") > 400);
}

/// Every kind of fault, in the words of scenario files.
const TROUBLE: &str = r#"
[[faults]]
id = "f1"
at = "500ms"
for = "700ms"
kind = "crash"
target = "leader of orders-0"
[[faults]]
id = "f2"
at = "1500ms"
for = "500ms"
kind = "power-loss"
target = "a follower in the isr of orders-1"
[[faults]]
id = "f3"
at = "2200ms"
for = "800ms"
kind = "isolate"
target = "b2"
[[faults]]
id = "f4"
at = "3s"
for = "500ms"
kind = "pause"
target = "leader of orders-1"
[[faults]]
id = "f5"
at = "3500ms"
for = "300ms"
kind = "restart"
target = "b1"
[[faults]]
id = "f6"
at = "4s"
for = "300ms"
kind = "power-loss-at-operation"
nth = 9
target = "b3"
"#;

#[test]
fn troubled_cluster_settles() {
    let report = report(&plan(TROUBLE));
    assert_eq!(report.judgement.verdict, Verdict::Pass, "{:#?}", report);
    assert_eq!((count(&report, "FaultBegan"), count(&report, "FaultEnded")), (6, 6));
}

#[test]
fn same_plan_same_hash_whatever_the_engines_seed() {
    let plan = plan(TROUBLE);
    let hash = |madsim_seed| run(&plan, RunOptions { madsim_seed, ..RunOptions::default() }).unwrap().hash;
    assert_eq!(hash(1), hash(2));
}

/// Every kind of fault of the network, one after the other.
const WEATHER: &str = r#"
[[faults]]
id = "f1"
at = "300ms"
for = "600ms"
kind = "frame"
api = "Produce"
nth = 3
count = 2
fate = "hold"
[[faults]]
id = "f2"
at = "1s"
for = "500ms"
kind = "stale-metadata"
target = "a follower of orders-0"
[[faults]]
id = "f3"
at = "1500ms"
for = "500ms"
kind = "split"
groups = [["leader of orders-0", "p1"], ["a follower of orders-0"]]
[[faults]]
id = "f4"
at = "2s"
for = "500ms"
kind = "bridge"
target = "leader of orders-0"
[[faults]]
id = "f5"
at = "2500ms"
for = "500ms"
kind = "majorities-ring"
[[faults]]
id = "f6"
at = "3s"
for = "500ms"
kind = "flapping-link"
from = "leader of orders-0"
every = "100ms"
down = "40ms"
[[faults]]
id = "f7"
at = "3500ms"
for = "500ms"
kind = "cut-clients"
targets = ["leader of orders-0", "b3"]
[[faults]]
id = "f8"
at = "4s"
for = "500ms"
kind = "narrow-link"
from = "leader of orders-0"
bandwidth = "8KiB"
"#;

#[test]
fn cluster_in_bad_weather_settles_and_the_weather_has_no_other_source_of_chance() {
    let plan = plan(WEATHER);
    let (first, again) = (report(&plan), report(&plan));
    assert_eq!(first.judgement.verdict, Verdict::Pass, "{:#?}", first);
    assert_eq!((count(&first, "FaultBegan"), count(&first, "FaultEnded"), count(&first, "FaultSkipped")), (8, 8, 0));
    assert!(count(&first, "FrameStruck") >= 2, "{:?}", first.counts);
    assert_eq!(first.hash, again.hash);
}

#[test]
fn stale_metadata_holds_back_what_is_new_but_not_the_heartbeats() {
    const STALE: &str = r#"
[[faults]]
id = "f1"
at = "500ms"
for = "4s"
kind = "stale-metadata"
target = "a follower of orders-0"
[[faults]]
id = "f2"
at = "1s"
for = "500ms"
kind = "restart"
target = "leader of orders-0"
"#;
    let mut plan = plan(STALE);
    plan.cluster.config.insert("broker.session.timeout.ms".into(), "2000".into());
    plan.cluster.config.insert("broker.heartbeat.interval.ms".into(), "500".into());
    let all = Arc::new(Mutex::new(Vec::new()));
    let sink = all.clone();
    let observer: Observer = Box::new(move |event| sink.lock().unwrap().push(event.clone()));
    run(&plan, RunOptions { observer: Some(observer), ..RunOptions::default() }).unwrap();
    let all = all.lock().unwrap();
    let began = all.iter().find_map(|event| {
        let What::World(WorldFact::FaultBegan { nodes, .. }) = &event.what else { return None };
        Some((event.at, nodes[0]))
    });
    let (began, victim) = began.unwrap();
    let ended = began.plus(Duration::secs(4));
    let is_told = |event: &&Event| event.at > began && event.at < ended;
    let fenced =
        |event: &Event| matches!(event.what, What::Fact(Fact::BrokerFenced { broker, .. }) if broker.0 == i32::from(victim.0));
    assert!(!all.iter().filter(is_told).any(fenced), "its heartbeats flow");
    let applied = |event: &Event| matches!(event.what, What::Fact(Fact::MetadataApplied { .. })) && event.node == Some(victim);
    let last_in_time = began.plus(Duration::millis(50));
    assert!(!all.iter().filter(is_told).any(|event| applied(event) && event.at > last_in_time), "it hears nothing new");
    assert!(all.iter().any(|event| applied(event) && event.at >= ended), "until the fault is over");
}

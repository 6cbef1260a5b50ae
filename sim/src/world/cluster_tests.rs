//! The world with its real cast.
#![allow(clippy::unwrap_used)]

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

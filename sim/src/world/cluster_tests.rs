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

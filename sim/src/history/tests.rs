//! Each check has a history that it must condemn, and a healthy twin that differs in one line.
#![allow(clippy::unwrap_used)]

use brokerlab_reports::verdict::Verdict;

use super::*;

/// Two producers and a consumer; what is written is read, then read once more at the end.
const HEALTHY: &[&str] = &[
    r#"{"event":"producer","client":"p1","acks":"all","idempotence":true,"max_in_flight":5}"#,
    r#"{"event":"producer","client":"p2","acks":"all","idempotence":true,"max_in_flight":5}"#,
    r#"{"event":"consumer","client":"c1"}"#,
    r#"{"event":"consumer","client":"end"}"#,
    r#"{"event":"assign","client":"c1","partitions":[{"topic":"orders","partition":0}]}"#,
    r#"{"event":"send","client":"p1","op":1,"topic":"orders","value":"a"}"#,
    r#"{"event":"send","client":"p1","op":2,"topic":"orders","value":"b"}"#,
    r#"{"event":"sent","client":"p1","op":1,"partition":0,"offset":0}"#,
    r#"{"event":"sent","client":"p1","op":2,"partition":0,"offset":1}"#,
    r#"{"event":"send","client":"p2","op":1,"topic":"orders","value":"c"}"#,
    r#"{"event":"sent","client":"p2","op":1,"partition":0,"offset":2}"#,
    r#"{"event":"send","client":"p2","op":2,"topic":"orders","value":"d"}"#,
    r#"{"event":"failed","client":"p2","op":2}"#,
    r#"{"event":"send","client":"p2","op":3,"topic":"orders","value":"e"}"#,
    r#"{"event":"unknown","client":"p2","op":3}"#,
    r#"{"event":"read","client":"c1","topic":"orders","partition":0,"records":[[0,"a"],[1,"b"]]}"#,
    r#"{"event":"read","client":"c1","topic":"orders","partition":0,"records":[[2,"c"]]}"#,
    r#"{"event":"ask-end","client":"c1","op":1,"topic":"orders","partition":0}"#,
    r#"{"event":"end","client":"c1","op":1,"offset":3}"#,
    r#"{"event":"final","client":"end"}"#,
    r#"{"event":"must-read","topic":"orders","partition":0,"offset":3}"#,
    r#"{"event":"assign","client":"end","partitions":[{"topic":"orders","partition":0}]}"#,
    r#"{"event":"read","client":"end","topic":"orders","partition":0,"records":[[0,"a"],[1,"b"],[2,"c"]]}"#,
];

const FINAL: &str = r#""client":"end","topic":"orders","partition":0,"records":[[0,"a"],[1,"b"],[2,"c"]]"#;

fn judged(lines: &[String]) -> OuterJudgement {
    judge(lines.join("\n").as_bytes()).unwrap()
}

/// The healthy history with one line changed.
fn doctored(from: &str, to: &str) -> OuterJudgement {
    let healthy: Vec<String> = HEALTHY.iter().map(ToString::to_string).collect();
    let found = healthy.iter().filter(|line| line.contains(from)).count();
    assert_eq!(found, 1, "{from} stands on one line");
    judged(&healthy.iter().map(|line| line.replace(from, to)).collect::<Vec<_>>())
}

fn condemned_by(judgement: &OuterJudgement, check: &str) -> bool {
    let found = judgement.findings.iter().any(|one| one.check == check && one.verdict == Verdict::Violation);
    found && judgement.verdict == Verdict::Violation
}

#[test]
fn a_healthy_history_passes() {
    let judgement = judged(&HEALTHY.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!((judgement.verdict, judgement.findings.len()), (Verdict::Pass, 0), "{judgement:#?}");
    assert_eq!(judgement.counts[..5], [("written", 5), ("acknowledged", 3), ("indefinite", 1), ("failed", 1), ("read", 3)]);
}

#[test]
fn an_acknowledged_record_that_is_gone_is_a_lost_write() {
    let lost = doctored(FINAL, &FINAL.replace(r#",[2,"c"]"#, r#",[2,"e"]"#));
    assert!(condemned_by(&lost, "B1"), "{lost:#?}");
    assert_eq!(lost.counts[5], ("lost", 1));
}

#[test]
fn two_records_at_one_offset_are_a_lost_write() {
    assert!(condemned_by(
        &doctored(r#""client":"p2","op":1,"partition":0,"offset":2"#, r#""client":"p2","op":1,"partition":0,"offset":1"#),
        "B1"
    ));
}

#[test]
fn a_record_that_stands_twice_is_a_duplicate() {
    let twice = FINAL.replace(r#"[2,"c"]"#, r#"[2,"c"],[3,"c"]"#);
    assert!(condemned_by(&doctored(FINAL, &twice), "B2"));
}

#[test]
fn a_record_that_was_read_and_is_another_now_diverged() {
    assert!(condemned_by(&doctored(r#"[[2,"c"]]"#, r#"[[2,"e"]]"#), "B3"));
}

#[test]
fn a_record_that_nobody_wrote_is_a_phantom() {
    let phantom = FINAL.replace(r#"[2,"c"]"#, r#"[2,"c"],[3,"d"]"#);
    assert!(condemned_by(&doctored(FINAL, &phantom), "B4"), "its write failed for certain");
    let indefinite = FINAL.replace(r#"[2,"c"]"#, r#"[2,"c"],[3,"e"]"#);
    assert_eq!(doctored(FINAL, &indefinite).verdict, Verdict::Pass, "nobody knew what became of it");
}

#[test]
fn a_later_write_at_an_earlier_offset_breaks_real_time_order() {
    let lines = HEALTHY.iter().map(|line| {
        let line =
            line.replace(r#""client":"p1","op":1,"partition":0,"offset":0"#, r#""client":"p1","op":1,"partition":0,"offset":1"#);
        let line =
            line.replace(r#""client":"p1","op":2,"partition":0,"offset":1"#, r#""client":"p1","op":2,"partition":0,"offset":2"#);
        let line =
            line.replace(r#""client":"p2","op":1,"partition":0,"offset":2"#, r#""client":"p2","op":1,"partition":0,"offset":0"#);
        line.replace(r#"[0,"a"],[1,"b"]"#, r#"[0,"c"],[1,"a"]"#).replace(r#"[2,"c"]"#, r#"[2,"b"]"#)
    });
    let judgement = judged(&lines.collect::<Vec<_>>());
    assert!(condemned_by(&judgement, "B5"), "{judgement:#?}");
    assert!(!condemned_by(&judgement, "B1"));
}

#[test]
fn records_of_one_producer_out_of_order_are_found() {
    let lines = HEALTHY.iter().map(|line| {
        let line =
            line.replace(r#""client":"p1","op":1,"partition":0,"offset":0"#, r#""client":"p1","op":1,"partition":0,"offset":1"#);
        let line =
            line.replace(r#""client":"p1","op":2,"partition":0,"offset":1"#, r#""client":"p1","op":2,"partition":0,"offset":0"#);
        line.replace(r#"[0,"a"],[1,"b"]"#, r#"[0,"b"],[1,"a"]"#)
    });
    assert!(condemned_by(&judged(&lines.collect::<Vec<_>>()), "B6"));
}

#[test]
fn a_consumer_that_skips_a_record_is_found() {
    assert!(condemned_by(
        &doctored(
            r#""client":"c1","topic":"orders","partition":0,"records":[[0,"a"],[1,"b"]]"#,
            r#""client":"c1","topic":"orders","partition":0,"records":[[0,"a"]]"#
        ),
        "B7"
    ));
}

#[test]
fn an_end_before_what_was_read_is_found() {
    let judgement = doctored(r#""op":1,"offset":3"#, r#""op":1,"offset":2"#);
    assert_eq!((judgement.verdict, &*judgement.findings[0].check), (Verdict::Sanctioned, "B12"), "{judgement:#?}");
}

#[test]
fn a_promise_of_the_leader_alone_may_be_broken() {
    let lines = HEALTHY.iter().filter(|line| !line.contains(r#""client":"c1""#) || line.contains("consumer")).map(|line| {
        let line =
            line.replace(r#""client":"p2","acks":"all","idempotence":true"#, r#""client":"p2","acks":"1","idempotence":false"#);
        line.replace(r#",[2,"c"]"#, "").replace(
            r#""must-read","topic":"orders","partition":0,"offset":3"#,
            r#""must-read","topic":"orders","partition":0,"offset":2"#,
        )
    });
    let judgement = judged(&lines.collect::<Vec<_>>());
    assert_eq!(judgement.verdict, Verdict::Sanctioned, "{judgement:#?}");
}

#[test]
fn a_history_without_a_whole_final_read_proves_nothing() {
    assert_eq!(doctored(FINAL, &FINAL.replace(r#",[2,"c"]"#, "")).findings[0].verdict, Verdict::Unknown);
    let without: Vec<String> = HEALTHY.iter().take(19).map(ToString::to_string).collect();
    assert_eq!(judged(&without).verdict, Verdict::Unknown);
}

#[test]
fn a_line_that_does_not_fit_is_named() {
    let error = |text: &str| judge(text.as_bytes()).unwrap_err().to_string();
    assert!(error("{}").starts_with("line 1: missing field `event`"), "{}", error("{}"));
    assert!(error("\n{\"event\":\"final\",\"client\":\"x\"}").starts_with("line 2: x was not introduced"));
    let consumer = r#"{"event":"consumer","client":"c"}"#;
    assert_eq!(error(&format!("{consumer}\n{consumer}")), "line 2: c takes part already");
    let sent = r#"{"event":"sent","client":"c","op":1,"partition":0}"#;
    assert_eq!(error(&format!("{consumer}\n{sent}")), "line 2: record 1 of this producer is not on its way");
}

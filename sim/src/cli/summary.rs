//! What a run is worth: verdict against expectation, exit code, JSON.

use std::collections::BTreeMap;

use brokerlab_reports::verdict::Verdict;
use serde_json::{Value, json};

use super::{Exit, Outcome};
use crate::scenario::Scenario;

/// Verdicts that the scenario accepts.
#[must_use]
pub fn expected(scenario: &Scenario) -> Vec<String> {
    if scenario.expect.verdicts.is_empty() { vec![Verdict::Pass.name().into()] } else { scenario.expect.verdicts.clone() }
}

/// How often something happened: a fact, a fact of the world, or a count of the judgement.
#[must_use]
pub fn tally(outcome: &Outcome) -> BTreeMap<&str, u64> {
    let facts = outcome.facts.iter().map(|(name, count)| (name.as_str(), *count));
    facts.chain(outcome.judgement.counts.iter().map(|(name, count)| (name.as_str(), *count))).collect()
}

/// What the scenario expects and this run did not bring, in words.
///
/// Facts are expected of the scenario as it is written: with another bug planted from the command line only the verdict counts.
#[must_use]
pub fn missed(scenario: &Scenario, outcome: &Outcome, as_written: bool) -> Vec<String> {
    let mut missed = Vec::new();
    let (verdict, expected) = (outcome.judgement.verdict.name(), expected(scenario));
    if !expected.iter().any(|name| name == verdict) {
        missed.push(format!("verdict {} was expected, {verdict} it is", expected.join(" or ")));
    }
    let property = outcome.judgement.property.as_deref().unwrap_or("none");
    if let Some(wanted) = scenario.expect.property.as_ref().filter(|wanted| as_written && *wanted != property) {
        missed.push(format!("{wanted} was expected to fail first, {property} did"));
    }
    let tally = tally(outcome);
    let facts = scenario.expect.facts.iter().filter(|_| as_written);
    for (name, least) in facts {
        let found = tally.get(name.as_str()).copied().unwrap_or(0);
        if found < *least {
            missed.push(format!("{name} was expected at least {least} times and happened {found} times"));
        }
    }
    for (name, most) in scenario.expect.at_most.iter().filter(|_| as_written) {
        let found = tally.get(name.as_str()).copied().unwrap_or(0);
        if found > *most {
            missed.push(format!("{name} was expected at most {most} times and happened {found} times"));
        }
    }
    for name in scenario.expect.never.iter().filter(|_| as_written) {
        let found = tally.get(name.as_str()).copied().unwrap_or(0);
        if found > 0 {
            missed.push(format!("{name} was never to happen and happened {found} times"));
        }
    }
    missed
}

/// The exit code of one run.
#[must_use]
pub fn exit(scenario: &Scenario, outcome: &Outcome, as_written: bool) -> Exit {
    let verdict = outcome.judgement.verdict;
    if missed(scenario, outcome, as_written).is_empty() {
        return Exit::GOOD;
    }
    let accepted = expected(scenario).iter().any(|name| name == verdict.name());
    match verdict.exit_code() {
        code if code > 0 && !accepted => Exit(code),
        _ if !as_written => Exit::GOOD,
        _ => Exit::MISSED,
    }
}

/// The object on the last line of `run --json`.
#[must_use]
pub fn json(scenario: &Scenario, seed: u64, outcome: &Outcome, as_written: bool, reproduce: &str) -> Value {
    let judgement = &outcome.judgement;
    let checks: Vec<Value> = judgement
        .checks
        .iter()
        .map(|check| json!({"id": check.id, "evaluated": check.evaluated, "exercised": check.exercised, "violated": check.violated}))
        .collect();
    let missed = missed(scenario, outcome, as_written);
    let expected = expected(scenario);
    json!({
        "scenario": scenario.name,
        "seed": seed.to_string(),
        "mutant": scenario.mutant,
        "verdict": judgement.verdict.name(),
        "hash": outcome.hash.to_string(),
        "events": outcome.events,
        "frames": outcome.frames,
        "simulated_ms": outcome.simulated.0 / 1_000_000,
        "checks": checks,
        "property": judgement.property,
        "sentence": judgement.sentence,
        "counts": judgement.counts.iter().map(|(name, count)| (name.clone(), json!(count))).collect::<serde_json::Map<_, _>>(),
        "facts": outcome.facts.iter().map(|(name, count)| (name.clone(), json!(count))).collect::<serde_json::Map<_, _>>(),
        "expected": if let [one] = &expected[..] { json!(one) } else { json!(expected) },
        "met": missed.is_empty(),
        "missed": missed,
        "reproduce": reproduce,
    })
}

#[cfg(test)]
mod tests {
    use brokerlab::types::Time;
    use brokerlab_reports::recording::RunHash;
    use brokerlab_reports::verdict::Judgement;

    use super::*;
    use crate::scenario::model::Expect;

    fn outcome(verdict: Verdict, elections: u64) -> Outcome {
        let judgement = Judgement {
            verdict,
            property: None,
            sentence: String::new(),
            checks: vec![],
            findings: vec![],
            counts: vec![("lost".into(), 3)],
        };
        let facts = vec![("LeaderElected".to_string(), elections)];
        Outcome {
            judgement,
            hash: RunHash(1),
            ladder: vec![],
            events: 1,
            frames: 1,
            simulated: Time(5_000_000),
            facts,
            nodes: vec![],
            reached: crate::reach::Reached::default(),
            timeline: vec![],
            symptom: None,
            fault_phase: None,
            operations: 0,
        }
    }

    fn expecting(verdicts: &[&str], facts: &[(&str, u64)]) -> Scenario {
        let verdicts = verdicts.iter().map(ToString::to_string).collect();
        let facts = facts.iter().map(|(name, count)| (name.to_string(), *count)).collect();
        Scenario { expect: Expect { verdicts, facts, ..Expect::default() }, ..Scenario::default() }
    }

    #[test]
    fn exit_codes_follow_verdict_and_expectation() {
        let code = |scenario: &Scenario, verdict, elections| exit(scenario, &outcome(verdict, elections), true).0;
        let plain = expecting(&[], &[("LeaderElected", 1)]);
        assert_eq!(code(&plain, Verdict::Pass, 1), 0);
        assert_eq!(code(&plain, Verdict::Pass, 0), 6, "the lesson did not happen");
        assert_eq!(code(&plain, Verdict::Sanctioned, 1), 6, "a loss where none was expected");
        assert_eq!(code(&plain, Verdict::Violation, 0), 1);
        assert_eq!(code(&plain, Verdict::Hang, 1), 3);
        let lossy = expecting(&["SANCTIONED"], &[("lost", 3)]);
        assert_eq!(code(&lossy, Verdict::Sanctioned, 0), 0);
        assert_eq!(code(&lossy, Verdict::Pass, 0), 6);
        let taught = expecting(&["VIOLATION"], &[("lost", 4)]);
        assert_eq!(code(&taught, Verdict::Violation, 0), 6, "the violation came, the fact did not");
        assert_eq!(
            exit(&plain, &outcome(Verdict::Sanctioned, 0), false),
            Exit::GOOD,
            "another bug was planted: facts do not count"
        );
    }

    #[test]
    fn too_often_is_missed_as_well_as_too_seldom() {
        let mut once = expecting(&[], &[("LeaderElected", 1)]);
        once.expect.at_most = [("LeaderElected".to_string(), 1)].into();
        assert!(missed(&once, &outcome(Verdict::Pass, 1), true).is_empty());
        let twice = missed(&once, &outcome(Verdict::Pass, 2), true);
        assert_eq!(twice, ["LeaderElected was expected at most 1 times and happened 2 times"]);
        assert!(missed(&once, &outcome(Verdict::Pass, 2), false).is_empty(), "another bug was planted");
    }

    #[test]
    fn another_property_than_expected_is_missed() {
        let mut wanted = expecting(&["VIOLATION"], &[]);
        wanted.expect.property = Some("R12".into());
        let mut found = outcome(Verdict::Violation, 1);
        assert_eq!(missed(&wanted, &found, true), ["R12 was expected to fail first, none did"]);
        assert_eq!(exit(&wanted, &found, true), Exit::MISSED);
        assert!(missed(&wanted, &found, false).is_empty(), "another bug was planted");
        found.judgement.property = Some("R12".into());
        assert_eq!(exit(&wanted, &found, true), Exit::GOOD);
    }

    #[test]
    fn json_keeps_the_contract() {
        let json = json(&expecting(&[], &[]), u64::MAX, &outcome(Verdict::Pass, 1), true, "brokerlab run x");
        assert_eq!(json["seed"], "18446744073709551615");
        assert_eq!(json["hash"], "00000000000000000000000000000001");
        assert_eq!((json["simulated_ms"].as_u64(), json["met"].as_bool()), (Some(5), Some(true)));
        for key in ["scenario", "verdict", "events", "checks", "property", "expected", "reproduce"] {
            assert!(json.get(key).is_some(), "{key}");
        }
    }
}

//! From a failing seed to a file: what is written is small, is read back as what was found, and fails in the same way; and nothing of it depends on threads.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use brokerlab_sim::scenario::{Scenario, expand, load, parse};
use brokerlab_sim::shrink::story::{Origin, file, scenario};
use brokerlab_sim::shrink::{Budget, NothingToShrink, Order, Shrunk, shrink};
use brokerlab_sim::world::{RunOptions, RunReport, run};

/// A seed of random chaos in which this bug does harm: 68 faults, 5 brokers, 9 clients.
const BUG: &str = "hw-truncation";
const SEED: u64 = 1;

fn failing() -> Scenario {
    let chaos = load(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/random-chaos.toml").as_ref()).unwrap();
    expand(&Scenario { mutant: Some(BUG.into()), ..chaos }, SEED)
}

fn shrunk(plan: &Scenario, jobs: usize, budget: Budget) -> Result<Shrunk, NothingToShrink> {
    shrink(plan, &Order { jobs, budget, spent: &|| 0.0, watch: &|_, _, _| {} })
}

fn origin() -> Origin {
    Origin { original: "brokerlab run chaos".into(), again: "brokerlab run small.toml".into(), stem: "small".into() }
}

fn replay(text: &str) -> (Scenario, RunReport) {
    let plan = parse("small.toml", text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let plan = expand(&plan, plan.seed);
    let report = run(&plan, RunOptions::default()).unwrap();
    (plan, report)
}

#[test]
fn a_failing_seed_becomes_a_file_that_shows_the_bug_with_three_faults_at_most() {
    let shrunk = shrunk(&failing(), 2, Budget::Unlimited).unwrap();
    assert!(shrunk.is_minimal && shrunk.to.faults <= 3 && shrunk.to.operations <= 20, "{shrunk:?}");
    assert!(shrunk.from.faults > 20 && shrunk.to.clients < shrunk.from.clients && shrunk.to.brokers <= 3);
    let text = file(&shrunk, &origin());
    let (plan, report) = replay(&text);
    assert_eq!(plan, scenario(&shrunk, &origin()), "what is written is read back");
    assert_eq!(report.symptom, Some(shrunk.symptom.clone()));
    assert_eq!(plan.expect.property.as_deref(), report.judgement.property.as_deref());
    // Without the bug, and without any of its faults, it does not fail like that.
    let (_, healthy) = replay(&text.replace(&format!("mutant = \"{BUG}\"\n"), ""));
    assert_ne!(healthy.symptom, report.symptom);
    for at in 0..plan.faults.len() {
        let mut fewer = plan.clone();
        fewer.faults.remove(at);
        assert_ne!(run(&fewer, RunOptions::default()).unwrap().symptom, report.symptom, "without {}", plan.faults[at].id);
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let (one, three) = (shrunk(&failing(), 1, Budget::Unlimited).unwrap(), shrunk(&failing(), 3, Budget::Unlimited).unwrap());
    assert_eq!((one.runs, file(&one, &origin())), (three.runs, file(&three, &origin())));
}

#[test]
fn what_a_small_budget_has_reached_is_written_and_fails_too() {
    for runs in [10, 60] {
        let some = shrunk(&failing(), 2, Budget::Runs(runs)).unwrap();
        assert!(!some.is_minimal && some.runs <= runs + 10, "{}", some.runs);
        let text = file(&some, &origin());
        assert!(text.contains("The budget ended the search"), "{text}");
        assert_eq!(replay(&text).1.symptom, Some(some.symptom));
    }
}

#[test]
fn what_does_not_fail_by_the_bug_is_not_shrunk() {
    let healthy = Scenario { mutant: None, ..failing() };
    assert!(matches!(shrunk(&healthy, 2, Budget::Unlimited), Err(NothingToShrink::Passes(_))));
}

fn brokerlab(arguments: &[&str]) -> Output {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    Command::new(env!("CARGO_BIN_EXE_brokerlab")).args(arguments).current_dir(root).env_remove("CARGO").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn scratch(name: &str) -> String {
    std::env::temp_dir().join(format!("brokerlab-shrink-{}-{name}", std::process::id())).to_string_lossy().into_owned()
}

#[test]
fn the_command_shrinks_a_recording_and_its_file_is_as_expected() {
    let (recording, out) = (scratch("run.rec"), scratch("small.toml"));
    let run = ["run", "scenarios/random-chaos.toml", "--seed", "1", "--mutant", BUG, "--json", "--record", &recording];
    assert_eq!(brokerlab(&run).status.code(), Some(1));
    let output = brokerlab(&["shrink", &recording, "-o", &out, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((json["minimal"].as_bool(), json["mutant"].as_str()), (Some(true), Some(BUG)));
    assert!(json["from"]["faults"].as_u64() > Some(20) && json["to"]["faults"].as_u64() <= Some(3), "{json}");
    let again = brokerlab(&["run", &out, "--json"]);
    assert_eq!(again.status.code(), Some(0), "the file expects what it shows: {}", text(&again.stdout));
    assert!(text(&again.stdout).contains(json["property"].as_str().unwrap()));
    for scratch in [recording, out] {
        std::fs::remove_file(scratch).unwrap();
    }
}

#[test]
fn wrong_use_ends_with_64_and_a_remedy() {
    let lesson = "scenarios/leader-crash.toml";
    let out = scratch("never.toml");
    let cases: [(&[&str], &str); 6] = [
        (&["shrink", lesson], "--out"),
        (&["shrink", "scenarios/no-such-lesson.toml", "-o", &out], "cannot read"),
        (&["shrink", lesson, "-o", &out], "--until-failure"),
        (&["shrink", lesson, "-o", "no/such/place/x.toml"], "mkdir -p no/such/place"),
        (&["shrink", lesson, "-o", "scenarios"], "it is a directory"),
        (&["shrink", lesson, "-o", &out, "--budget", "500"], "`500runs`"),
    ];
    for (arguments, remedy) in cases {
        let output = brokerlab(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(text(&output.stderr).contains(remedy), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty() && !std::path::Path::new(&out).exists());
    }
}

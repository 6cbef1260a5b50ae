//! The program as a tool: wrong use ends with 64 and a remedy, right use with what was asked for on standard output.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn brokerlab(arguments: &[&str]) -> Output {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    Command::new(env!("CARGO_BIN_EXE_brokerlab")).args(arguments).current_dir(root).env_remove("CARGO").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn written(name: &str, text: &str) -> String {
    let path = std::env::temp_dir().join(format!("brokerlab-{}-{name}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn wrong_use_ends_with_64() {
    let wrong: [&[&str]; 7] = [
        &["frobnicate"],
        &["run"],
        &["run", "scenarios/leader-crash.toml", "--sed", "1"],
        &["run", "scenarios/leader-crash.toml", "--seed", "one"],
        &["run", "scenarios/no-such-lesson.toml"],
        &["sweep", "scenarios/leader-crash.toml", "--seeds", "0"],
        &["show", "scenarios/leader-crash.toml"],
    ];
    for arguments in wrong {
        let output = brokerlab(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", err(&output));
        assert!(!err(&output).is_empty() && out(&output).is_empty());
    }
}

#[test]
fn a_mistake_in_a_scenario_is_shown_with_its_place() {
    let lesson = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/leader-crash.toml")).unwrap();
    let path = written("mistake", &lesson.replace("kind = \"crash\"", "kind = \"crush\""));
    for command in ["run", "plan", "sweep"] {
        let output = brokerlab(&[command, &path]);
        assert_eq!(output.status.code(), Some(64));
        let text = err(&output);
        for expected in ["there is no kind `crush`", "kind = \"crush\"", "did you mean `crash`?", "allowed here:"] {
            assert!(text.contains(expected), "{text}");
        }
    }
}

#[test]
fn an_unknown_bug_is_refused_with_the_nearest_one() {
    let output = brokerlab(&["run", "scenarios/leader-crash.toml", "--mutant", "ack-before-replicating"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(err(&output).contains("Did you mean `ack-before-replication`?"), "{}", err(&output));
}

#[test]
fn help_and_version_are_good() {
    for arguments in [["--help"], ["--version"]] {
        let output = brokerlab(&arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(out(&output).contains("brokerlab"));
    }
    assert!(out(&brokerlab(&["--help"])).contains("64 wrong use"));
}

#[test]
fn a_plan_is_the_same_every_time_and_expands_to_itself() {
    let plan = || out(&brokerlab(&["plan", "scenarios/basic-chaos.toml", "--seed", "42"]));
    assert_eq!(plan(), plan());
    let path = written("plan", &plan());
    assert_eq!(out(&brokerlab(&["plan", &path])), plan());
}

#[test]
fn lists_are_json_on_the_last_line() {
    for (arguments, key) in
        [(["scenarios", "--json"].as_slice(), "scenarios"), (["mutants", "list", "--json"].as_slice(), "mutants")]
    {
        let output = brokerlab(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let json: serde_json::Value = serde_json::from_str(out(&output).lines().last().unwrap()).unwrap();
        assert!(json[key].as_array().is_some_and(|list| !list.is_empty()));
    }
}

#[test]
fn the_reference_explains_every_kind_of_fault() {
    let text = out(&brokerlab(&["scenarios", "--reference"]));
    for expected in
        ["power-loss-at-operation", "a follower in the isr of orders-0", "min.insync.replicas", "a whole number and a unit"]
    {
        assert!(text.contains(expected), "{expected}");
    }
}

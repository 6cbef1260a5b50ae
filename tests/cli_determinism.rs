//! Same scenario, seed and build: the same hash, whichever way it is asked for.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;

fn json(arguments: &[&str]) -> Value {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new(env!("CARGO_BIN_EXE_brokerlab")).args(arguments).current_dir(root).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_else(|| panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(last).unwrap()
}

fn temporary(name: &str) -> String {
    std::env::temp_dir().join(format!("brokerlab-{}-{name}", std::process::id())).to_string_lossy().into_owned()
}

#[test]
fn a_run_and_its_plan_and_its_recording_have_one_hash() {
    let record = temporary("run.rec");
    let run = json(&["run", "scenarios/basic-chaos.toml", "--seed", "3", "--json"]);
    let recorded = json(&["run", "scenarios/basic-chaos.toml", "--seed", "3", "--json", "--record", &record]);
    let shown = json(&["show", &record, "--json"]);
    let plan = Command::new(env!("CARGO_BIN_EXE_brokerlab"))
        .args(["plan", "scenarios/basic-chaos.toml", "--seed", "3"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    let path = temporary("plan.toml");
    std::fs::write(&path, plan.stdout).unwrap();
    let planned = json(&["run", &path, "--json"]);
    for other in [&recorded, &shown, &planned] {
        assert_eq!(other["hash"], run["hash"]);
        assert_eq!((&other["scenario"], &other["seed"], &other["verdict"]), (&run["scenario"], &run["seed"], &run["verdict"]));
    }
}

#[test]
fn a_sweep_does_not_depend_on_the_number_of_workers() {
    let sweep = |jobs: &str| {
        json(&["sweep", "scenarios/basic-chaos.toml", "--seeds", "6", "--first-seed", "100", "--jobs", jobs, "--json"])
    };
    let (one, three) = (sweep("1"), sweep("3"));
    for key in ["digest", "verdicts", "failures", "seeds", "frames", "frames_median"] {
        assert_eq!(one[key], three[key], "{key}");
    }
    let alone = json(&["run", "scenarios/basic-chaos.toml", "--seed", "105", "--json"]);
    assert!(one["frames"].as_u64() > alone["frames"].as_u64());
}

#[test]
fn checks_change_nothing() {
    let hash = |more: &[&str]| json(&[&["run", "scenarios/isolated-leader.toml", "--json"], more].concat())["hash"].clone();
    assert_eq!(hash(&[]), hash(&["--no-checks"]));
}

#[test]
fn a_failure_leaves_its_evidence() {
    let place = temporary("evidence");
    std::fs::create_dir_all(&place).unwrap();
    let lesson = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/leader-crash.toml");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_brokerlab")).args(arguments).current_dir(&place).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, told) = run(&["run", lesson, "--mutant", "ack-before-replication", "--json"]);
    assert_eq!(code, Some(1), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let (code, again) = run(&["run", "runs/leader-crash+ack-before-replication-1/plan.toml", "--json"]);
    assert_eq!(code, Some(1), "{again}");
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["hash"], &again["property"]), (&told["hash"], &told["property"]));
    let (code, shown) = run(&["show", "runs/leader-crash+ack-before-replication-1/run.rec", "--json"]);
    assert_eq!(code, Some(0));
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["hash"], told["hash"]);
    let (code, _) = run(&["show", "runs/leader-crash+ack-before-replication-1/run.rec", "--report", "again.html"]);
    assert_eq!(code, Some(0));
    let read = |name: &str| std::fs::read_to_string(std::path::Path::new(&place).join(name)).unwrap();
    let report = read("runs/leader-crash+ack-before-replication-1/report.html");
    assert_eq!(report, read("again.html"), "a report is made of the recording alone");
    let property = told["property"].as_str().unwrap();
    for words in ["VIOLATION", property, "--mutant ack-before-replication", told["hash"].as_str().unwrap()] {
        assert!(report.contains(words), "{words}");
    }
    assert!(report.len() < 2_000_000, "{} bytes", report.len());
    std::fs::remove_dir_all(&place).unwrap();
}

#[test]
fn a_sweep_names_the_reports_of_its_lowest_failing_seeds() {
    let place = temporary("sweep");
    std::fs::create_dir_all(&place).unwrap();
    let lesson = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/leader-crash.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_brokerlab"))
        .args(["sweep", lesson, "--mutant", "ack-before-replication", "--seeds", "2", "--json"])
        .current_dir(&place)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    let failures = told["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 2);
    for failure in failures {
        let evidence = std::path::Path::new(&place).join(failure["evidence"].as_str().unwrap());
        for name in ["report.html", "run.rec", "plan.toml", "summary.json"] {
            assert!(evidence.join(name).is_file(), "{name} is missing in {}", evidence.display());
        }
    }
    std::fs::remove_dir_all(&place).unwrap();
}

//! Same scenario, seed and code: the same hash, whoever builds it and however it is run.
//!
//! `basic-chaos` is used throughout: it touches every kind of fault and setting. Debug builds look at fewer seeds.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use brokerlab_sim::scenario;
use brokerlab_sim::world::{RunOptions, run};
use serde_json::Value;

const SCENARIO: &str = "scenarios/basic-chaos.toml";
const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 200 };
/// Seeds that are run by builds of another kind, some of them slow.
const TWIN_SEEDS: u64 = 20;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The last line of what a command prints.
fn json(command: &mut Command) -> Value {
    let output = command.current_dir(root()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = text.lines().last().unwrap_or_else(|| panic!("{command:?} printed nothing\n{errors}"));
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}\n{errors}"))
}

fn sweep(program: &Path, seeds: u64, jobs: u64) -> Value {
    let (seeds, jobs) = (seeds.to_string(), jobs.to_string());
    json(Command::new(program).args(["sweep", SCENARIO, "--seeds", &seeds, "--jobs", &jobs, "--json"]))
}

fn this_binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_brokerlab"))
}

#[test]
fn twice_in_one_process_whatever_the_engine_and_the_checks() {
    let text = std::fs::read_to_string(root().join(SCENARIO)).unwrap();
    let chaos = scenario::parse(SCENARIO, &text).unwrap();
    for seed in 1..=SEEDS {
        let plan = scenario::expand(&chaos, seed);
        let hash = |madsim_seed, checks| {
            let options = RunOptions { madsim_seed, checks, ..RunOptions::default() };
            run(&plan, options).unwrap().hash
        };
        assert_eq!(hash(1, true), hash(2, false), "seed {seed}");
    }
}

#[test]
fn in_two_processes_by_one_worker_or_two() {
    let program = this_binary();
    let (one, two) = (sweep(&program, SEEDS, 1), sweep(&program, SEEDS, 2));
    assert_eq!(one["digest"], two["digest"]);
    assert_eq!(one["verdicts"], two["verdicts"]);
}

#[test]
fn debug_and_release_with_and_without_planted_bugs() {
    let expected = sweep(&this_binary(), TWIN_SEEDS, 2)["digest"].clone();
    for (profile, features) in [("dev", "mutants"), ("dev", ""), ("release", "mutants")] {
        let program = build(profile, features);
        assert_eq!(sweep(&program, TWIN_SEEDS, 2)["digest"], expected, "profile {profile}, features '{features}'");
    }
}

#[test]
fn lean_build_names_no_planted_bug() {
    let lean = std::fs::read(build("dev", "")).unwrap();
    let program = build("dev", "mutants");
    let full = std::fs::read(&program).unwrap();
    let listed = Command::new(&program).args(["mutants", "list", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let entries = listed["mutants"].as_array().unwrap().iter().filter(|entry| entry["applicable"] == true);
    let slugs: Vec<&str> = entries.map(|entry| entry["slug"].as_str().unwrap()).collect();
    assert!(slugs.len() > 30, "{slugs:?}");
    let names = |binary: &[u8], slug: &str| binary.windows(slug.len()).any(|window| window == slug.as_bytes());
    for slug in slugs {
        assert!(names(&full, slug), "{slug} is in the full build, else this test proves nothing");
        assert!(!names(&lean, slug), "{slug}");
    }
}

/// The binary of that profile with those features: this one, if it is of that kind, else one built beside it. A debug build for speed of
/// building: no debug information, and nothing is optimized.
fn build(profile: &'static str, features: &'static str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<(&str, &str), PathBuf>> = Mutex::new(BTreeMap::new());
    let ours = (if cfg!(debug_assertions) { "dev" } else { "release" }, if cfg!(feature = "mutants") { "mutants" } else { "" });
    if ours == (profile, features) {
        return this_binary();
    }
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = built.get(&(profile, features)) {
        return program.clone();
    }
    let beside = this_binary().parent().unwrap().parent().unwrap().join("twins");
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--package", "brokerlab-sim", "--no-default-features", "--profile", profile]);
    command.args(["--config", "profile.dev.debug=false", "--config", "profile.dev.package.'*'.opt-level=0"]);
    command.args(["--features", features, "--target-dir"]).arg(&beside).current_dir(root());
    assert!(command.status().unwrap().success(), "{command:?}");
    let program = beside.join(if profile == "dev" { "debug" } else { profile }).join("brokerlab");
    let kept = beside.join(format!("brokerlab-{profile}-{features}"));
    std::fs::copy(program, &kept).unwrap();
    built.insert((profile, features), kept.clone());
    kept
}

//! The lessons of `scenarios/` as files: every one is read, named as it should be, worth reading, and survives as a plan.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use brokerlab_sim::scenario::{Scenario, expand, load, parse, to_toml};

fn lessons() -> Vec<(PathBuf, Scenario)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    assert!(paths.len() >= 9, "{paths:?}");
    paths.into_iter().map(|path| (path.clone(), load(&path).unwrap_or_else(|error| panic!("{error:?}")))).collect()
}

#[test]
fn every_lesson_is_read_and_named_after_its_file() {
    for (path, scenario) in lessons() {
        assert_eq!(Some(scenario.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
        assert!(scenario.lesson.trim().lines().count() >= 3, "{} teaches nothing", scenario.name);
        assert!(!scenario.must_exercise.is_empty(), "{} proves nothing", scenario.name);
    }
}

#[test]
fn every_lesson_but_chaos_proves_that_what_it_teaches_happened() {
    for (_, scenario) in lessons().into_iter().filter(|(_, scenario)| scenario.chaos.is_none()) {
        assert!(!scenario.expect.facts.is_empty(), "{} expects no fact", scenario.name);
    }
}

#[test]
fn every_lesson_survives_as_a_plan() {
    for (_, scenario) in lessons() {
        for seed in [0, 1, 77, u64::MAX] {
            let plan = expand(&scenario, seed);
            let read = parse("somewhere/else.toml", &to_toml(&plan)).unwrap();
            assert_eq!(read, plan);
            assert_eq!(expand(&read, seed), plan, "{} with seed {seed}", scenario.name);
        }
    }
}

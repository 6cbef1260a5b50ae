//! The museum: each scenario of `scenarios/museum/` plants one historical bug and makes it appear. With the bug the run fails, by a property that
//! the museum names; without it the same run passes, though nothing else has changed.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use brokerlab::mutant::{MUSEUM, Mutant};
use brokerlab_reports::verdict::{Judgement, Verdict};
use brokerlab_sim::scenario::{Scenario, expand, load, parse, to_toml};
use brokerlab_sim::world::{RunOptions, run};

fn exhibits() -> Vec<Scenario> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/museum");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let exhibits: Vec<Scenario> = paths.iter().map(|path| load(path).unwrap_or_else(|error| panic!("{error:?}"))).collect();
    assert!(exhibits.len() >= 22, "{paths:?}");
    exhibits
}

fn judge(scenario: &Scenario) -> Judgement {
    run(&expand(scenario, scenario.seed), RunOptions::default()).unwrap().judgement
}

#[test]
fn each_exhibit_is_named_after_its_bug_and_tells_where_it_is_from() {
    for exhibit in exhibits() {
        let mutant = Mutant::from_slug(exhibit.mutant.as_deref().unwrap()).unwrap();
        let entry = mutant.entry();
        assert_eq!(exhibit.name, format!("{}-{}", entry.id.to_lowercase(), entry.slug));
        let lesson = &exhibit.lesson;
        // The basics are promises taken literally; nobody ever filed them.
        let is_told = entry.id.starts_with("BA-") || lesson.contains("KIP-") || lesson.contains("KAFKA-");
        assert!(is_told, "{} does not say where the bug is from", exhibit.name);
        assert!(MUSEUM.iter().any(|known| known.id == entry.id));
    }
}

#[test]
fn each_bug_appears_by_the_property_that_the_museum_names() {
    for exhibit in exhibits() {
        let entry = Mutant::from_slug(exhibit.mutant.as_deref().unwrap()).unwrap().entry();
        let judgement = judge(&exhibit);
        let property = judgement.property.clone().unwrap_or_default();
        let name = &exhibit.name;
        assert_eq!(judgement.verdict, Verdict::Violation, "{name}: {}", judgement.sentence);
        assert!(entry.caught_by.contains(&property.as_str()), "{name} fails by {property}: {}", judgement.sentence);
    }
}

#[test]
fn each_scenario_passes_without_its_bug() {
    for exhibit in exhibits() {
        let name = exhibit.name.clone();
        let judgement = judge(&Scenario { mutant: None, ..exhibit });
        assert_eq!(judgement.verdict, Verdict::Pass, "{name}: {}", judgement.sentence);
    }
}

#[test]
fn each_exhibit_survives_as_a_plan() {
    for exhibit in exhibits() {
        let plan = expand(&exhibit, exhibit.seed);
        assert_eq!(parse("somewhere/else.toml", &to_toml(&plan)).unwrap(), plan);
    }
}

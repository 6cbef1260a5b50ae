//! Measuring the laboratory by bugs that are known to be there.
//!
//! One trial for each bug that can be planted: seeds of one random scenario are run until one of them fails. A failure counts only if the
//! switch really changed a decision in that run, and if the same seed without the bug does not fail by the same property: each catch is run
//! once more as a control. A failure that the bug has no part in is a bug of our own, a *stray*, and worth more than the whole
//! campaign; the search goes on with the next seed. What is noted of a trial is what tells a good search from a lucky one: which property
//! saw it first, whether the museum names that property, how many seeds it took, and, of a survivor, in how many runs the switch
//! acted unseen.
//!
//! ```text
//!   seed with the bug ──▶ passes                                  next seed
//!                    └──▶ fails, the switch has not acted         stray; next seed
//!                    └──▶ fails, the switch has acted ──▶ seed without the bug ──▶ fails alike     stray; next seed
//!                                                                             └──▶ does not        found
//!
//!   never acted         the search does not reach the decision
//!   acted, not seen     the search does not reach the consequence, or no check looks there, or nobody can tell the difference
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use brokerlab::mutant::{Entry, MUSEUM, Standing};
use brokerlab_reports::verdict::{Judgement, Verdict};
use serde_json::{Value, json};

/// What one run with a planted bug brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Brought {
    /// The verdict.
    pub verdict: Verdict,
    /// The first property that failed.
    pub property: Option<String>,
    /// How often the switch changed a decision.
    pub acted: u64,
    /// What the same seed brings without the bug; run only where it matters.
    pub control: Option<Control>,
}

/// What a seed brings without the planted bug.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// The verdict.
    pub verdict: Verdict,
    /// The first property that failed.
    pub property: Option<String>,
}

impl Control {
    /// What a judgement says.
    #[must_use]
    pub fn of(judgement: &Judgement) -> Control {
        Control { verdict: judgement.verdict, property: judgement.property.clone() }
    }

    /// In a word or two.
    #[must_use]
    pub fn word(&self) -> String {
        let property = self.property.as_ref().filter(|_| is_failure(self.verdict));
        property.map_or(self.verdict.name().to_string(), |property| format!("{} {property}", self.verdict.name()))
    }
}

fn is_failure(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Violation | Verdict::Crash | Verdict::Hang)
}

impl Brought {
    /// What a judgement says, and the facts of its run.
    #[must_use]
    pub fn of(judgement: &Judgement, facts: &[(String, u64)]) -> Brought {
        let acted = facts.iter().find(|(name, _)| name == "MutantActed").map_or(0, |(_, count)| *count);
        Brought { verdict: judgement.verdict, property: judgement.property.clone(), acted, control: None }
    }

    /// Whether something is wrong with this run.
    #[must_use]
    pub fn fails(&self) -> bool {
        is_failure(self.verdict)
    }

    /// Whether it looks as if the planted bug was found: the seed must then be run without it.
    #[must_use]
    pub fn accuses(&self) -> bool {
        self.fails() && self.acted > 0
    }

    /// Whether the planted bug was found.
    #[must_use]
    pub fn catches(&self) -> bool {
        self.accuses() && !self.control.as_ref().is_some_and(|control| self.fails_like(control))
    }

    /// Whether the run fails in a way that the planted bug has no part in.
    #[must_use]
    pub fn strays(&self) -> bool {
        self.fails() && !self.catches()
    }

    fn fails_like(&self, control: &Control) -> bool {
        is_failure(control.verdict) && control.property == self.property
    }
}

/// How well a finding fits what the museum says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// The museum names that property.
    Named,
    /// Another inner property saw it first.
    Inner,
    /// It was seen from outside only, or by an assertion.
    Other,
}

impl Fit {
    fn of(entry: &Entry, property: Option<&str>) -> Fit {
        match property {
            Some(property) if entry.caught_by.contains(&property) => Fit::Named,
            Some(property) if property.starts_with(['R', 'D', 'Q', 'P', 'G']) => Fit::Inner,
            Some(_) | None => Fit::Other,
        }
    }

    /// In one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Fit::Named => "named",
            Fit::Inner => "inner",
            Fit::Other => "other",
        }
    }
}

/// The trial of one bug.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The bug.
    pub entry: &'static Entry,
    /// The first seed.
    pub first_seed: u64,
    /// What each seed brought, up to the first that caught it.
    pub runs: BTreeMap<u64, Brought>,
    /// Processor time.
    pub cpu_seconds: f64,
}

impl Trial {
    /// The seed that caught it.
    #[must_use]
    pub fn caught(&self) -> Option<(u64, &Brought)> {
        self.runs.iter().find(|(_, brought)| brought.catches()).map(|(seed, brought)| (*seed, brought))
    }

    /// Seeds until it was caught, that one included.
    #[must_use]
    pub fn seeds_to_detection(&self) -> Option<u64> {
        self.caught().map(|(seed, _)| seed - self.first_seed + 1)
    }

    /// In how many runs the switch acted.
    #[must_use]
    pub fn acted_in(&self) -> usize {
        self.runs.values().filter(|brought| brought.acted > 0).count()
    }

    /// Seeds that failed though the switch did nothing, or that fail alike without it.
    pub fn strays(&self) -> impl Iterator<Item = (u64, &Brought)> {
        self.runs.iter().filter(|(_, brought)| brought.strays()).map(|(seed, brought)| (*seed, brought))
    }

    /// What the catching seed brings without the bug, in a word.
    #[must_use]
    pub fn control(&self) -> String {
        let control = self.caught().and_then(|(_, brought)| brought.control.as_ref());
        control.map_or(String::new(), Control::word)
    }

    /// How well the finding fits; `None` for a survivor.
    #[must_use]
    pub fn fit(&self) -> Option<Fit> {
        self.caught().map(|(_, brought)| Fit::of(self.entry, brought.property.as_deref()))
    }

    /// What caught it, in a word.
    #[must_use]
    pub fn catcher(&self) -> String {
        match self.caught() {
            Some((_, Brought { property: Some(property), .. })) => property.clone(),
            Some((_, brought)) => brought.verdict.name().to_string(),
            None => "survives".to_string(),
        }
    }

    /// Why nobody saw a survivor, as far as the campaign can tell.
    #[must_use]
    pub fn survival(&self) -> String {
        match (self.acted_in(), self.runs.len()) {
            (0, runs) => format!("never acted in {runs} seeds: the search does not reach the decision"),
            (acted, runs) => format!("acted in {acted} of {runs} seeds, and no check saw a consequence"),
        }
    }

    fn to_json(&self) -> Value {
        let caught = self.caught();
        json!({
            "id": self.entry.id,
            "slug": self.entry.slug,
            "killed": caught.is_some(),
            "seed": caught.map(|(seed, _)| seed.to_string()),
            "verdict": caught.map(|(_, brought)| brought.verdict.name()),
            "property": caught.and_then(|(_, brought)| brought.property.clone()),
            "control": caught.and_then(|(_, brought)| brought.control.as_ref()).map(|control| {
                json!({ "verdict": control.verdict.name(), "property": control.property })
            }),
            "fit": self.fit().map(Fit::word),
            "caught_by": self.entry.caught_by,
            "seeds": self.seeds_to_detection().unwrap_or(self.runs.len() as u64),
            "acted_in": self.acted_in(),
            "strays": self.strays().map(|(seed, _)| seed.to_string()).collect::<Vec<_>>(),
            "cpu_s": hundredths(self.cpu_seconds),
        })
    }
}

/// All trials.
#[derive(Debug)]
pub struct Campaign {
    /// File of the scenario.
    pub scenario: String,
    /// The first seed.
    pub first_seed: u64,
    /// Seeds for each bug, at most.
    pub seeds: u64,
    /// In the order of the museum.
    pub trials: Vec<Trial>,
}

impl Campaign {
    /// Bugs that were found.
    #[must_use]
    pub fn killed(&self) -> usize {
        self.trials.iter().filter(|trial| trial.caught().is_some()).count()
    }

    /// Median of the seeds to detection, over those that were found.
    #[must_use]
    pub fn median_seeds(&self) -> Option<u64> {
        let mut seeds: Vec<u64> = self.trials.iter().filter_map(Trial::seeds_to_detection).collect();
        seeds.sort_unstable();
        seeds.get(seeds.len() / 2).copied()
    }

    /// Processor time of all trials.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        self.trials.iter().map(|trial| trial.cpu_seconds).sum()
    }

    /// Those that were not found.
    pub fn survivors(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| trial.caught().is_none())
    }

    /// One object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (mut configurations, mut latent, mut absent) = (0, 0, 0);
        for entry in MUSEUM {
            match entry.standing {
                Standing::Applicable(_) => {}
                Standing::Latent(..) => latent += 1,
                Standing::Configuration(_) => configurations += 1,
                Standing::NotApplicable(_) => absent += 1,
            }
        }
        json!({
            "scenario": self.scenario,
            "first_seed": self.first_seed.to_string(),
            "seeds_max": self.seeds,
            "killed": self.killed(),
            "total": self.trials.len(),
            "configurations": configurations,
            "latent": latent,
            "not_applicable": absent,
            "median_seeds": self.median_seeds(),
            "cpu_s": hundredths(self.cpu_seconds()),
            "mutants": self.trials.iter().map(Trial::to_json).collect::<Vec<_>>(),
        })
    }

    /// The table of `MUTANTS.md`.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "{} of {} planted bugs found by `{}` within {} seeds each (first seed {}); median {} seeds; {:.0} s of processor time.\n\n",
            self.killed(),
            self.trials.len(),
            self.scenario,
            self.seeds,
            self.first_seed,
            self.median_seeds().map_or("no".to_string(), |median| median.to_string()),
            self.cpu_seconds(),
        );
        text.push_str("| id | bug | caught by | the museum says | seeds | acted in | without the bug |\n");
        text.push_str("|---|---|---|---|---|---|---|\n");
        for trial in &self.trials {
            let seeds = trial.seeds_to_detection().map_or("–".to_string(), |seeds| seeds.to_string());
            let fit = trial.fit().map_or(String::new(), |fit| format!(" ({})", fit.word()));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| {} | `{}` | {}{fit} | {} | {seeds} | {} of {} | {} |",
                trial.entry.id,
                trial.entry.slug,
                trial.catcher(),
                trial.entry.caught_by.join(", "),
                trial.acted_in(),
                trial.runs.len(),
                trial.control(),
            );
        }
        text
    }
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Where the table stands in `MUTANTS.md`; everything around it is written by people.
const BEGIN: &str = "<!-- campaign: `brokerlab mutants run --write` refreshes what follows -->";
const END: &str = "<!-- end of campaign -->";

/// The page with a fresh table.
#[must_use]
pub fn refreshed(page: &str, table: &str) -> String {
    crate::page::refreshed(page, (BEGIN, END), table)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn brought(verdict: Verdict, property: Option<&str>, acted: u64) -> Brought {
        Brought { verdict, property: property.map(Into::into), acted, control: None }
    }

    fn controlled(brought: Brought, verdict: Verdict, property: Option<&str>) -> Brought {
        Brought { control: Some(Control { verdict, property: property.map(Into::into) }), ..brought }
    }

    fn trial(slug: &str, runs: Vec<Brought>) -> Trial {
        let entry = MUSEUM.iter().find(|entry| entry.slug == slug).unwrap();
        Trial { entry, first_seed: 10, runs: (10..).zip(runs).collect(), cpu_seconds: 1.0 }
    }

    #[test]
    fn a_failure_counts_only_if_the_switch_has_acted() {
        let pass = brought(Verdict::Pass, None, 3);
        let stray = brought(Verdict::Violation, Some("R9"), 0);
        let found = brought(Verdict::Violation, Some("R14"), 1);
        let trial = trial("hw-truncation", vec![pass, stray, found]);
        assert_eq!(trial.caught().unwrap().0, 12);
        assert_eq!((trial.seeds_to_detection(), trial.acted_in()), (Some(3), 2));
        assert_eq!(trial.strays().map(|(seed, _)| seed).collect::<Vec<_>>(), [11]);
        assert_eq!(trial.fit(), Some(Fit::Named));
    }

    #[test]
    fn a_seed_that_fails_alike_without_the_bug_is_no_catch() {
        let found = |property| brought(Verdict::Violation, Some(property), 1);
        let alike = controlled(found("R9"), Verdict::Violation, Some("R9"));
        let otherwise = controlled(found("R14"), Verdict::Hang, Some("L4"));
        let alone = controlled(found("R9"), Verdict::Sanctioned, Some("R9"));
        assert!(!alike.catches() && otherwise.catches() && alone.catches());
        let trial = trial("hw-truncation", vec![alike, otherwise]);
        assert_eq!((trial.seeds_to_detection(), trial.control()), (Some(2), "HANG L4".to_string()));
        assert_eq!(trial.strays().map(|(seed, _)| seed).collect::<Vec<_>>(), [10]);
        assert_eq!(trial.to_json()["control"]["property"], "L4");
    }

    #[test]
    fn a_survivor_says_whether_it_was_ever_reached() {
        let pass = brought(Verdict::Pass, None, 0);
        let reached = brought(Verdict::Sanctioned, Some("last-replica-standing"), 5);
        assert!(trial("hw-truncation", vec![pass.clone()]).survival().starts_with("never acted in 1 seeds"));
        assert!(trial("hw-truncation", vec![pass, reached]).survival().starts_with("acted in 1 of 2 seeds"));
    }

    #[test]
    fn the_median_is_over_those_that_were_found() {
        let late = vec![brought(Verdict::Pass, None, 0), brought(Verdict::Hang, Some("L4"), 1)];
        let trials = vec![
            trial("hw-truncation", late),
            trial("no-dedup-window", vec![brought(Verdict::Crash, None, 1)]),
            trial("no-crc-check", vec![brought(Verdict::Pass, None, 0)]),
        ];
        let campaign = Campaign { scenario: "x".into(), first_seed: 10, seeds: 5, trials };
        assert_eq!((campaign.killed(), campaign.median_seeds()), (2, Some(2)));
        let json = campaign.to_json();
        assert_eq!((json["killed"].as_u64(), json["total"].as_u64()), (Some(2), Some(3)));
        assert_eq!(json["mutants"][2]["killed"], false);
    }

    #[test]
    fn only_the_table_of_the_page_is_replaced() {
        let page = format!("# Title\n\n{BEGIN}\n\nold\n{END}\n\n## Survivors\n");
        assert_eq!(refreshed(&page, "new"), format!("# Title\n\n{BEGIN}\n\nnew\n{END}\n\n## Survivors\n"));
        assert!(refreshed("# Title\n", "new").ends_with(&format!("new\n{END}\n")));
    }
}

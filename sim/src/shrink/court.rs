//! Whether a candidate shows the bug that was sought.
//!
//! ```text
//!   candidate ──▶ is it a scenario?        written and read back; what does not fit together is no candidate
//!             ──▶ seen before?             the answer is the same
//!             ──▶ run it                   fails alike (verdict, property, kind of object), and a planted bug has acted
//!             ──▶ run it without the bug   does not fail by that property
//! ```
//!
//! Candidates are run on several threads, and the *first in the order in which they were proposed* wins, whoever ends first; what was run beyond it
//! is forgotten, neither counted nor remembered. So the result depends neither on the number of threads nor on their luck.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128;

use crate::check::{Follow, Symptom};
use crate::cli::{Asked, Outcome, simulate};
use crate::scenario::{Scenario, parse, to_toml};
use crate::sweep::{Order, sweep};

/// A planted bug may make somebody run in circles; no healthy run has so many events.
const EVENTS_MAX: u64 = 5_000_000;

/// How much may be spent.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Budget {
    /// As much as it takes.
    #[default]
    Unlimited,
    /// So many runs.
    Runs(u64),
    /// So many seconds of processor time. The result then depends on the machine.
    CpuSeconds(u64),
}

/// Judges candidates.
pub struct Court<'w> {
    sought: Symptom,
    /// How far candidates are followed.
    pub follow: Follow,
    jobs: usize,
    budget: Budget,
    spent: &'w dyn Fn() -> f64,
    /// Runs so far, those without the planted bug included.
    pub runs: u64,
    is_exhausted: bool,
    known: BTreeMap<u128, bool>,
}

impl<'w> Court<'w> {
    /// A court that seeks that failure. `spent` tells how many seconds of processor time are gone.
    pub fn new(sought: Symptom, follow: Follow, jobs: usize, budget: Budget, spent: &'w dyn Fn() -> f64) -> Court<'w> {
        Court { sought, follow, jobs, budget, spent, runs: 0, is_exhausted: false, known: BTreeMap::new() }
    }

    /// The budget is spent: no candidate is looked at any more.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// The first of the candidates that shows the failure.
    pub fn first(&mut self, candidates: &[Scenario]) -> Option<usize> {
        self.first_of(candidates, self.follow)
    }

    /// The first of the candidates that shows the failure when it is run to its end.
    pub fn first_in_full(&mut self, candidates: &[Scenario]) -> Option<usize> {
        self.first_of(candidates, Follow::End)
    }

    fn first_of(&mut self, candidates: &[Scenario], follow: Follow) -> Option<usize> {
        let keys: Vec<Option<u128>> = candidates.iter().map(|one| key(one, follow)).collect();
        let known = |at: usize| keys[at].map_or(Some(false), |key| self.known.get(&key).copied());
        let hit = (0..candidates.len()).find(|at| known(*at) == Some(true));
        let open: Vec<usize> = (0..hit.unwrap_or(candidates.len())).filter(|at| known(*at).is_none()).collect();
        let open = self.affordable(open);
        let order = Order { seeds: 0..open.len() as u64, jobs: self.jobs, until_failure: true };
        let at = |number: u64| open[usize::try_from(number).expect("it numbers the open ones")];
        let sought = &self.sought;
        let rulings =
            sweep(&order, |number| Ok::<_, ()>(rule(&candidates[at(number)], sought, follow)), |ruling| ruling.0, |_| {});
        let mut first = hit;
        for (number, (is_guilty, runs)) in rulings.unwrap_or_default() {
            self.runs += runs;
            self.known.extend(keys[at(number)].map(|key| (key, is_guilty)));
            if is_guilty {
                first = Some(at(number));
            }
        }
        first
    }

    /// As many as the budget allows.
    fn affordable(&mut self, mut open: Vec<usize>) -> Vec<usize> {
        let left = match self.budget {
            Budget::Unlimited => u64::MAX,
            Budget::Runs(most) => most.saturating_sub(self.runs),
            Budget::CpuSeconds(most) if (self.spent)() >= most as f64 => 0,
            Budget::CpuSeconds(_) => u64::MAX,
        };
        if left < open.len() as u64 {
            self.is_exhausted = true;
            open.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        open
    }
}

/// Names a candidate; `None` if it is no scenario.
fn key(candidate: &Scenario, follow: Follow) -> Option<u128> {
    let text = to_toml(candidate);
    let is_sound = parse("candidate.toml", &text).is_ok_and(|again| again == *candidate);
    is_sound.then(|| xxh3_128(format!("{follow:?} {text}").as_bytes()))
}

/// Whether a candidate shows the failure, and how many runs it took to find out.
fn rule(candidate: &Scenario, sought: &Symptom, follow: Follow) -> (bool, u64) {
    // What no actor takes is no candidate.
    let Ok(outcome) = run(candidate, follow) else { return (false, 1) };
    if outcome.symptom.as_ref() != Some(sought) {
        return (false, 1);
    }
    if candidate.mutant.is_none() {
        return (true, 1);
    }
    if acted(&outcome) == 0 {
        return (false, 1);
    }
    (!fails_without_the_bug(candidate, &sought.property), 2)
}

/// Runs a plan as candidates are run.
///
/// # Errors
/// When no actor offers what the plan asks for, or this build cannot simulate.
pub fn run(plan: &Scenario, follow: Follow) -> miette::Result<Outcome> {
    simulate(plan, &Asked { follow, events_max: EVENTS_MAX, ..Asked::default() })
}

/// How often a planted bug changed a decision.
#[must_use]
pub fn acted(outcome: &Outcome) -> u64 {
    outcome.facts.iter().find(|(name, _)| name == "MutantActed").map_or(0, |(_, count)| *count)
}

/// Whether the same plan fails by that property without the planted bug, too.
#[must_use]
pub fn fails_without_the_bug(plan: &Scenario, property: &str) -> bool {
    let healthy = run(&Scenario { mutant: None, ..plan.clone() }, Follow::End);
    healthy.is_ok_and(|outcome| outcome.symptom.is_some_and(|symptom| symptom.property == property))
}

//! The smallest plan so far, and how proposals replace it.

use super::court::Court;
use super::ddmin::needed;
use crate::scenario::Scenario;

/// Other weathers that a proposal is given before it is turned down: seeds 1, 2 and so on.
const WEATHERS: u64 = 8;
/// Where so many things or fewer are left, each selection of them is tried in other weathers, too.
const FEW: usize = 12;

/// A search for a smaller plan.
pub struct Search<'c, 'w> {
    /// Judges proposals.
    pub court: &'c mut Court<'w>,
    /// The smallest plan so far that shows the failure.
    pub best: Scenario,
}

impl Search<'_, '_> {
    /// Takes the first of the proposals that shows the failure, in the weather that there is.
    pub fn as_is(&mut self, proposals: &[Scenario]) -> bool {
        let first = self.first(proposals);
        let found = first.map(|at| proposals[at].clone());
        self.take(found)
    }

    /// The same, and if there is none, the first that does in another weather. What changes the structure of a run moves everything else: the plan is
    /// no smaller cause for that, only the dice have fallen otherwise.
    pub fn in_any_weather(&mut self, proposals: &[Scenario]) -> bool {
        self.as_is(proposals) || {
            let elsewhere: Vec<Scenario> = proposals.iter().flat_map(weathers).collect();
            self.as_is(&elsewhere)
        }
    }

    /// Leaves away whatever of `count` things is not needed. `with` makes a plan that has only the things of these numbers; it is given the
    /// plan of now, whose weather may have changed, but none of whose things.
    pub fn minimize(&mut self, count: usize, with: impl Fn(&Scenario, &[usize]) -> Scenario) -> bool {
        let base = self.best.clone();
        let before = self.best.clone();
        needed(count, |selections| {
            let seed = self.best.seed;
            let mut proposals: Vec<Scenario> =
                selections.iter().map(|kept| with(&Scenario { seed, ..base.clone() }, kept)).collect();
            if let Some(first) = self.first(&proposals) {
                self.best = proposals.swap_remove(first);
                return Some(first);
            }
            if selections.iter().any(|kept| kept.len() >= FEW) {
                return None;
            }
            let elsewhere: Vec<(usize, Scenario)> =
                proposals.iter().enumerate().flat_map(|(at, one)| weathers(one).map(move |one| (at, one))).collect();
            let plans: Vec<Scenario> = elsewhere.iter().map(|(_, plan)| plan.clone()).collect();
            let (at, plan) = elsewhere.into_iter().nth(self.first(&plans)?)?;
            self.best = plan;
            Some(at)
        });
        self.best != before
    }

    fn first(&mut self, proposals: &[Scenario]) -> Option<usize> {
        self.court.first(proposals)
    }

    fn take(&mut self, found: Option<Scenario>) -> bool {
        let is_found = found.is_some();
        self.best = found.unwrap_or_else(|| self.best.clone());
        is_found
    }
}

/// The same plan in other weathers.
fn weathers(plan: &Scenario) -> impl Iterator<Item = Scenario> {
    (1..=WEATHERS).filter(|seed| *seed != plan.seed).map(|seed| Scenario { seed, ..plan.clone() })
}

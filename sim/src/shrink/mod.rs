//! From a failing seed to the smallest plan that still fails, and from there to a file that a person can read.
//!
//! A plan is data, chance is keyed by what it is about, and a failure has a name. So a failing run can be made smaller by trial: leave something away, run
//! it, and see whether it fails *alike*. That is delta debugging; what is special here is what counts as alike, and in which order
//! things are left away.
//!
//! **Alike.** The same verdict, the same property first, and a finding about the same kind of object ([`Symptom`]). With a planted bug, its switch
//! must have changed a decision, and the same plan without the bug must not fail by that property. A candidate that fails for another reason is another
//! bug, however small it is ([`court`]).
//!
//! **Short runs.** A violation is seen while the run goes on, so candidates are followed to the first one only; and if it was seen before faults
//! ended, no further than until they end. That is most of the time saved. It only ever turns candidates down: whatever is kept is run to its end
//! before the search goes on from there, and if the end should name another property than the moment did, all candidates are run to their end.
//!
//! **Order.** What makes runs short comes first, what makes files readable last; over and over until a whole round brings nothing.
//!
//! ```text
//!   faults      what begins after the failure was seen; then whatever is not needed      (ddmin)
//!   weather     no jitter, no stragglers, clocks that agree
//!   shape       clients, topics, members, partitions, brokers, replicas
//!   load        slower paces; then each write at a moment of its own                     (ddmin over writes)
//!   times       pauses closed, faults shortened, figures round
//!   settings    Kafka's properties back to their defaults                                (ddmin)
//!   plainness   fewer times, both directions, everybody
//!   targets     named by what is left, so that the rest may go
//! ```
//!
//! **Weather.** Leaving away a fault leaves the weather of the rest as it was. Leaving away a client or a broker does not: nodes get other numbers, and
//! all dice fall anew. A proposal that changes the structure is therefore tried as it is and then with up to eight other seeds, which in a plan
//! are nothing but weather.
//!
//! **Proof.** At the end the file itself is read and run, and read and run once more without each of its faults. If one of these still fails
//! alike, the search goes on from there. So what is called minimal is 1-minimal in its faults, as written.
//!
//! What is not tried: other kinds of faults with the same effect, and one fault in the place of two.

use brokerlab::types::{Duration, Time};
use brokerlab_reports::event::{What, WorldFact};
use brokerlab_reports::verdict::Judgement;

use crate::check::{Follow, Symptom};
use crate::cli::{Asked, Outcome, simulate};
use crate::scenario::{Remarks, Scenario, expand, parse, to_brief};

pub mod court;
pub mod ddmin;
mod faults;
mod load;
mod search;
mod shape;
pub mod size;
pub mod story;
pub mod table;
mod targets;
mod times;
mod weather;

pub use court::Budget;
use court::{Court, acted, fails_without_the_bug, run};
use search::Search;
pub use size::Size;

/// Rounds at most; most searches end after three.
const ROUNDS_MAX: usize = 8;

/// What is asked for.
pub struct Order<'o> {
    /// Threads. The result does not depend on it.
    pub jobs: usize,
    /// How much may be spent.
    pub budget: Budget,
    /// How many seconds of processor time are gone since the order was given.
    pub spent: &'o dyn Fn() -> f64,
    /// Is told now and then how far the search is: what is being done, what is left, and after how many runs.
    pub watch: &'o dyn Fn(&str, &Scenario, u64),
}

/// Why there is nothing to shrink.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NothingToShrink {
    /// The run does not fail.
    #[error("the run does not fail: {0}")]
    Passes(String),
    /// It fails, and the planted bug has no part in it.
    #[error("the run fails ({property}), but the planted bug {mutant} has no part in it")]
    Stray {
        /// The bug.
        mutant: String,
        /// What fails.
        property: String,
    },
    /// It cannot be run.
    #[error("the plan cannot be run: {0}")]
    CannotRun(String),
}

/// The smallest plan that was found.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The plan.
    pub plan: Scenario,
    /// How it fails.
    pub symptom: Symptom,
    /// How the written file is judged.
    pub judgement: Judgement,
    /// Whom its faults strike: names of nodes by id of the fault.
    pub struck: Vec<(String, Vec<String>)>,
    /// How large the run was.
    pub from: Size,
    /// How large it is.
    pub to: Size,
    /// Runs that it took.
    pub runs: u64,
    /// Without any one of its faults the written file does not fail alike: each was left away and the rest run.
    pub is_minimal: bool,
}

/// Makes a failing plan smaller.
///
/// # Errors
/// When it does not fail, or not by the planted bug.
pub fn shrink(plan: &Scenario, order: &Order<'_>) -> Result<Shrunk, NothingToShrink> {
    let whole = run(plan, Follow::End).map_err(|error| NothingToShrink::CannotRun(format!("{error:?}")))?;
    let symptom = sought(plan, &whole)?;
    let (follow, seen) = how_far(plan, &symptom);
    let mut court = Court::new(symptom.clone(), follow, order.jobs, order.budget, order.spent);
    court.runs = 3;
    let from = Size::of(plan, &whole);
    let mut search = Search { court: &mut court, best: bare(plan) };
    if let Some(seen) = seen {
        carry_out(&mut search, order, "the end", &|search| faults::drop_later(search, seen));
    }
    let mut is_minimal = false;
    while !is_minimal && !search.court.is_exhausted() {
        for _ in 0..ROUNDS_MAX {
            let is_smaller = STEPS.iter().map(|(name, step)| carry_out(&mut search, order, name, step));
            if !is_smaller.fold(false, |any, one| any | one) {
                break;
            }
        }
        is_minimal = prove(&mut search, order);
    }
    let best = search.best;
    let written = written(&best);
    let asked = Asked { timeline: true, ..Asked::default() };
    let end = simulate(&written, &asked).map_err(|error| NothingToShrink::CannotRun(format!("{error:?}")))?;
    let (struck, to) = (struck(&end), Size::of(&best, &end));
    Ok(Shrunk { plan: best, symptom, judgement: end.judgement, struck, from, to, runs: court.runs + 1, is_minimal })
}

/// A step of the search.
type Step = &'static dyn Fn(&mut Search<'_, '_>) -> bool;

const STEPS: [(&str, Step); 8] = [
    ("faults", &faults::drop_unneeded),
    ("weather", &weather::calm_down),
    ("shape", &shape::make_smaller),
    ("load", &load::lighten),
    ("times", &times::tighten),
    ("settings", &weather::drop_settings),
    ("plainness", &faults::make_plain),
    ("targets", &targets::rename),
];

/// Takes a step, and makes sure that what it has found fails alike when it is run to its end.
fn carry_out(search: &mut Search<'_, '_>, order: &Order<'_>, name: &str, step: &dyn Fn(&mut Search<'_, '_>) -> bool) -> bool {
    (order.watch)(name, &search.best, search.court.runs);
    let before = search.best.clone();
    step(search);
    if search.best != before && search.court.follow != Follow::End && !is_confirmed(search) {
        search.best.clone_from(&before);
        search.court.follow = Follow::End;
        step(search);
    }
    search.best != before
}

fn is_confirmed(search: &mut Search<'_, '_>) -> bool {
    let best = search.best.clone();
    search.court.first_in_full(&[best]).is_some()
}

/// Reads the written file and runs it without each of its faults. Whatever still fails alike is the smaller plan to go on with.
fn prove(search: &mut Search<'_, '_>, order: &Order<'_>) -> bool {
    (order.watch)("proof", &search.best, search.court.runs);
    let written = written(&search.best);
    let fewer: Vec<Scenario> = (0..written.faults.len()).map(|at| without(&written, at)).collect();
    match search.court.first_in_full(&fewer) {
        Some(at) => {
            search.best = fewer[at].clone();
            search.court.follow = Follow::End;
            false
        }
        None => !search.court.is_exhausted(),
    }
}

fn without(plan: &Scenario, fault: usize) -> Scenario {
    let mut plan = plan.clone();
    plan.faults.remove(fault);
    plan
}

/// The plan as it is read from its file.
fn written(plan: &Scenario) -> Scenario {
    let text = to_brief(plan, &Remarks::default());
    let again = parse(&format!("{}.toml", plan.name), &text).expect("a plan that was judged can be written and read");
    expand(&again, again.seed)
}

/// The failure that is sought.
fn sought(plan: &Scenario, whole: &Outcome) -> Result<Symptom, NothingToShrink> {
    let judgement = &whole.judgement;
    let symptom = whole.symptom.clone();
    let symptom = symptom.ok_or_else(|| NothingToShrink::Passes(format!("{} {}", judgement.verdict, judgement.sentence)))?;
    match &plan.mutant {
        Some(mutant) if acted(whole) == 0 || fails_without_the_bug(plan, &symptom.property) => {
            Err(NothingToShrink::Stray { mutant: mutant.clone(), property: symptom.property })
        }
        Some(_) | None => Ok(symptom),
    }
}

/// How far candidates have to be followed, and when the failure is seen, from the begin of the fault phase.
fn how_far(plan: &Scenario, symptom: &Symptom) -> (Follow, Option<Duration>) {
    let is_seen = |follow| run(plan, follow).ok().filter(|outcome| outcome.symptom.as_ref() == Some(symptom));
    let since = |from: Time, at: Time| at.since(from);
    if let Some(outcome) = is_seen(Follow::Settle) {
        return (Follow::Settle, outcome.fault_phase.map(|from| since(from, outcome.simulated)));
    }
    let follow = if is_seen(Follow::Violation).is_some() { Follow::Violation } else { Follow::End };
    (follow, None)
}

/// The plan without what is not about this run: what its scenario expects of all seeds, and teaches.
fn bare(plan: &Scenario) -> Scenario {
    let expect = crate::scenario::model::Expect::default();
    Scenario { must_exercise: Vec::new(), expect, title: "shrunk".into(), lesson: String::new(), ..plan.clone() }
}

fn struck(outcome: &Outcome) -> Vec<(String, Vec<String>)> {
    let name = |node: usize| outcome.nodes.get(node).cloned().unwrap_or_default();
    let began = outcome.timeline.iter().filter_map(|event| {
        let What::World(WorldFact::FaultBegan { fault, nodes, .. }) = &event.what else { return None };
        Some((fault.to_string(), nodes.iter().map(|node| name(usize::from(node.0))).collect()))
    });
    began.collect()
}

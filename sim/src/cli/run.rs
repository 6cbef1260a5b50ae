//! `brokerlab run`: one scenario, one seed, one story.

use std::io::IsTerminal;
use std::path::PathBuf;

use brokerlab_reports::recording::LADDER_STEP;
use brokerlab_reports::verdict::Verdict;

use super::evidence::Kept;
use super::output::say;
use super::timeline::timeline;
use super::{Asked, Case, Exit, Outcome, evidence, laboratory, summary};
use crate::scenario::{Scenario, expand};

/// Run a scenario or a plan once, and judge it
#[derive(clap::Args, Debug)]
pub struct Run {
    #[command(flatten)]
    case: Case,
    /// Seed; default: the scenario's own
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object instead of the story
    #[arg(long)]
    json: bool,
    /// Write the recorded run there (see `brokerlab show`)
    #[arg(long, value_name = "OUT")]
    record: Option<PathBuf>,
    /// Do not check: only hash (checks never change a run)
    #[arg(long, hide = true)]
    no_checks: bool,
}

impl Run {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let scenario = self.case.load()?;
        let seed = self.seed.unwrap_or(scenario.seed);
        let plan = expand(&scenario, seed);
        let asked = Asked { record: self.record.clone(), checks: !self.no_checks, timeline: !self.json, ..Asked::default() };
        let outcome = laboratory::simulate(&plan, &asked)?;
        let as_written = self.case.mutant.is_none();
        let reproduce = self.case.reproduce(seed);
        let mut exit = if self.no_checks { Exit::GOOD } else { summary::exit(&scenario, &outcome, as_written) };
        let summary = summary::json(&scenario, seed, &outcome, as_written, &reproduce);
        if !self.json {
            tell(&plan, &outcome, &summary::missed(&scenario, &outcome, as_written), &reproduce);
        }
        if exit != Exit::GOOD && self.record.is_none() {
            match evidence::keep(&plan, &outcome, &summary) {
                Ok(Kept::In(place)) => eprintln!("kept in {}: run.rec, plan.toml, summary.json", place.display()),
                Ok(Kept::Another { hash, same_up_to }) => {
                    eprintln!("NONDETERMINISM: the same run gave the hash {} and then {hash}", outcome.hash);
                    eprintln!("the two part within the {LADDER_STEP} events after event {same_up_to}");
                    exit = Exit::NONDETERMINISM;
                }
                Err(error) => eprintln!("the evidence could not be kept: {error:?}"),
            }
        }
        if self.json {
            say!("{summary}");
        }
        Ok(exit)
    }
}

/// Tells a run to a person.
fn tell(plan: &Scenario, outcome: &Outcome, missed: &[String], reproduce: &str) {
    let judgement = &outcome.judgement;
    say!("{}   (scenario {}, seed {})", bold(&plan.title), plan.name, plan.seed);
    if let Some(mutant) = &plan.mutant {
        say!("with the planted bug {mutant}");
    }
    say!();
    timeline(&outcome.timeline, &outcome.nodes).iter().for_each(|line| say!("{line}"));
    say!();
    tell_checks(outcome);
    for finding in judgement.findings.iter().take(5) {
        say!("  {} at event {}: {}", finding.check, finding.event.0, finding.text);
    }
    let tally = summary::tally(outcome);
    let counts: Vec<String> = ["acknowledged", "lost", "duplicated", "elections"]
        .iter()
        .filter_map(|name| Some(format!("{} {}", tally.get(name)?, name)))
        .collect();
    say!("\n{}", counts.join(", "));
    say!("{}  {}", coloured(judgement.verdict), judgement.sentence);
    missed.iter().for_each(|what| say!("not as the scenario expects: {what}"));
    say!(
        "hash {}   {} events, {} frames, {:.1} s simulated",
        outcome.hash,
        outcome.events,
        outcome.frames,
        outcome.simulated.0 as f64 / 1e9
    );
    say!("again: {reproduce}");
}

/// Every check with the number of times that there was something to see, several in a line.
fn tell_checks(outcome: &Outcome) {
    let shown = outcome.judgement.checks.iter().map(|check| match check.violated {
        0 => format!("{} {}", check.id, check.exercised),
        violated => format!("{} {} ({violated} VIOLATED)", check.id, check.exercised),
    });
    let shown: Vec<String> = shown.collect();
    say!("checks, and how often there was something to see:");
    shown.chunks(8).for_each(|line| say!("  {}", line.join(", ")));
}

fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() }
}

fn coloured(verdict: Verdict) -> String {
    let colour = match verdict {
        Verdict::Pass => 32,
        Verdict::Sanctioned | Verdict::BeyondTolerance | Verdict::Unknown => 33,
        Verdict::Hang | Verdict::Crash | Verdict::Violation => 31,
    };
    if std::io::stdout().is_terminal() { format!("\x1b[1;{colour}m{verdict}\x1b[0m") } else { verdict.to_string() }
}

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
    /// Write a report there: one HTML file that explains the run
    #[arg(long, value_name = "OUT")]
    report: Option<PathBuf>,
    /// Leave no evidence of a failure
    #[arg(long, hide = true)]
    keep_nothing: bool,
    /// Do not check: only hash (checks never change a run)
    #[arg(long, hide = true)]
    no_checks: bool,
}

impl Run {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let scenario = self.case.load()?;
        let seed = self.seed.unwrap_or(scenario.seed);
        let plan = expand(&scenario, seed);
        // A report is made of a recording; where none is asked for, it lives as long as the report is in the making.
        let scratch = self.report.as_ref().filter(|_| self.record.is_none()).map(|_| Scratch::new());
        let record = self.record.clone().or_else(|| scratch.as_ref().map(|scratch| scratch.0.clone()));
        let asked = Asked { record: record.clone(), checks: !self.no_checks, timeline: !self.json, ..Asked::default() };
        let outcome = laboratory::simulate(&plan, &asked)?;
        if let (Some(report), Some(record)) = (&self.report, &record) {
            evidence::report(record, report)?;
            eprintln!("report in {}", report.display());
        }
        let as_written = self.case.mutant.is_none();
        let reproduce = self.case.reproduce(seed);
        let mut exit = if self.no_checks { Exit::GOOD } else { summary::exit(&scenario, &outcome, as_written) };
        let summary = summary::json(&scenario, seed, &outcome, as_written, &reproduce);
        if !self.json {
            tell(&plan, &outcome, &summary::missed(&scenario, &outcome, as_written), &reproduce);
        }
        if exit != Exit::GOOD && self.record.is_none() && !self.keep_nothing {
            match evidence::keep(&plan, &outcome, &summary) {
                Ok(Kept::In(place)) => {
                    eprintln!("kept in {}: report.html, run.rec, plan.toml, summary.json", place.display());
                }
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

/// A recording that nobody asked for; gone when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        Scratch(std::env::temp_dir().join(format!("brokerlab-{}.rec", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed was never written.
        let _ = std::fs::remove_file(&self.0);
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

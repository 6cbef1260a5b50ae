//! `brokerlab shrink`: from a failing seed to the smallest scenario that still fails, as a file.

use std::fs::File;
use std::io::{BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread::available_parallelism;

use brokerlab_reports::recording::Recording;
use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic, WrapErr, miette};
use serde_json::{Value, json};

use super::machine::cpu_seconds;
use super::output::say;
use super::{Case, Exit, program};
use crate::scenario::{Scenario, expand, parse};
use crate::shrink::story::{Origin, file};
use crate::shrink::{Budget, NothingToShrink, Order, Shrunk, shrink};

/// Make a failing run as small as it can be, and write it down as a scenario
///
/// FILE may also be a recording (`run --record`, or `run.rec` of a kept failure).
///
/// Leaves away faults, clients, brokers, writes and settings as long as the run fails by the same property, and makes the rest round. The file that
/// is written can be read, run, edited and committed: `brokerlab run OUT` ends with 0, because the file expects the failure.
#[derive(clap::Args, Debug)]
pub struct Shrink {
    #[command(flatten)]
    case: Case,
    /// Seed; default: the scenario's own
    #[arg(long)]
    seed: Option<u64>,
    /// Where to write the smallest scenario that was found
    #[arg(long, short = 'o', value_name = "OUT")]
    out: PathBuf,
    /// Spend no more than so many runs (`500runs`) or seconds of processor time (`60s`); what was reached by then is written
    #[arg(long, value_name = "BUDGET", value_parser = budget)]
    budget: Option<Budget>,
    /// Worker threads; default: one per core. The result does not depend on it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Print one JSON object instead of a summary
    #[arg(long)]
    json: bool,
}

/// `500runs`, `60s`, `2min`.
fn budget(text: &str) -> Result<Budget, String> {
    let wrong = || "it is a number of runs such as `500runs`, or of seconds such as `60s`".to_string();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number = u64::from_str(digits).map_err(|_| wrong())?;
    match text[digits.len()..].trim() {
        "runs" | "run" => Ok(Budget::Runs(number)),
        "s" => Ok(Budget::CpuSeconds(number)),
        "min" => Ok(Budget::CpuSeconds(number.saturating_mul(60))),
        _ => Err(wrong()),
    }
}

impl Shrink {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        writable(&self.out)?;
        let (plan, original) = self.plan()?;
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        let jobs = self.jobs.map_or(cores, usize::from);
        let began = cpu_seconds();
        let shown = Shown::with_lines();
        let shrunk = shrunk(&plan, jobs, self.budget.unwrap_or_default(), &shown).map_err(|nothing| self.remedy(&nothing))?;
        let cpu = cpu_seconds() - began;
        let origin = Origin { original, again: format!("brokerlab run {}", quoted(&self.out)), stem: stem(&self.out) };
        std::fs::write(&self.out, file(&shrunk, &origin))
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", self.out.display()))?;
        if self.json {
            say!("{}", self.to_json(&shrunk, cpu));
        } else {
            self.tell(&shrunk, cpu);
        }
        Ok(Exit::GOOD)
    }

    /// The plan that fails, and the command that runs it.
    fn plan(&self) -> miette::Result<(Scenario, String)> {
        let path = &self.case.file;
        let is_recording = path.extension().is_none_or(|end| end != "toml") && Recording::open(reader(path)?).is_ok();
        if !is_recording {
            let scenario = self.case.load()?;
            let seed = self.seed.unwrap_or(scenario.seed);
            return Ok((expand(&scenario, seed), self.case.reproduce_with("brokerlab", seed)));
        }
        let recording = Recording::open(reader(path)?).into_diagnostic()?;
        let header = recording.header;
        let mut plan = parse(&format!("{} (the plan in it)", path.display()), &header.plan)?;
        plan.mutant = self.case.mutant.clone().or(plan.mutant);
        let seed = self.seed.unwrap_or(plan.seed);
        Ok((expand(&plan, seed), format!("brokerlab show {}", quoted(path))))
    }

    /// Why there is nothing to shrink, and what to do.
    fn remedy(&self, nothing: &NothingToShrink) -> miette::Report {
        let file = self.case.file.display();
        let help = match nothing {
            NothingToShrink::Passes(_) => {
                format!("there is nothing to shrink; `{} sweep {file} --until-failure` looks for a seed that fails", program())
            }
            NothingToShrink::Stray { .. } => "it is a bug of our own: shrink the run without the planted one".to_string(),
            NothingToShrink::CannotRun(_) => format!("see `{} run {file}`", program()),
        };
        miette!(help = help, "{file}: {nothing}")
    }

    fn to_json(&self, shrunk: &Shrunk, cpu: f64) -> Value {
        json!({
            "from": shrunk.from.to_json(),
            "to": shrunk.to.to_json(),
            "runs": shrunk.runs,
            "cpu_s": (cpu * 100.0).round() / 100.0,
            "verdict": shrunk.symptom.verdict.name(),
            "property": shrunk.symptom.property,
            "mutant": shrunk.plan.mutant,
            "minimal": shrunk.is_minimal,
            "out": self.out.to_string_lossy(),
        })
    }

    fn tell(&self, shrunk: &Shrunk, cpu: f64) {
        say!("{} {}: {}", shrunk.symptom.verdict, shrunk.symptom.property, shrunk.judgement.sentence);
        say!();
        say!("from  {}", shrunk.from.text());
        say!("to    {}", shrunk.to.text());
        let needed = if shrunk.is_minimal { "each fault is needed" } else { "the budget ended the search" };
        say!("{needed}; {} runs, {cpu:.1} s of processor time", shrunk.runs);
        say!("written to {}", self.out.display());
        say!("again: {} run {}", program(), quoted(&self.out));
    }
}

/// Shrinks a plan, and shows how far it is.
pub(super) fn shrunk(plan: &Scenario, jobs: usize, budget: Budget, shown: &Shown) -> Result<Shrunk, NothingToShrink> {
    let began = cpu_seconds();
    let order =
        Order { jobs, budget, spent: &|| cpu_seconds() - began, watch: &|doing, best, runs| shown.progress(doing, best, runs) };
    let shrunk = shrink(plan, &order);
    shown.bar.finish_and_clear();
    shrunk
}

fn reader(path: &Path) -> miette::Result<BufReader<File>> {
    let file = File::open(path).into_diagnostic().wrap_err_with(|| format!("cannot read {}", path.display()))?;
    Ok(BufReader::new(file))
}

/// Better said before the search than after it.
fn writable(out: &Path) -> miette::Result<()> {
    let place = out.parent().filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !place.is_dir() {
        let help = format!("create it first: mkdir -p {}", place.display());
        return Err(miette!(help = help, "cannot write {}: there is no directory {}", out.display(), place.display()));
    }
    if out.is_dir() {
        return Err(miette!(help = "-o names the file to write", "cannot write {}: it is a directory", out.display()));
    }
    Ok(())
}

/// What the scenario is called.
fn stem(out: &Path) -> String {
    out.file_stem().map_or("shrunk".into(), |stem| stem.to_string_lossy().into_owned())
}

fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    if path.contains(char::is_whitespace) { format!("'{path}'") } else { path.into_owned() }
}

/// Progress on standard error: a line that changes on a terminal, else a line for each step.
pub(super) struct Shown {
    bar: ProgressBar,
    lines: bool,
}

impl Shown {
    /// Where there is no terminal, a line for each step.
    fn with_lines() -> Shown {
        Shown { lines: !std::io::stderr().is_terminal(), ..Shown::on_terminals() }
    }

    /// Where there is no terminal, nothing.
    pub(super) fn on_terminals() -> Shown {
        let style = ProgressStyle::with_template("{spinner} {elapsed}  {msg}");
        let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Shown { bar, lines: false }
    }

    fn progress(&self, doing: &str, best: &Scenario, runs: u64) {
        let (faults, brokers) = (best.faults.len(), best.cluster.brokers);
        let clients = best.producers.len() + best.consumers.len() + best.groups.len();
        let state =
            format!("{doing}: {faults} faults, {clients} clients, {brokers} brokers, {} left; {runs} runs", best.duration);
        if self.lines {
            eprintln!("{state}");
        }
        self.bar.set_message(state);
        self.bar.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_has_a_unit() {
        assert_eq!(budget("500runs"), Ok(Budget::Runs(500)));
        assert_eq!(budget("500 runs"), Ok(Budget::Runs(500)));
        assert_eq!((budget("60s"), budget("2min")), (Ok(Budget::CpuSeconds(60)), Ok(Budget::CpuSeconds(120))));
        for wrong in ["", "500", "s", "-1s", "1h", "runs", "99999999999999999999s"] {
            assert!(budget(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_name_is_that_of_the_file() {
        assert_eq!((stem(Path::new("a/b c.toml")).as_str(), quoted(Path::new("b c.toml")).as_str()), ("b c", "'b c.toml'"));
    }
}

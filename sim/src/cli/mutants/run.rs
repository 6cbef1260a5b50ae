//! `brokerlab mutants run`: plant one bug after the other, and see how many seeds it takes to find it.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use brokerlab::mutant::{Entry, MUSEUM};
use brokerlab_reports::verdict::Verdict;
use indicatif::{ProgressBar, ProgressStyle};
use miette::{IntoDiagnostic, WrapErr};

use super::super::machine::cpu_seconds;
use super::super::output::say;
use super::super::sweep::WATCHDOG;
use super::super::{Asked, Exit, laboratory, program};
use crate::campaign::{Brought, Campaign, Control, Trial, refreshed};
use crate::scenario::{self, Scenario, expand};
use crate::sweep::{Order, Progress, sweep};

/// Where the table is kept.
const PAGE: &str = "MUTANTS.md";
/// A planted bug may make somebody run in circles; no healthy run has so many events.
const EVENTS_MAX: u64 = 5_000_000;

/// Run random chaos against every bug that can be planted, until it is found
#[derive(clap::Args, Debug)]
pub struct Run {
    /// How many seeds for each bug, at most
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first one
    #[arg(long, visible_alias = "from", value_name = "SEED", default_value_t = 1)]
    first_seed: u64,
    /// Worker threads; default: one per core. The result does not depend on it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// The scenario that searches
    #[arg(long, value_name = "FILE", default_value = DEFAULT_SCENARIO)]
    scenario: PathBuf,
    /// Only these bugs
    #[arg(long, value_name = "SLUG,..", value_delimiter = ',', value_parser = super::known)]
    only: Vec<String>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Refresh the table in MUTANTS.md
    #[arg(long)]
    write: bool,
}

const DEFAULT_SCENARIO: &str = "scenarios/random-chaos.toml";

impl Run {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let scenario = scenario::load(&self.scenario)?;
        let entries: Vec<&'static Entry> = MUSEUM.iter().filter(|entry| self.is_asked_for(entry)).collect();
        let mut show = Shown::new(entries.len() as u64);
        let mut trials = Vec::new();
        for entry in entries {
            show.begin(entry);
            trials.push(self.attempt(&scenario, entry, &show)?);
            show.end(trials.last().expect("it was just pushed"));
        }
        show.bar.finish_and_clear();
        let file = self.scenario.to_string_lossy().into_owned();
        let campaign = Campaign { scenario: file, first_seed: self.first_seed, seeds: self.seeds, trials };
        if self.write {
            write(&campaign)?;
        }
        if self.json {
            say!("{}", campaign.to_json());
        } else {
            self.tell(&campaign);
        }
        let has_strays = campaign.trials.iter().any(|trial| trial.strays().next().is_some());
        Ok(if has_strays { Exit(Verdict::Violation.exit_code()) } else { Exit::GOOD })
    }

    fn is_asked_for(&self, entry: &Entry) -> bool {
        if self.only.is_empty() { entry.counts() } else { self.only.iter().any(|slug| slug == entry.slug) }
    }

    fn attempt(&self, scenario: &Scenario, entry: &'static Entry, show: &Shown) -> miette::Result<Trial> {
        let planted = Scenario { mutant: Some(entry.slug.to_string()), ..scenario.clone() };
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        let order = Order {
            seeds: self.first_seed..self.first_seed.saturating_add(self.seeds),
            jobs: self.jobs.map_or(cores, usize::from),
            until_failure: true,
        };
        let asked = Asked { events_max: EVENTS_MAX, ..Asked::default() };
        let run = |seed: u64| -> miette::Result<Brought> {
            let outcome = laboratory::simulate(&expand(&planted, seed), &asked)?;
            let brought = Brought::of(&outcome.judgement, &outcome.facts);
            if !brought.accuses() {
                return Ok(brought);
            }
            let control = laboratory::simulate(&expand(scenario, seed), &asked)?;
            Ok(Brought { control: Some(Control::of(&control.judgement)), ..brought })
        };
        let before = cpu_seconds();
        let runs = sweep(&order, run, Brought::catches, |progress| show.progress(entry, progress))?;
        Ok(Trial { entry, first_seed: self.first_seed, runs, cpu_seconds: cpu_seconds() - before })
    }

    fn tell(&self, campaign: &Campaign) {
        say!(
            "{:<6} {:<34} {:<10} {:<6} {:>6}  {:>13}  {:>7}  without it",
            "id",
            "bug",
            "caught by",
            "fit",
            "seeds",
            "acted in",
            "CPU s"
        );
        for trial in &campaign.trials {
            let seeds = trial.seeds_to_detection().map_or("-".to_string(), |seeds| seeds.to_string());
            say!(
                "{:<6} {:<34} {:<10} {:<6} {seeds:>6}  {:>5} of {:>4}  {:>7.1}  {}",
                trial.entry.id,
                trial.entry.slug,
                trial.catcher(),
                trial.fit().map_or("", |fit| fit.word()),
                trial.acted_in(),
                trial.runs.len(),
                trial.cpu_seconds,
                trial.control(),
            );
        }
        for trial in campaign.survivors() {
            say!("\n{} {} survives: {}", trial.entry.id, trial.entry.slug, trial.survival());
        }
        self.tell_strays(campaign);
        let median = campaign.median_seeds().map_or("-".to_string(), |median| median.to_string());
        say!(
            "\n{} of {} found, median {median} seeds, {:.0} s of processor time",
            campaign.killed(),
            campaign.trials.len(),
            campaign.cpu_seconds()
        );
    }
}

impl Run {
    /// Failures that no planted bug has a part in. One seed may fail with every bug: it is told once.
    fn tell_strays(&self, campaign: &Campaign) {
        let mut told = BTreeSet::new();
        let strays = campaign.trials.iter().flat_map(|trial| trial.strays().map(move |(seed, brought)| (trial, seed, brought)));
        for (trial, seed, brought) in strays.filter(|(_, seed, _)| told.insert(*seed)) {
            let (file, slug) = (self.scenario.display(), trial.entry.slug);
            match &brought.control {
                Some(_) => {
                    say!("\nseed {seed} fails in the same way without the planted {slug}: a bug of our own");
                    say!("  {} run {file} --seed {seed}", program());
                }
                None => {
                    say!("\nseed {seed} fails without the planted {slug} having acted: a bug of our own");
                    say!("  {} run {file} --seed {seed} --mutant {slug}", program());
                }
            }
        }
    }
}

fn write(campaign: &Campaign) -> miette::Result<()> {
    let path = Path::new(PAGE);
    let page =
        std::fs::read_to_string(path).into_diagnostic().wrap_err("--write refreshes MUTANTS.md: run it where that file is")?;
    std::fs::write(path, refreshed(&page, &campaign.to_markdown())).into_diagnostic().wrap_err(PAGE)
}

/// Progress on standard error: a bar on a terminal, else a line for each bug.
struct Shown {
    bar: ProgressBar,
    lines: bool,
    found: usize,
}

impl Shown {
    fn new(bugs: u64) -> Shown {
        let style = ProgressStyle::with_template("{bar:20} {pos}/{len} bugs, {prefix} found, {elapsed}  {msg}");
        let bar = ProgressBar::new(bugs).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix("0");
        Shown { bar, lines: !std::io::stderr().is_terminal(), found: 0 }
    }

    fn begin(&self, entry: &Entry) {
        self.bar.set_message(entry.slug);
    }

    fn progress(&self, entry: &Entry, progress: &Progress<'_, Brought>) {
        self.bar.set_message(format!("{}: {} seeds", entry.slug, progress.done));
        if let Some((seed, since)) = progress.slowest
            && since > WATCHDOG
        {
            eprintln!(
                "{}: seed {seed} has been running for {} s of real time: it hangs inside a step",
                entry.slug,
                since.as_secs()
            );
            std::process::exit(i32::from(Verdict::Hang.exit_code()));
        }
    }

    fn end(&mut self, trial: &Trial) {
        self.found += usize::from(trial.caught().is_some());
        self.bar.set_prefix(self.found.to_string());
        self.bar.inc(1);
        if self.lines {
            eprintln!("{} {}: {} after {} seeds", trial.entry.id, trial.entry.slug, trial.catcher(), trial.runs.len());
        }
    }
}

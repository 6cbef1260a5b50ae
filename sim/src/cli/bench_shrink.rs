//! `brokerlab bench shrink`: how small failing runs get, and what that costs.
//!
//! For each planted bug the first seeds of a random scenario that catch it are shrunk. What counts is the written file: it is read and run
//! again, by nothing that took part in the search, and has to fail by the same property.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use brokerlab::mutant::{Entry, MUSEUM};
use miette::{IntoDiagnostic, WrapErr};

use super::machine::cpu_seconds;
use super::output::say;
use super::shrink::{Shown, shrunk};
use super::{Asked, Exit, laboratory, summary};
use crate::campaign::{Brought, Control};
use crate::scenario::{self, Scenario, expand, parse};
use crate::shrink::story::{Origin, file};
use crate::shrink::table::{Row, Table, refreshed};
use crate::shrink::{Budget, Shrunk};
use crate::sweep::{Order, sweep};

/// Where the table is kept.
const PAGE: &str = "docs/shrink.md";
/// A planted bug may make somebody run in circles; no healthy run has so many events.
const EVENTS_MAX: u64 = 5_000_000;

/// Shrink the first failing seeds of each planted bug, and see how small they get
#[derive(clap::Args, Debug)]
pub struct BenchShrink {
    /// How many seeds to look through for each bug
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// How many failing seeds of each bug to shrink
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    each: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    first_seed: u64,
    /// The scenario that fails
    #[arg(long, value_name = "FILE", default_value = "scenarios/random-chaos.toml")]
    scenario: PathBuf,
    /// Only these bugs
    #[arg(long, value_name = "SLUG,..", value_delimiter = ',', value_parser = super::mutants::known)]
    only: Vec<String>,
    /// Keep the written files in this directory
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
    /// Worker threads; default: one per core. Only the time depends on it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Refresh the table in docs/shrink.md
    #[arg(long)]
    write: bool,
}

impl BenchShrink {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let scenario = scenario::load(&self.scenario)?;
        let mut table = Table { scenario: self.scenario.to_string_lossy().into_owned(), rows: Vec::new() };
        for entry in MUSEUM.iter().filter(|entry| self.is_asked_for(entry)) {
            let planted = Scenario { mutant: Some(entry.slug.to_string()), ..scenario.clone() };
            for seed in self.failing(&scenario, &planted)? {
                table.rows.push(self.shrink(&planted, entry.slug, seed)?);
            }
        }
        if self.write {
            write(&table)?;
        }
        if self.json {
            say!("{}", table.to_json());
        } else {
            say!("{}", table.to_markdown().trim_end());
        }
        let is_good = table.rows.iter().all(|row| row.is_kept && row.is_minimal);
        Ok(if is_good { Exit::GOOD } else { Exit::MISSED })
    }

    fn is_asked_for(&self, entry: &Entry) -> bool {
        if self.only.is_empty() { entry.counts() } else { self.only.iter().any(|slug| slug == entry.slug) }
    }

    fn jobs(&self) -> usize {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        self.jobs.map_or(cores, usize::from)
    }

    /// The first seeds that catch the bug.
    fn failing(&self, scenario: &Scenario, planted: &Scenario) -> miette::Result<Vec<u64>> {
        let asked = Asked { events_max: EVENTS_MAX, ..Asked::default() };
        let run = |seed: u64| -> miette::Result<Brought> {
            let outcome = laboratory::simulate(&expand(planted, seed), &asked)?;
            let brought = Brought::of(&outcome.judgement, &outcome.facts);
            if !brought.accuses() {
                return Ok(brought);
            }
            let control = laboratory::simulate(&expand(scenario, seed), &asked)?;
            Ok(Brought { control: Some(Control::of(&control.judgement)), ..brought })
        };
        let (mut found, mut from) = (Vec::new(), self.first_seed);
        let end = self.first_seed.saturating_add(self.seeds);
        while (found.len() as u64) < self.each && from < end {
            let order = Order { seeds: from..end, jobs: self.jobs(), until_failure: true };
            let runs = sweep(&order, run, Brought::catches, |_| {})?;
            let Some((seed, _)) = runs.iter().find(|(_, brought)| brought.catches()) else { break };
            found.push(*seed);
            from = seed + 1;
        }
        Ok(found)
    }

    fn shrink(&self, planted: &Scenario, slug: &str, seed: u64) -> miette::Result<Row> {
        eprintln!("{slug}, seed {seed} ...");
        let began = cpu_seconds();
        let shrunk = shrunk(&expand(planted, seed), self.jobs(), Budget::Unlimited, &Shown::on_terminals())
            .into_diagnostic()
            .wrap_err_with(|| format!("{slug}, seed {seed}"))?;
        let cpu_seconds = cpu_seconds() - began;
        let text = self.text(&shrunk, slug, seed)?;
        Ok(Row {
            mutant: slug.to_string(),
            seed,
            property: shrunk.symptom.property.clone(),
            from: shrunk.from,
            to: shrunk.to,
            runs: shrunk.runs,
            cpu_seconds,
            is_minimal: shrunk.is_minimal,
            is_kept: is_kept(&text, &shrunk)?,
        })
    }

    /// What `brokerlab shrink` would write.
    fn text(&self, shrunk: &Shrunk, slug: &str, seed: u64) -> miette::Result<String> {
        let stem = format!("{slug}-{seed}");
        let directory = self.keep.clone().unwrap_or_default();
        let out = directory.join(format!("{stem}.toml"));
        let original = format!("brokerlab run {} --seed {seed} --mutant {slug}", self.scenario.display());
        let text = file(shrunk, &Origin { original, again: format!("brokerlab run {}", out.display()), stem });
        if self.keep.is_some() {
            let kept = std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(&out, &text));
            kept.into_diagnostic().wrap_err_with(|| format!("cannot write {}", out.display()))?;
        }
        Ok(text)
    }
}

/// Whether the written file fails as the run did that it comes from.
fn is_kept(text: &str, shrunk: &Shrunk) -> miette::Result<bool> {
    let scenario = parse("shrunk.toml", text)?;
    let outcome = laboratory::simulate(&expand(&scenario, scenario.seed), &Asked::default())?;
    let is_alike = outcome.symptom.as_ref() == Some(&shrunk.symptom);
    Ok(is_alike && summary::exit(&scenario, &outcome, true) == Exit::GOOD)
}

fn write(table: &Table) -> miette::Result<()> {
    let path = Path::new(PAGE);
    let page = std::fs::read_to_string(path)
        .into_diagnostic()
        .wrap_err("--write refreshes docs/shrink.md: run it where that file is")?;
    std::fs::write(path, refreshed(&page, &table.to_markdown())).into_diagnostic().wrap_err(PAGE)
}

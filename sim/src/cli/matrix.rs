//! `brokerlab matrix`: proves the guarantee matrix, seed by seed.

use std::io::IsTerminal;
use std::num::NonZero;
use std::thread::available_parallelism;

use brokerlab_reports::verdict::Verdict;
use indicatif::{ProgressBar, ProgressStyle};
use miette::IntoDiagnostic;
use serde_json::{Value, json};

use super::output::say;
use super::{Asked, Exit, laboratory};
use crate::matrix::{ANOMALIES, Claim, ROWS, Row};
use crate::scenario::expand;
use crate::sweep::{Order, sweep};

/// Where `--write` puts the table.
const FILE: &str = "MATRIX.md";

/// Prove which anomalies which configuration allows
#[derive(clap::Args, Debug)]
pub struct Matrix {
    /// Seeds for each row
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first one
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Worker threads; default: one per core. The result does not depend on it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Only the row of that name
    #[arg(long, value_name = "ROW")]
    row: Option<String>,
    /// Print the scenario of each row instead of running it
    #[arg(long)]
    scenarios: bool,
    /// Write the table to MATRIX.md too
    #[arg(long, conflicts_with = "row")]
    write: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// What one seed showed.
struct Shown {
    seen: [u64; 4],
    verdict: Verdict,
    property: Option<String>,
}

/// What all seeds of a row showed.
struct Proof {
    row: &'static Row,
    /// The lowest seed that showed each anomaly.
    witnesses: [Option<u64>; 4],
    /// Seeds that failed outright, with what they failed.
    failures: Vec<(u64, Verdict, String)>,
}

impl Matrix {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let rows: Vec<&'static Row> = ROWS.iter().filter(|row| self.row.as_ref().is_none_or(|slug| slug == row.slug)).collect();
        if rows.is_empty() {
            let known: Vec<&str> = ROWS.iter().map(|row| row.slug).collect();
            return Err(miette::miette!("there is no such row; the rows are {}", known.join(", ")));
        }
        if self.scenarios {
            rows.iter().for_each(|row| say!("# {}.toml\n{}", row.slug, row.text()));
            return Ok(Exit::GOOD);
        }
        let bar = self.bar(rows.len() as u64);
        let proofs = rows.into_iter().map(|row| self.prove(row, &bar)).collect::<miette::Result<Vec<Proof>>>()?;
        bar.finish_and_clear();
        let table = self.table(&proofs);
        if self.write {
            std::fs::write(FILE, document(&table)).into_diagnostic()?;
        }
        if self.json {
            say!("{}", self.to_json(&proofs));
        } else {
            say!("{table}");
            proofs.iter().flat_map(Proof::complaints).for_each(|complaint| say!("{complaint}"));
        }
        Ok(exit(&proofs))
    }

    fn bar(&self, rows: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {per_sec}, {eta} left {msg}");
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(rows * self.seeds) } else { ProgressBar::hidden() };
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }

    fn prove(&self, row: &'static Row, bar: &ProgressBar) -> miette::Result<Proof> {
        bar.set_message(row.slug);
        let scenario = row.scenario()?;
        let jobs = self.jobs.map_or_else(|| available_parallelism().map_or(1, NonZero::get), usize::from);
        let end = self.first_seed.saturating_add(self.seeds);
        let order = Order { seeds: self.first_seed..end, jobs, until_failure: false };
        let run = |seed| {
            let judgement = laboratory::simulate(&expand(&scenario, seed), &Asked::default())?.judgement;
            let count = |name: &str| judgement.counts.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
            Ok::<_, miette::Report>(Shown {
                seen: ANOMALIES.map(|(_, name)| count(name)),
                verdict: judgement.verdict,
                property: judgement.property,
            })
        };
        let shown = sweep(
            &order,
            run,
            |_| false,
            |progress| {
                if progress.latest.is_some() {
                    bar.inc(1);
                }
            },
        )?;
        let witness = |anomaly: usize| shown.iter().find(|(_, shown)| shown.seen[anomaly] > 0).map(|(seed, _)| *seed);
        let failed = shown.iter().filter(|(_, shown)| is_failure(shown.verdict));
        let failures = failed.map(|(seed, shown)| (*seed, shown.verdict, shown.property.clone().unwrap_or_default())).collect();
        Ok(Proof { row, witnesses: std::array::from_fn(witness), failures })
    }

    fn table(&self, proofs: &[Proof]) -> String {
        let mut lines = vec![format!("| configuration | {} |", ANOMALIES.map(|(name, _)| name).join(" | "))];
        lines.push(format!("|---|{}", "---|".repeat(ANOMALIES.len())));
        for proof in proofs {
            let cells: Vec<String> = (0..ANOMALIES.len()).map(|anomaly| proof.cell(anomaly, self.seeds)).collect();
            lines.push(format!("| {} | {} |", proof.row.name, cells.join(" | ")));
        }
        lines.join("\n")
    }

    fn to_json(&self, proofs: &[Proof]) -> Value {
        let rows = proofs.iter().map(|proof| {
            let cells = ANOMALIES.iter().enumerate().map(|(at, (name, _))| {
                let legal = proof.row.claims[at] == Claim::Legal;
                let witness = proof.witnesses[at].map(|seed| seed.to_string());
                json!({ "anomaly": name, "legal": legal, "witness": witness, "agrees": proof.agrees(at) })
            });
            let failures = proof.failures.iter().map(
                |(seed, verdict, property)| json!({ "seed": seed.to_string(), "verdict": verdict.name(), "property": property }),
            );
            json!({
                "row": proof.row.slug,
                "configuration": proof.row.name,
                "cells": cells.collect::<Vec<_>>(),
                "failures": failures.collect::<Vec<_>>(),
            })
        });
        json!({
            "seeds": self.seeds,
            "first_seed": self.first_seed.to_string(),
            "rows": rows.collect::<Vec<_>>(),
            "agrees": exit(proofs) == Exit::GOOD,
        })
    }
}

impl Proof {
    fn agrees(&self, anomaly: usize) -> bool {
        (self.row.claims[anomaly] == Claim::Legal) == self.witnesses[anomaly].is_some()
    }

    fn cell(&self, anomaly: usize, seeds: u64) -> String {
        match (self.row.claims[anomaly], self.witnesses[anomaly]) {
            (Claim::Legal, Some(seed)) => format!("L({seed})"),
            (Claim::Legal, None) => format!("L(not seen in {seeds})"),
            (Claim::Never, None) => format!("✘(0 of {seeds})"),
            (Claim::Never, Some(seed)) => format!("✘ BROKEN({seed})"),
        }
    }

    /// What does not agree, in words.
    fn complaints(&self) -> impl Iterator<Item = String> {
        let cells = (0..ANOMALIES.len()).filter(|anomaly| !self.agrees(*anomaly)).map(|anomaly| {
            let (name, _) = ANOMALIES[anomaly];
            match self.witnesses[anomaly] {
                Some(seed) => format!("{}: {name} must never happen, and seed {seed} shows it", self.row.slug),
                None => format!("{}: {name} is said to be legal, and no seed shows it: try more", self.row.slug),
            }
        });
        let failures = self
            .failures
            .iter()
            .map(|(seed, verdict, property)| format!("{}: seed {seed} is judged {verdict} {property}", self.row.slug));
        cells.chain(failures)
    }
}

fn is_failure(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Violation | Verdict::Crash | Verdict::Hang)
}

/// The gravest: a verdict that fails by itself, then something seen that must never be, then something legal that nobody saw.
fn exit(proofs: &[Proof]) -> Exit {
    let gravest = proofs.iter().flat_map(|proof| &proof.failures).map(|(_, verdict, _)| *verdict).max();
    if let Some(gravest) = gravest {
        return Exit(gravest.exit_code());
    }
    let wrong = || proofs.iter().flat_map(|proof| (0..ANOMALIES.len()).map(move |anomaly| (proof, anomaly)));
    let broken = |(proof, anomaly): (&Proof, usize)| !proof.agrees(anomaly) && proof.row.claims[anomaly] == Claim::Never;
    if wrong().any(broken) {
        return Exit(Verdict::Violation.exit_code());
    }
    if wrong().all(|(proof, anomaly)| proof.agrees(anomaly)) { Exit::GOOD } else { Exit::MISSED }
}

fn document(table: &str) -> String {
    format!(
        "# The guarantee matrix\n\n\
         What each configuration allows, proved by `brokerlab matrix` (this file is written by `brokerlab matrix --write`). L: legal, and \
         the seed in parentheses shows it. ✘: a bug if it ever happened; in parentheses how often it did. Rows and their scenarios are in \
         `sim/src/matrix.rs`; `brokerlab matrix --scenarios` prints them.\n\n{table}\n"
    )
}

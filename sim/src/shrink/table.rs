//! The measured search: many failing seeds, shrunk, as a table.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Size;

/// One failing seed, shrunk.
#[derive(Clone, Debug)]
pub struct Row {
    /// The planted bug.
    pub mutant: String,
    /// The seed.
    pub seed: u64,
    /// What failed.
    pub property: String,
    /// How large the run was.
    pub from: Size,
    /// How large it is.
    pub to: Size,
    /// Runs that it took.
    pub runs: u64,
    /// Processor time, in seconds.
    pub cpu_seconds: f64,
    /// Without any one of its faults the file does not fail alike.
    pub is_minimal: bool,
    /// The written file, read and run, fails by the same property, and the program says that this is as expected.
    pub is_kept: bool,
}

/// All rows.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// File of the scenario.
    pub scenario: String,
    /// In the order of the museum.
    pub rows: Vec<Row>,
}

impl Table {
    /// How many different bugs.
    #[must_use]
    pub fn mutants(&self) -> usize {
        let mut slugs: Vec<&str> = self.rows.iter().map(|row| row.mutant.as_str()).collect();
        slugs.sort_unstable();
        slugs.dedup();
        slugs.len()
    }

    /// The middle one of some figure.
    #[must_use]
    pub fn median(&self, figure: impl Fn(&Row) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.rows.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(0.0)
    }

    fn count(&self, holds: impl Fn(&Row) -> bool) -> usize {
        self.rows.iter().filter(|row| holds(row)).count()
    }

    /// Processor time of all.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        self.rows.iter().map(|row| row.cpu_seconds).sum()
    }

    /// One object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "mutant": row.mutant,
                "seed": row.seed.to_string(),
                "property": row.property,
                "from": row.from.to_json(),
                "to": row.to.to_json(),
                "runs": row.runs,
                "cpu_s": tenths(row.cpu_seconds),
                "minimal": row.is_minimal,
                "kept": row.is_kept,
            })
        });
        json!({
            "scenario": self.scenario,
            "seeds": self.rows.len(),
            "mutants": self.mutants(),
            "median_faults": self.median(|row| row.to.faults as f64),
            "median_operations": self.median(|row| row.to.operations as f64),
            "median_runs": self.median(|row| row.runs as f64),
            "median_cpu_s": tenths(self.median(|row| row.cpu_seconds)),
            "minimal": self.count(|row| row.is_minimal),
            "kept": self.count(|row| row.is_kept),
            "rows": rows.collect::<Vec<_>>(),
        })
    }

    /// The table of `docs/shrink.md`.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let seeds = self.rows.len();
        let mut text = format!(
            "{seeds} failing seeds of `{}` with {} planted bugs. Median: {:.0} of {:.0} faults, {:.0} of {:.0} client operations, {:.0} runs, \
             {:.1} s of processor time. {} of {seeds} are minimal, {} of {seeds} fail by the same property when the written file is run.\n\n",
            self.scenario,
            self.mutants(),
            self.median(|row| row.to.faults as f64),
            self.median(|row| row.from.faults as f64),
            self.median(|row| row.to.operations as f64),
            self.median(|row| row.from.operations as f64),
            self.median(|row| row.runs as f64),
            self.median(|row| row.cpu_seconds),
            self.count(|row| row.is_minimal),
            self.count(|row| row.is_kept),
        );
        text.push_str("| bug | seed | property | faults | operations | brokers | clients | settings | length | runs | CPU s | minimal | kept |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
        for row in &self.rows {
            let (from, to) = (&row.from, &row.to);
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} → {} | {} → {} | {} → {} | {} → {} | {} → {} | {} → {} | {} | {:.1} | {} | {} |",
                row.mutant,
                row.seed,
                row.property,
                from.faults,
                to.faults,
                from.operations,
                to.operations,
                from.brokers,
                to.brokers,
                from.clients,
                to.clients,
                from.settings,
                to.settings,
                from.duration,
                to.duration,
                row.runs,
                row.cpu_seconds,
                yes_or_no(row.is_minimal),
                yes_or_no(row.is_kept),
            );
        }
        text
    }
}

fn yes_or_no(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Where the table stands in `docs/shrink.md`; everything around it is written by people.
const BEGIN: &str = "<!-- table: `brokerlab bench shrink --write` refreshes what follows -->";
const END: &str = "<!-- end of table -->";

/// The page with a fresh table.
#[must_use]
pub fn refreshed(page: &str, table: &str) -> String {
    crate::page::refreshed(page, (BEGIN, END), table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(mutant: &str, faults: usize, is_minimal: bool) -> Row {
        let (from, to) =
            (Size { faults: 60, operations: 900, ..Size::default() }, Size { faults, operations: 7, ..Size::default() });
        let (mutant, property) = (mutant.to_string(), "R12".to_string());
        Row { mutant, seed: 3, property, from, to, runs: 100, cpu_seconds: 2.04, is_minimal, is_kept: true }
    }

    #[test]
    fn the_table_counts_and_finds_the_middle() {
        let rows = vec![row("a", 1, true), row("a", 2, true), row("b", 9, false)];
        let table = Table { scenario: "chaos.toml".into(), rows };
        assert_eq!(table.mutants(), 2);
        let json = table.to_json();
        assert_eq!(
            (json["median_faults"].as_f64(), json["minimal"].as_u64(), json["kept"].as_u64()),
            (Some(2.0), Some(2), Some(3))
        );
        let text = table.to_markdown();
        assert!(text.starts_with("3 failing seeds of `chaos.toml` with 2 planted bugs. Median: 2 of 60 faults"), "{text}");
        assert!(text.contains("| `b` | 3 | R12 | 60 → 9 | 900 → 7 |"), "{text}");
        assert_eq!(Table::default().median(|row| row.cpu_seconds), 0.0);
    }

    #[test]
    fn a_fresh_table_replaces_the_old_one_only() {
        let page = refreshed("# Page\n", "one");
        assert_eq!(refreshed(&page, "two"), page.replace("one", "two"));
        let with_end = format!("{page}more");
        assert!(refreshed(&with_end, "two").ends_with("more") && refreshed(&with_end, "two").starts_with("# Page\n"));
    }
}

//! `brokerlab check`: judges what test clients wrote down, against any cluster.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use brokerlab_reports::verdict::Verdict;
use miette::{IntoDiagnostic, WrapErr, miette};
use serde_json::json;

use super::Exit;
use super::output::say;
use crate::check::outer::OuterJudgement;
use crate::history;

/// Findings told to people.
const TOLD_MAX: usize = 20;

/// Judge a history that test clients of any language wrote (docs/history.md)
#[derive(clap::Args, Debug)]
pub struct Check {
    /// The history: one JSON object a line
    history: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let judgement = judge(&self.history)?;
        tell(&judgement, self.json);
        Ok(exit(&judgement))
    }
}

/// Judges a file.
///
/// # Errors
/// When it cannot be read, or a line is wrong.
pub fn judge(path: &Path) -> miette::Result<OuterJudgement> {
    let name = path.display();
    let file = File::open(path).into_diagnostic().wrap_err_with(|| format!("cannot read {name}"))?;
    history::judge(BufReader::new(file)).map_err(|error| miette!("{name}, {error}"))
}

/// Tells a judgement.
pub fn tell(judgement: &OuterJudgement, as_json: bool) {
    if as_json {
        say!("{}", as_value(judgement));
        return;
    }
    let checks: Vec<String> = judgement.checks.iter().map(|check| format!("{} {}", check.id, check.evaluated)).collect();
    say!("checks, and how often each looked: {}", checks.join(", "));
    for finding in judgement.findings.iter().take(TOLD_MAX) {
        say!("  {}: {}", finding.check, finding.text);
    }
    let counts: Vec<String> = judgement.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    say!("{}  {}", judgement.verdict, counts.join(", "));
}

/// A judgement as JSON.
pub fn as_value(judgement: &OuterJudgement) -> serde_json::Value {
    let finding =
        |one: &brokerlab_reports::verdict::Finding| json!({"check": one.check, "verdict": one.verdict.name(), "text": one.text});
    json!({
        "verdict": judgement.verdict.name(),
        "checks": judgement.checks.iter().map(|one| (one.id.clone(), json!({"claim": one.claim, "evaluated": one.evaluated, "violated": one.violated}))).collect::<serde_json::Map<_, _>>(),
        "findings": judgement.findings.iter().map(finding).collect::<Vec<_>>(),
        "counts": judgement.counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
    })
}

/// How the command ends.
pub fn exit(judgement: &OuterJudgement) -> Exit {
    match judgement.verdict {
        Verdict::Pass | Verdict::Sanctioned | Verdict::BeyondTolerance => Exit::GOOD,
        Verdict::Violation => Exit(1),
        Verdict::Crash => Exit(2),
        Verdict::Hang => Exit(3),
        Verdict::Unknown => Exit(4),
    }
}

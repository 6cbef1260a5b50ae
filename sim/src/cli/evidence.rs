//! What a failure leaves: the recorded run, its summary and its report, to be looked at without running anything again.
//!
//! ```text
//!   runs/<scenario>[+mutant]-<seed>/report.html    what happened, for people
//!                                   run.rec        the whole run, for `brokerlab show`
//!                                   plan.toml      every fault and setting, for `brokerlab run`
//!                                   summary.json   what `run --json` says
//! ```
//!
//! A run is recorded only once it has failed: it is simply run again, which is what determinism is for.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use brokerlab_reports::recording::{LADDER_STEP, Recording, RunHash};
use brokerlab_reports::report::html;
use miette::{IntoDiagnostic, WrapErr};
use serde_json::Value;

use super::{Asked, Outcome, laboratory};
use crate::scenario::{Scenario, to_toml};

/// Where the evidence of a run lies.
#[must_use]
pub fn directory(plan: &Scenario) -> PathBuf {
    let mutant = plan.mutant.as_ref().map_or(String::new(), |slug| format!("+{slug}"));
    PathBuf::from("runs").join(format!("{}{mutant}-{}", plan.name, plan.seed))
}

/// Writes the report of a recording.
///
/// # Errors
/// When the recording cannot be read or the report cannot be written.
pub fn report(recording: &Path, report: &Path) -> miette::Result<()> {
    let from = recording.display();
    let file = File::open(recording).into_diagnostic().wrap_err_with(|| format!("cannot read {from}"))?;
    let open = Recording::open(BufReader::new(file)).and_then(|mut recording| html(&mut recording));
    let html = open.into_diagnostic().wrap_err_with(|| format!("cannot explain {from}"))?;
    std::fs::write(report, html).into_diagnostic().wrap_err_with(|| format!("cannot write {}", report.display()))
}

/// What became of the second run.
#[derive(Debug)]
pub enum Kept {
    /// It is kept there.
    In(PathBuf),
    /// It was another run.
    Another {
        /// Its hash.
        hash: RunHash,
        /// The two are the same up to this event.
        same_up_to: u64,
    },
}

/// The last event up to which two runs are known to be the same.
fn same_up_to(one: &Outcome, other: &Outcome) -> u64 {
    one.ladder.iter().zip(&other.ladder).take_while(|(one, other)| one == other).count() as u64 * LADDER_STEP
}

/// Runs the plan again and keeps everything.
///
/// # Errors
/// When the files cannot be written.
pub fn keep(plan: &Scenario, first: &Outcome, summary: &Value) -> miette::Result<Kept> {
    let directory = directory(plan);
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).into_diagnostic().wrap_err_with(|| format!("cannot write {}", path.display()))
    };
    std::fs::create_dir_all(&directory).into_diagnostic().wrap_err_with(|| format!("cannot create {}", directory.display()))?;
    let again = laboratory::simulate(plan, &Asked { record: Some(directory.join("run.rec")), ..Asked::default() })?;
    if again.hash != first.hash {
        return Ok(Kept::Another { hash: again.hash, same_up_to: same_up_to(first, &again) });
    }
    write("plan.toml", to_toml(plan))?;
    write("summary.json", format!("{summary:#}\n"))?;
    report(&directory.join("run.rec"), &directory.join("report.html"))?;
    Ok(Kept::In(directory))
}

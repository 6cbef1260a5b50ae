//! Scenario files: one lesson per file, and the plan that a seed makes of it, in the same format.
//!
//! ```text
//!   leader-crash.toml ──parse──▶ Scenario ──expand(seed)──▶ plan ──▶ world
//!                                   ▲                        │
//!                                   └────parse──── to_toml ──┘        a plan is a scenario file again
//! ```
//!
//! Run, replay, shrink and teach all work on this one format. What may stand in a file is said in one place, the [`mod@reference`]; every
//! mistake is an error with file, line, caret, and what was allowed there.

pub mod brief;
pub mod chance;
pub mod expand;
mod fault_reference;
pub mod group;
pub mod model;
mod parse;
pub mod problem;
pub mod properties;
mod reader;
pub mod reference;
pub mod settings;
mod storm;
pub mod target;
pub mod units;
mod write;

use std::path::Path;

pub use brief::{Remarks, to_brief};
pub use expand::expand;
use miette::{IntoDiagnostic, WrapErr};
pub use model::Scenario;
pub use problem::ScenarioError;
pub use write::to_toml;

/// Reads a scenario or plan from text. `file` is its name for messages; its stem names the scenario unless the text does.
///
/// # Errors
/// The first mistake found, with its place.
pub fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let stem = Path::new(file).file_stem().map_or("scenario".into(), |stem| stem.to_string_lossy());
    parse::scenario(&stem, text).map_err(|problem| problem.in_file(file, text))
}

/// Reads a scenario or plan from a file.
///
/// # Errors
/// When it cannot be read, or what [`fn@parse`] says.
pub fn load(path: &Path) -> miette::Result<Scenario> {
    let text = std::fs::read_to_string(path)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot read the scenario file {}", path.display()))?;
    Ok(parse(&path.to_string_lossy(), &text)?)
}

#[cfg(test)]
mod tests;

//! `brokerlab scenarios`: the lessons, or what may stand in a scenario file.

use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, WrapErr};
use serde_json::json;

use super::Exit;
use super::output::say;
use crate::scenario::{Scenario, load, reference};

/// List the lessons, or what may stand in a scenario file
#[derive(clap::Args, Debug)]
pub struct Scenarios {
    /// Where the scenario files are
    #[arg(long, default_value = "scenarios")]
    dir: PathBuf,
    /// Explain every key, kind, target and property instead
    #[arg(long)]
    reference: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Scenarios {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        if self.reference {
            say!("{}", reference::text().trim_end());
            return Ok(Exit::GOOD);
        }
        let lessons = lessons(&self.dir)?;
        if self.json {
            let list: Vec<_> = lessons
                .iter()
                .map(|(path, one)| {
                    let expected = super::summary::expected(one);
                    json!({"file": path.to_string_lossy(), "name": one.name, "title": one.title, "lesson": one.lesson, "expected": expected})
                })
                .collect();
            say!("{}", json!({ "scenarios": list }));
            return Ok(Exit::GOOD);
        }
        for (path, scenario) in lessons {
            say!("{}\n  {}\n", path.display(), scenario.title);
            scenario.lesson.trim().lines().for_each(|line| say!("  {}", line.trim_end()));
            say!();
        }
        Ok(Exit::GOOD)
    }
}

fn lessons(dir: &Path) -> miette::Result<Vec<(PathBuf, Scenario)>> {
    let entries = std::fs::read_dir(dir).into_diagnostic().wrap_err_with(|| format!("cannot list {}", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.into_iter().map(|path| load(&path).map(|scenario| (path, scenario))).collect()
}

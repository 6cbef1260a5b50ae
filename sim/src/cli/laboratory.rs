//! The seam between the command line and the world. The simulation exists only under `--cfg madsim`; everything else builds without.

use std::path::PathBuf;

use brokerlab::types::Time;
use brokerlab_reports::event::Event;
use brokerlab_reports::recording::RunHash;
use brokerlab_reports::verdict::Judgement;

use crate::scenario::Scenario;

/// How a plan is to be run. None of this changes what happens.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Write the recording there.
    pub record: Option<PathBuf>,
    /// Check while it runs.
    pub checks: bool,
    /// Keep the notable events.
    pub timeline: bool,
    /// Seed of the engine, which must not matter.
    pub madsim_seed: u64,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked { record: None, checks: true, timeline: false, madsim_seed: 1 }
    }
}

/// What a run brought.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The judgement.
    pub judgement: Judgement,
    /// Names the course of the run.
    pub hash: RunHash,
    /// The hash after every so many events.
    pub ladder: Vec<RunHash>,
    /// Number of events.
    pub events: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Time that went by in the world.
    pub simulated: Time,
    /// Facts and world facts by name.
    pub facts: Vec<(String, u64)>,
    /// Names of the nodes, by number.
    pub nodes: Vec<String>,
    /// Notable events, if they were asked for.
    pub timeline: Vec<Event>,
}

/// Names the build: recordings and hashes of different builds are not comparable.
#[must_use]
pub fn build_id() -> String {
    format!("brokerlab {}{}", env!("CARGO_PKG_VERSION"), if cfg!(debug_assertions) { " (debug)" } else { "" })
}

/// Runs a plan.
///
/// # Errors
/// When the recording cannot be written, or this build cannot simulate.
#[cfg(madsim)]
pub fn simulate(plan: &Scenario, asked: &Asked) -> miette::Result<Outcome> {
    let _ = (plan, asked);
    Err(miette::miette!("the world is not built in yet"))
}

/// Says how to build a laboratory that can simulate.
///
/// # Errors
/// Always.
#[cfg(not(madsim))]
pub fn simulate(_: &Scenario, _: &Asked) -> miette::Result<Outcome> {
    Err(miette::miette!(
        help = "unset RUSTFLAGS and build inside the repository, whose .cargo/config.toml sets it: cargo build --release",
        "this build cannot simulate: build it with RUSTFLAGS=\"--cfg madsim\" cargo build --release"
    ))
}

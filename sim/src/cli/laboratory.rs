//! The seam between the command line and the world. The simulation exists only under `--cfg madsim`; everything else builds without.

use std::path::PathBuf;

use brokerlab::types::Time;
use brokerlab_reports::event::Event;
use brokerlab_reports::recording::RunHash;
use brokerlab_reports::verdict::Judgement;
#[cfg(madsim)]
use miette::IntoDiagnostic;

use crate::check::{Follow, Symptom};
use crate::reach::Reached;
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
    /// Note which corners and states are reached.
    pub reach: bool,
    /// Seed of the engine, which must not matter.
    pub madsim_seed: u64,
    /// Events at most; then somebody runs in circles, and the verdict is HANG.
    pub events_max: u64,
    /// How far the run is followed.
    pub follow: Follow,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked {
            record: None,
            checks: true,
            timeline: false,
            reach: false,
            madsim_seed: 1,
            events_max: 200_000_000,
            follow: Follow::default(),
        }
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
    /// Corners and states, if they were asked for.
    pub reached: Reached,
    /// Notable events, if they were asked for.
    pub timeline: Vec<Event>,
    /// How the run fails; if it was followed to the first violation only, by that one.
    pub symptom: Option<Symptom>,
    /// When the fault phase began.
    pub fault_phase: Option<Time>,
    /// What applications asked for until faults ended: writes, polls, commits.
    pub operations: u64,
}

/// Names the build: recordings and hashes of different builds are not comparable.
#[must_use]
pub fn build_id() -> String {
    format!("brokerlab {}{}", env!("CARGO_PKG_VERSION"), if cfg!(debug_assertions) { " (debug)" } else { "" })
}

/// Runs a plan.
///
/// # Errors
/// When no actor offers what the plan asks for, the recording cannot be written, or this build cannot simulate.
#[cfg(madsim)]
pub fn simulate(plan: &Scenario, asked: &Asked) -> miette::Result<Outcome> {
    use crate::world::{RunOptions, run};
    let options = RunOptions {
        checks: asked.checks,
        record: asked.record.clone(),
        madsim_seed: asked.madsim_seed,
        timeline: asked.timeline,
        reach: asked.reach,
        events_max: asked.events_max,
        follow: asked.follow,
        build: build_id(),
        ..RunOptions::default()
    };
    let report = run(plan, options).into_diagnostic()?;
    Ok(Outcome {
        judgement: report.judgement,
        hash: report.hash,
        ladder: report.ladder,
        events: report.events,
        frames: report.frames,
        simulated: report.simulated,
        facts: report.counts.into_iter().map(|(name, count)| (name.to_string(), count)).collect(),
        nodes: report.nodes,
        reached: report.reached,
        timeline: report.timeline,
        symptom: report.symptom,
        fault_phase: report.fault_phase,
        operations: report.operations,
    })
}

/// Says how to build a laboratory that can simulate.
///
/// # Errors
/// Always.
#[cfg(not(madsim))]
pub fn simulate(_: &Scenario, _: &Asked) -> miette::Result<Outcome> {
    Err(miette::miette!("this build cannot simulate: inside the repository, with RUSTFLAGS unset, run `cargo build --release`"))
}

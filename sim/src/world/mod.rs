//! A cluster in a deterministic world: nodes, clocks, network, disks, faults, and the record of what happened.
//!
//! madsim is the engine, not the model (decision 4): inside its runtime clocks are virtual, entropy comes from a seed, and nobody can
//! start a thread. What happens and when is decided by one heap of ours alone (decision 6):
//!
//! ```text
//!   heap        what happens next, by (moment, number)
//!   pump        takes it and lets one process take one step
//!   handover    a process as the pump sees it; the same `node::run` loop as in production
//!   process     connections, frames, tickets of one life         rim: what a step wanted is done
//!   life        start, stop, crash, power loss, pause            devices: disk operations that take time
//!   fault       the plan's faults, targets resolved when they fire
//!   supervisor  starts a broker again that has given up
//!   phases      boot, fault phase, settle                        cast: who takes part
//!   tap, audit  what frames promise, what disks hold             journal: numbers, hashes and judges every event
//!   chance      every choice is a hash of what it is about       clock: drift and skew
//! ```
//!
//! A run lives on a thread of its own, inside one madsim runtime, so that nothing of an earlier run can be felt.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use brokerlab::types::Time;
use brokerlab_reports::event::Event;
use brokerlab_reports::recording::{FORMAT, RunHash, RunHeader};
use brokerlab_reports::verdict::Judgement;
use thiserror::Error;

pub mod audit;
pub mod batches;
pub mod cast;
pub mod chance;
pub mod clock;
#[cfg(test)]
mod cluster_tests;
pub mod devices;
pub mod directory;
pub mod fault;
pub mod handover;
pub mod heap;
pub mod journal;
pub mod life;
pub mod phases;
pub mod process;
pub mod pump;
pub mod rim;
pub mod small_files;
pub mod state;
pub mod supervisor;
pub mod tap;
mod tap_groups;
#[cfg(test)]
mod tests;

use cast::{Cast, CastError, Ensemble, Role};
use journal::{Closed, Journal, Observer};
use state::{Ending, World};

use crate::check::{Commits, Dating, Follow, GroupSetup, Judge, NodeKind, NodeSetup, Pace, Reset, Setup, Symptom};
use crate::reach::Reached;
use crate::scenario::model::{CommitPolicy, Group, Scenario, Topic};

/// How a plan is to be run. None of this changes what happens.
pub struct RunOptions {
    /// Check while it runs. Without, the run only ends where it would.
    pub checks: bool,
    /// Write the recording there.
    pub record: Option<PathBuf>,
    /// The seed of the engine, which must not matter.
    pub madsim_seed: u64,
    /// Events at most; then somebody runs in circles, and the verdict is HANG.
    pub events_max: u64,
    /// Keep notable events in the report.
    pub timeline: bool,
    /// Note which corners and states the run reaches.
    pub reach: bool,
    /// Is shown every event as it happens.
    pub observer: Option<Observer>,
    /// Names the build in the recording.
    pub build: String,
    /// How far the run is followed.
    pub follow: Follow,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            checks: true,
            record: None,
            madsim_seed: 1,
            events_max: 200_000_000,
            timeline: false,
            reach: false,
            observer: None,
            build: env!("CARGO_PKG_VERSION").to_string(),
            follow: Follow::End,
        }
    }
}

/// What a run brought.
#[derive(Debug)]
pub struct RunReport {
    /// The judgement.
    pub judgement: Judgement,
    /// Names the course of the run.
    pub hash: RunHash,
    /// The hash after every so many events, to find where two runs part.
    pub ladder: Vec<RunHash>,
    /// Number of events.
    pub events: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Time that went by in the world.
    pub simulated: Time,
    /// Facts and world facts by name.
    pub counts: Vec<(&'static str, u64)>,
    /// Names of the nodes, by number.
    pub nodes: Vec<String>,
    /// Corners and states, if they were looked for.
    pub reached: Reached,
    /// Notable events, if they were asked for.
    pub timeline: Vec<Event>,
    /// How the run fails; if it was followed to the first violation only, by that one.
    pub symptom: Option<Symptom>,
    /// When the fault phase began; `None`: not at all.
    pub fault_phase: Option<Time>,
    /// What applications asked for until faults ended: writes, polls, commits.
    pub operations: u64,
}

/// Why a plan was not run, or not recorded.
#[derive(Debug, Error)]
pub enum RunError {
    /// The plan asks for what no actor offers.
    #[error(transparent)]
    Cast(#[from] CastError),
    /// The recording could not be written.
    #[error("the recording could not be written: {0}")]
    Recording(#[from] io::Error),
}

/// Runs a plan.
///
/// # Errors
/// When it cannot be cast, or the recording cannot be written.
pub fn run(plan: &Scenario, options: RunOptions) -> Result<RunReport, RunError> {
    let cast = Ensemble::new(plan)?;
    Ok(run_cast(plan, Box::new(cast), options)?)
}

/// Runs a cast through a plan.
///
/// # Errors
/// When the recording cannot be written.
///
/// # Panics
/// When the laboratory itself has a bug; a participant's panic is a verdict.
pub fn run_cast(plan: &Scenario, cast: Box<dyn Cast>, options: RunOptions) -> io::Result<RunReport> {
    let plan = plan.clone();
    let name = format!("run {} {}", plan.name, plan.seed);
    // A fresh thread: std's hash tables are reproducible only there.
    let thread = std::thread::Builder::new().name(name).spawn(move || run_here(plan, cast, options))?;
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn run_here(plan: Scenario, cast: Box<dyn Cast>, options: RunOptions) -> io::Result<RunReport> {
    let nodes: Vec<String> = cast.members().iter().map(|member| member.name.clone()).collect();
    let header = RunHeader {
        format: FORMAT,
        build: options.build,
        scenario: plan.name.clone(),
        seed: plan.seed,
        plan: crate::scenario::to_toml(&plan),
        nodes: nodes.clone(),
    };
    let sink: Option<Box<dyn Write + Send>> = match options.record {
        Some(path) => Some(Box::new(BufWriter::new(File::create(path)?))),
        None => None,
    };
    let setup = setup(&plan, cast.as_ref(), options.checks);
    let participants = setup.nodes.clone();
    let mut journal = Journal::open(&header, sink, Judge::new(setup))?;
    if options.reach {
        journal.explore(&participants);
    }
    if options.timeline {
        journal.keep_timeline();
    }
    if let Some(observer) = options.observer {
        journal.watch(observer);
    }
    let runtime = madsim::runtime::Runtime::with_seed_and_config(options.madsim_seed, madsim::Config::default());
    let life = runtime.block_on(async { live_through(plan, cast, journal, options.events_max, options.follow) });
    let Closed { judgement, symptom, sighted, footer, counts, reached, timeline } = life.journal.close()?;
    Ok(RunReport {
        judgement,
        hash: footer.hash,
        ladder: footer.ladder,
        events: footer.events,
        frames: life.frames,
        simulated: life.end,
        counts,
        nodes,
        reached,
        timeline,
        symptom: if life.ending == Some(Ending::Followed) { sighted } else { symptom },
        fault_phase: life.fault_phase,
        operations: life.operations,
    })
}

/// What is left of a world.
struct Life {
    journal: Journal,
    frames: u64,
    end: Time,
    ending: Option<Ending>,
    fault_phase: Option<Time>,
    operations: u64,
}

fn live_through(plan: Scenario, cast: Box<dyn Cast>, journal: Journal, events_max: u64, follow: Follow) -> Life {
    let mut world = World::new(plan, cast, journal, events_max, follow);
    world.run();
    let operations = world.operations.unwrap_or_else(|| world.asked_by_applications());
    let World { journal, frames, now: end, ending, fault_phase, .. } = world;
    Life { journal, frames, end, ending, fault_phase, operations }
}

fn setup(plan: &Scenario, cast: &dyn Cast, enabled: bool) -> Setup {
    let nodes = cast.members().iter().map(|member| NodeSetup::new(&member.name, kind(plan, member.role))).collect();
    let dating = Dating { epoch_ms: clock::EPOCH_MS, ahead_max_ms: dated_ahead_max_ms(plan) };
    let pace = plan.progress.map(|promised| Pace { acknowledged: promised.acknowledged as usize, within: promised.within });
    let groups = plan.groups.iter().map(habits).collect();
    Setup { nodes, must_exercise: plan.must_exercise.clone(), enabled, dating, pace, groups }
}

/// How the members of a group behave.
fn habits(group: &Group) -> GroupSetup {
    let commits = match group.commit {
        CommitPolicy::After | CommitPolicy::AfterAsync => Commits::AfterProcessing,
        CommitPolicy::Before => Commits::BeforeProcessing,
        CommitPolicy::Auto => Commits::Automatic,
    };
    GroupSetup { id: group.name.clone(), commits, reset: cast::reset(&group.config) }
}

/// How far ahead records may be dated, in the most generous topic: Kafka's default is an hour.
fn dated_ahead_max_ms(plan: &Scenario) -> i64 {
    const DEFAULT_MS: i64 = 3_600_000;
    let number = |text: Option<&String>| text.and_then(|text| text.trim().parse().ok());
    let of_cluster = number(plan.cluster.config.get("log.message.timestamp.after.max.ms")).unwrap_or(DEFAULT_MS);
    let of_topic = |topic: &Topic| number(topic.config.get("message.timestamp.after.max.ms")).unwrap_or(of_cluster);
    plan.topics.iter().map(of_topic).max().unwrap_or(of_cluster)
}

fn kind(plan: &Scenario, role: Role) -> NodeKind {
    match role {
        Role::Broker(id) => NodeKind::Broker(id),
        Role::Controller(_) => NodeKind::Controller,
        Role::Producer(at) => cast::producer_kind(&plan.producers[at]),
        Role::Consumer(at) => NodeKind::Consumer { laboratory: false, reset: cast::reset(&plan.consumers[at].config) },
        Role::Member(at, _) => NodeKind::Member { reset: cast::reset(&plan.groups[at].config) },
        Role::Laboratory => NodeKind::Consumer { laboratory: true, reset: Reset::Earliest },
        Role::Admin | Role::Toy => NodeKind::Other,
    }
}

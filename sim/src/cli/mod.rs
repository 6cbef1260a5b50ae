//! The command line: one file per command, results on standard output, progress and complaints on standard error.
//!
//! With `--json` the last line of standard output is one JSON object, in which hashes and seeds are strings. The exit code says how
//! it went; a scenario may expect a verdict other than PASS, and then 0 means that this is what happened:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | PASS, or what the scenario expects (a loss that is SANCTIONED or BEYOND_TOLERANCE is said loudly) |
//! | 1 | VIOLATION |
//! | 2 | CRASH |
//! | 3 | HANG |
//! | 4 | UNKNOWN |
//! | 5 | nondeterminism: the same seed gave another hash |
//! | 6 | what the scenario expects did not happen |
//! | 64 | wrong use |

mod bench;
mod bench_groups;
mod bench_serve;
#[cfg(feature = "mutants")]
mod bench_shrink;
mod check;
pub mod evidence;
mod groups;
mod kill;
mod laboratory;
mod machine;
mod matrix;
mod mutants;
mod output;
mod people;
mod plan;
mod run;
mod scenarios;
mod selftest;
mod serve;
mod show;
mod shrink;
pub mod summary;
mod sweep;
pub mod timeline;
mod told;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::scenario::Scenario;

pub use laboratory::{Asked, Outcome, build_id, simulate};

/// What a command ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit(pub u8);

impl Exit {
    /// All is well.
    pub const GOOD: Exit = Exit(0);
    /// The same seed gave another hash.
    pub const NONDETERMINISM: Exit = Exit(5);
    /// What the scenario expects did not happen.
    pub const MISSED: Exit = Exit(6);
    /// Bad scenario, bad flags, unreadable file.
    pub const WRONG_USE: Exit = Exit(64);
}

/// A Kafka-compatible broker, and the laboratory that tries to break it.
///
/// Every run is decided by a scenario and a seed: the same pair gives the same run, to the last byte.
#[derive(Parser, Debug)]
#[command(name = "brokerlab", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Exit codes: 0 good (or as the scenario expects), 1 VIOLATION, 2 CRASH, 3 HANG, 4 UNKNOWN, \
5 nondeterminism, 6 expectation missed, 64 wrong use";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a scenario or a plan once, and judge it
    Run(run::Run),
    /// Write down what a seed makes of a scenario: every fault, every setting
    Plan(plan::Plan),
    /// Run many seeds of a scenario on all cores
    Sweep(sweep::Sweep),
    /// Make a failing run as small as it can be, and write it down as a scenario
    Shrink(shrink::Shrink),
    /// Prove which anomalies which configuration allows
    Matrix(matrix::Matrix),
    /// Tell what happened in a recorded run
    Show(show::Show),
    /// Measure how fast this machine simulates
    Bench(bench::Bench),
    /// Prove that this machine and build are deterministic
    Selftest(selftest::Selftest),
    /// Create, describe and delete topics, here or on any Kafka
    #[command(subcommand)]
    Topics(people::Topics),
    /// List, describe, reset and delete consumer groups, here or on any Kafka
    #[command(subcommand)]
    Groups(groups::Groups),
    /// Write each line of standard input as a record
    Produce(people::Produce),
    /// Print the records of a topic
    Consume(people::Consume),
    /// Serve real Kafka clients: a whole cluster in this process, or one process of a cluster
    Serve(serve::Serve),
    /// Kill real broker processes under load, and judge what clients saw
    Kill(kill::Kill),
    /// Judge a history that test clients of any language wrote
    Check(check::Check),
    /// List the lessons, or what may stand in a scenario file
    Scenarios(scenarios::Scenarios),
    /// The bugs that can be planted
    #[command(subcommand)]
    Mutants(mutants::Mutants),
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let exit = match Arguments::try_parse() {
        Ok(arguments) => arguments.command.carry_out(),
        Err(error) => {
            // Help and version are errors to clap, but not to us.
            let _ = error.print();
            Ok(if error.use_stderr() { Exit::WRONG_USE } else { Exit::GOOD })
        }
    };
    let exit = exit.unwrap_or_else(|report| {
        eprintln!("{report:?}");
        Exit::WRONG_USE
    });
    ExitCode::from(exit.0)
}

impl Command {
    fn carry_out(self) -> miette::Result<Exit> {
        match self {
            Command::Run(command) => command.carry_out(),
            Command::Plan(command) => command.carry_out(),
            Command::Sweep(command) => command.carry_out(),
            Command::Shrink(command) => command.carry_out(),
            Command::Matrix(command) => command.carry_out(),
            Command::Show(command) => command.carry_out(),
            Command::Bench(command) => command.carry_out(),
            Command::Selftest(command) => command.carry_out(),
            Command::Topics(command) => command.carry_out(),
            Command::Groups(command) => command.carry_out(),
            Command::Produce(command) => command.carry_out(),
            Command::Consume(command) => command.carry_out(),
            Command::Serve(command) => command.carry_out(),
            Command::Kill(command) => command.carry_out(),
            Command::Check(command) => command.carry_out(),
            Command::Scenarios(command) => command.carry_out(),
            Command::Mutants(command) => command.carry_out(),
        }
    }
}

/// Which run is meant: a file, and what may be changed about it.
#[derive(clap::Args, Clone, Debug)]
pub struct Case {
    /// Scenario or plan
    file: PathBuf,
    /// Plant a bug (see `brokerlab mutants list`); overrides the scenario's own
    #[arg(long, value_name = "SLUG", value_parser = mutants::known)]
    mutant: Option<String>,
}

impl Case {
    fn load(&self) -> miette::Result<Scenario> {
        let mut scenario = crate::scenario::load(&self.file)?;
        if self.mutant.is_some() {
            scenario.mutant.clone_from(&self.mutant);
        }
        Ok(scenario)
    }

    /// The command that brings this run back.
    fn reproduce(&self, seed: u64) -> String {
        self.reproduce_with(&program(), seed)
    }

    /// The same, with another name for this program.
    fn reproduce_with(&self, program: &str, seed: u64) -> String {
        let file = self.file.to_string_lossy();
        let file = if file.contains(char::is_whitespace) { format!("'{file}'") } else { file.into_owned() };
        let mutant = self.mutant.as_ref().map_or(String::new(), |slug| format!(" --mutant {slug}"));
        format!("{program} run {file} --seed {seed}{mutant}")
    }
}

/// How this program was called: through cargo, or by its path.
fn program() -> String {
    if std::env::var_os("CARGO").is_some() {
        return if cfg!(debug_assertions) { "cargo run --".into() } else { "cargo run --release --".into() };
    }
    std::env::args().next().unwrap_or_else(|| "brokerlab".into())
}

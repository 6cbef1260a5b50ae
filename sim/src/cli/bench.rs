//! `brokerlab bench`: how much simulation a second of processor time is worth.
//!
//! Each part runs in a process of its own, one after the other, so that its peak of memory is its own. Speed is told per second of
//! processor time, which other work on the machine disturbs least; only `jobs_ratio` compares real times: what two workers bring against
//! one.

use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use brokerlab::types::Duration;
use clap::ValueEnum;
use miette::{IntoDiagnostic, WrapErr, miette};
use serde_json::{Value, json};

use super::machine::{cpu_seconds, now, peak_megabytes};
use super::output::say;
use super::{Asked, Exit, laboratory, summary};
use crate::bench::{YARDSTICKS, Yardstick};
use crate::scenario::expand;
use crate::sweep::{Order, sweep};

/// Simulated time of the echo.
const ECHO: Duration = Duration::secs(240);

/// Measure how fast this machine simulates, or what the real server (`bench serve`), many consumers (`bench groups`) and shrinking (`bench shrink`) cost
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    #[command(subcommand)]
    other: Option<Other>,
    /// Seeds per scenario; default: as many as take a few seconds
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Measure only this, in this process
    #[arg(long)]
    only: Option<Part>,
    /// Workers of `--only`
    #[arg(long, default_value_t = 1, hide = true, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
}

/// What else can be measured.
#[derive(clap::Subcommand, Debug)]
enum Other {
    /// Measure the real server beside the limit
    Serve(super::bench_serve::BenchServe),
    /// Measure what many members and many groups cost their coordinator
    Groups(super::bench_groups::BenchGroups),
    #[cfg(feature = "mutants")]
    Shrink(super::bench_shrink::BenchShrink),
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// 3 brokers, 3 partitions, 1,000 records, 6 faults, a minute
    Small,
    /// 5 brokers, 12 partitions, 10,000 records, 40 faults, ten minutes
    Wide,
    /// 5 brokers, 1 partition, a record a second, 6 faults, seven days
    Week,
    /// Two actors that bounce frames: the limit
    Echo,
}

impl Part {
    const ALL: [Part; 4] = [Part::Small, Part::Wide, Part::Week, Part::Echo];

    fn name(self) -> &'static str {
        match self {
            Part::Small => YARDSTICKS[0].name,
            Part::Wide => YARDSTICKS[1].name,
            Part::Week => YARDSTICKS[2].name,
            Part::Echo => "echo",
        }
    }
}

/// What a part brought, summed over its seeds.
#[derive(Default)]
struct Brought {
    seeds: u64,
    frames: u64,
    events: u64,
    simulated: f64,
    failing: Vec<u64>,
}

impl Bench {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        match &self.other {
            Some(Other::Serve(serve)) => return serve.carry_out(),
            Some(Other::Groups(groups)) => return groups.carry_out(),
            #[cfg(feature = "mutants")]
            Some(Other::Shrink(shrink)) => return shrink.carry_out(),
            None => {}
        }
        let measured = match self.only {
            Some(part) => serde_json::Map::from_iter([(part.name().to_string(), self.measure(part)?)]),
            None => self.measure_all()?,
        };
        let failing = measured.values().any(|one| one["failing"].as_array().is_some_and(|seeds| !seeds.is_empty()));
        if self.json {
            say!("{}", Value::Object(measured));
        } else {
            tell(&measured);
        }
        // What is measured must be right: a fast run that fails is worth nothing.
        Ok(if failing { Exit::MISSED } else { Exit::GOOD })
    }

    fn measure_all(&self) -> miette::Result<serde_json::Map<String, Value>> {
        let mut measured = serde_json::Map::new();
        for part in Part::ALL {
            eprintln!("{} ...", part.name());
            measured.insert(part.name().into(), self.in_a_process(part, 1)?);
        }
        eprintln!("{}, two workers ...", Part::Small.name());
        let (one, two) = (self.in_a_process(Part::Small, 1)?, self.in_a_process(Part::Small, 2)?);
        let wall = |value: &Value| value["wall_s"].as_f64().unwrap_or(0.0).max(0.01);
        measured.insert("jobs_ratio".into(), json!(rounded(wall(&one) / wall(&two))));
        measured.insert("cores".into(), json!(available_parallelism().map_or(1, std::num::NonZero::get)));
        measured.insert("build".into(), json!(super::build_id()));
        Ok(measured)
    }

    /// Measures a part in a process of its own.
    fn in_a_process(&self, part: Part, jobs: u16) -> miette::Result<Value> {
        let program = std::env::current_exe().into_diagnostic()?;
        let mut command = Command::new(program);
        command.args(["bench", "--json", "--only", part.name(), "--jobs", &jobs.to_string()]);
        if let Some(seeds) = self.seeds {
            command.args(["--seeds", &seeds.to_string()]);
        }
        measured_by(&mut command, part.name())
    }

    /// Measures a part here.
    fn measure(&self, part: Part) -> miette::Result<Value> {
        let (cpu, started) = (cpu_seconds(), now());
        let brought = match Yardstick::named(part.name()) {
            Some(yardstick) => self.run(yardstick)?,
            None => bounce()?,
        };
        let (cpu, wall) = ((cpu_seconds() - cpu).max(0.01), started.elapsed().as_secs_f64());
        Ok(json!({
            "seeds_per_cpu_s": rounded(brought.seeds as f64 / cpu),
            "speedup": rounded(brought.simulated / cpu),
            "frames_per_cpu_s": (brought.frames as f64 / cpu).round(),
            "events_per_cpu_s": (brought.events as f64 / cpu).round(),
            "peak_mb": peak_megabytes(),
            "seeds": brought.seeds,
            "frames": brought.frames,
            "simulated_s": rounded(brought.simulated),
            "cpu_s": rounded(cpu),
            "wall_s": rounded(wall),
            "failing": brought.failing.iter().map(u64::to_string).collect::<Vec<_>>(),
        }))
    }

    fn run(&self, yardstick: Yardstick) -> miette::Result<Brought> {
        let scenario = yardstick.scenario()?;
        let seeds = self.seeds.unwrap_or(yardstick.seeds);
        let order = Order { seeds: 1..seeds.saturating_add(1), jobs: usize::from(self.jobs), until_failure: false };
        let one = |seed| laboratory::simulate(&expand(&scenario, seed), &Asked::default());
        let mut last = now();
        let runs = sweep(
            &order,
            one,
            |_| false,
            |progress| {
                if last.elapsed().as_secs() >= 10 {
                    last = now();
                    eprintln!("{}: {} of {seeds} seeds", yardstick.name, progress.done);
                }
            },
        )?;
        let mut brought = Brought { seeds: runs.len() as u64, ..Brought::default() };
        for (seed, outcome) in &runs {
            brought.frames += outcome.frames;
            brought.events += outcome.events;
            brought.simulated += outcome.simulated.0 as f64 / 1e9;
            if !summary::missed(&scenario, outcome, true).is_empty() {
                eprintln!("{}, seed {seed}: {} {}", yardstick.name, outcome.judgement.verdict, outcome.judgement.sentence);
                brought.failing.push(*seed);
            }
        }
        Ok(brought)
    }
}

#[cfg(madsim)]
fn bounce() -> miette::Result<Brought> {
    let report = crate::bench::echo::bounce(1, ECHO).into_diagnostic()?;
    let simulated = report.simulated.0 as f64 / 1e9;
    Ok(Brought { seeds: 1, frames: report.frames, events: report.events, simulated, failing: Vec::new() })
}

#[cfg(not(madsim))]
fn bounce() -> miette::Result<Brought> {
    let _ = ECHO;
    laboratory::simulate(&crate::scenario::Scenario::default(), &Asked::default()).map(|_| Brought::default())
}

/// What a process of its own says of a part that it has measured.
pub(super) fn measured_by(command: &mut Command, part: &str) -> miette::Result<Value> {
    let output = command.stderr(Stdio::inherit()).output().into_diagnostic()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().ok_or_else(|| miette!("{part} could not be measured ({})", output.status))?;
    let mut json: Value =
        serde_json::from_str(last).into_diagnostic().wrap_err_with(|| format!("{part} could not be measured"))?;
    Ok(json[part].take())
}

/// Two digits behind the point.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn tell(measured: &serde_json::Map<String, Value>) {
    say!("{:<6} {:>13} {:>22} {:>17} {:>9}", "", "seeds/CPU s", "simulated s/CPU s", "frames/CPU s", "peak MB");
    for (name, one) in measured.iter().filter(|(_, one)| one.is_object()) {
        let number = |key: &str| one[key].as_f64().unwrap_or(0.0);
        say!(
            "{name:<6} {:>13.2} {:>22.0} {:>17.0} {:>9}",
            number("seeds_per_cpu_s"),
            number("speedup"),
            number("frames_per_cpu_s"),
            number("peak_mb")
        );
    }
    if let Some(ratio) = measured.get("jobs_ratio") {
        say!("\ntwo workers bring {ratio} times what one brings");
    }
}

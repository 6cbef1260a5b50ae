//! `brokerlab sweep`: many seeds, and for each failing one a command that brings it back.
//!
//! A failing seed is believed only after a fresh process gave the same hash for it. Another hash is worse than any failure: it means
//! that seeds are worth nothing, and the exit code says so.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use brokerlab_reports::recording::RunHash;
use brokerlab_reports::verdict::Verdict;
use indicatif::{ProgressBar, ProgressStyle};
use miette::IntoDiagnostic;
use serde_json::{Value, json};

use super::machine::{cpu_seconds, now, peak_megabytes};
use super::output::say;
use super::{Asked, Case, Exit, evidence, laboratory, summary};
use crate::reach::{Block, Corner, Corners, Coverage};
use crate::scenario::{Scenario, expand};
use crate::sweep::{Order, Progress, sweep};

/// Failing seeds that are confirmed and listed; more of them teach nothing new.
const LISTED_MAX: usize = 25;
/// Of these, the lowest ones keep their evidence: recording, plan, summary, report.
const KEPT_MAX: usize = 5;
/// A run that takes longer in real time has lost itself in a loop that no step budget sees.
pub(super) const WATCHDOG: Duration = Duration::from_secs(600);
/// A corner that fewer than one seed in so many has reached is worth naming.
const RARE: u64 = 50;
/// From this many seeds on, a random profile is judged as a whole, too:
const SHARES_FROM: usize = 1000;
/// of so many seeds in a hundred the checks may see nothing,
const UNKNOWN_PERCENT: f64 = 1.0;
/// and in so many the losses may be excused.
const EXCUSED_PERCENT: f64 = 10.0;
/// Rare corners that are listed.
const RARE_LISTED_MAX: usize = 12;
/// Between two lines of progress where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(20);

/// Run many seeds of a scenario on all cores
#[derive(clap::Args, Debug)]
pub struct Sweep {
    #[command(flatten)]
    case: Case,
    /// How many seeds
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first one
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Worker threads; default: one per core. The result does not depend on it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// End at the lowest failing seed
    #[arg(long)]
    until_failure: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// What one seed brought.
#[derive(Debug)]
struct Brought {
    verdict: Verdict,
    property: Option<String>,
    hash: RunHash,
    frames: u64,
    exit: Exit,
    missed: Vec<String>,
    corners: Corners,
}

/// Everything that a sweep found.
struct Found {
    scenario: Scenario,
    runs: BTreeMap<u64, Brought>,
    failures: Vec<Failure>,
    coverage: Coverage,
    cpu: f64,
    wall: Duration,
}

struct Failure {
    seed: u64,
    /// The hash in a fresh process.
    again: Result<String, String>,
    /// Where that process left its evidence, if it was to.
    evidence: Option<PathBuf>,
}

impl Sweep {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let scenario = self.case.load()?;
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        let jobs = self.jobs.map_or(cores, usize::from);
        let end = self.first_seed.saturating_add(self.seeds);
        let order = Order { seeds: self.first_seed..end, jobs, until_failure: self.until_failure };
        let (cpu, started) = (cpu_seconds(), now());
        let mut show = Shown::new(self.seeds);
        let coverage = Mutex::new(Coverage::default());
        let runs = sweep(
            &order,
            |seed| self.run(&scenario, seed, &coverage),
            |brought| is_failure(&scenario, brought),
            |progress| show.progress(&scenario, progress),
        )?;
        let (cpu, wall) = (cpu_seconds() - cpu, started.elapsed());
        show.bar.finish_and_clear();
        let failing: Vec<u64> = runs.iter().filter(|(_, one)| is_failure(&scenario, one)).map(|(seed, _)| *seed).collect();
        let failures = self.confirm(&scenario, &failing, jobs)?;
        let coverage = coverage.into_inner().expect("nothing panics while holding it");
        let found = Found { scenario, runs, failures, coverage, cpu, wall };
        if self.json {
            say!("{}", self.to_json(&found));
        } else {
            self.tell(&found);
        }
        Ok(found.exit())
    }

    fn run(&self, scenario: &Scenario, seed: u64, coverage: &Mutex<Coverage>) -> miette::Result<Brought> {
        let mut outcome = laboratory::simulate(&expand(scenario, seed), &Asked { reach: true, ..Asked::default() })?;
        let states = std::mem::take(&mut outcome.reached.states);
        coverage.lock().expect("nothing panics while holding it").add(seed, states);
        let as_written = self.case.mutant.is_none();
        Ok(Brought {
            verdict: outcome.judgement.verdict,
            exit: summary::exit(scenario, &outcome, as_written),
            missed: summary::missed(scenario, &outcome, as_written),
            property: outcome.judgement.property,
            hash: outcome.hash,
            frames: outcome.frames,
            corners: outcome.reached.corners,
        })
    }

    /// Runs each failing seed again in a process of its own.
    fn confirm(&self, scenario: &Scenario, failing: &[u64], jobs: usize) -> miette::Result<Vec<Failure>> {
        let program = std::env::current_exe().into_diagnostic()?;
        let listed = &failing[..failing.len().min(LISTED_MAX)];
        let order = Order { seeds: 0..listed.len() as u64, jobs, until_failure: false };
        let again = |n: u64| {
            let place = usize::try_from(n).expect("an index fits");
            let seed = listed[place];
            let mut command = Command::new(&program);
            command.arg("run").arg(&self.case.file).args(["--seed", &seed.to_string(), "--json"]);
            if let Some(mutant) = &self.case.mutant {
                command.args(["--mutant", mutant]);
            }
            if place >= KEPT_MAX {
                command.arg("--keep-nothing");
            }
            let again = hash_of(&mut command);
            let evidence = Some(evidence::directory(&expand(scenario, seed))).filter(|place| place.join("report.html").exists());
            Ok::<_, miette::Report>(Failure { seed, again, evidence: evidence.filter(|_| place < KEPT_MAX) })
        };
        Ok(sweep(&order, again, |_| false, |_| {})?.into_values().collect())
    }

    fn failure_json(&self, found: &Found, failure: &Failure) -> Value {
        let one = &found.runs[&failure.seed];
        json!({
            "seed": failure.seed.to_string(),
            "verdict": one.verdict.name(),
            "property": one.property,
            "missed": one.missed,
            "hash": one.hash.to_string(),
            "confirmed": found.is_confirmed(failure),
            "evidence": failure.evidence.as_ref().map(|place| place.display().to_string()),
            "reproduce": self.case.reproduce(failure.seed),
        })
    }

    fn to_json(&self, found: &Found) -> Value {
        let verdicts = found.verdicts().into_iter().map(|(verdict, count)| (verdict.name().to_string(), json!(count)));
        let frames: u64 = found.runs.values().map(|one| one.frames).sum();
        let per_cpu = |n: u64| if found.cpu > 0.0 { (n as f64 / found.cpu).round() } else { 0.0 };
        json!({
            "scenario": found.scenario.name,
            "mutant": found.scenario.mutant,
            "first_seed": self.first_seed.to_string(),
            "seeds": found.runs.len(),
            "verdicts": verdicts.collect::<serde_json::Map<_, _>>(),
            "failures": found.failures.iter().map(|failure| self.failure_json(found, failure)).collect::<Vec<_>>(),
            "failing": found.failing(),
            "nondeterministic": found.nondeterministic().map(|failure| failure.seed.to_string()).collect::<Vec<_>>(),
            "proves_little": found.proves_little(),
            "digest": found.digest(),
            "reach": found.reach().into_iter().map(|(corner, seeds)| (corner.name().to_string(), json!(seeds))).collect::<serde_json::Map<_, _>>(),
            "states": found.coverage.states(self.first_seed, self.seeds),
            "new_states": found.blocks().map(|block| json!([block.from.to_string(), block.new_states])).collect::<Vec<_>>(),
            "cpu_s": (found.cpu * 100.0).round() / 100.0,
            "wall_s": (found.wall.as_secs_f64() * 100.0).round() / 100.0,
            "frames": frames,
            "frames_median": found.frames_median(),
            "frames_per_cpu_s": per_cpu(frames),
            "seeds_per_cpu_s": ((found.runs.len() as f64 / found.cpu.max(0.01)) * 100.0).round() / 100.0,
            "peak_mb": peak_megabytes(),
        })
    }

    fn tell(&self, found: &Found) {
        say!(
            "{}   (scenario {}, {} seeds from {})",
            found.scenario.title,
            found.scenario.name,
            found.runs.len(),
            self.first_seed
        );
        for (verdict, count) in found.verdicts().into_iter().filter(|(_, count)| *count > 0) {
            say!("  {:<17} {count:>7}  {:>5.1} %", verdict.name(), count as f64 * 100.0 / found.runs.len() as f64);
        }
        for failure in &found.failures {
            let one = &found.runs[&failure.seed];
            let property = one.property.as_ref().map_or(String::new(), |property| format!(" {property}"));
            say!("\nseed {}: {}{property}   hash {}", failure.seed, one.verdict, one.hash);
            one.missed.iter().for_each(|what| say!("  {what}"));
            match &failure.again {
                Ok(hash) if *hash == one.hash.to_string() => say!("  {}", self.case.reproduce(failure.seed)),
                Ok(hash) => say!("  NONDETERMINISM: a fresh process gave the hash {hash}"),
                Err(why) => say!("  NONDETERMINISM: a fresh process did not bring it back: {why}"),
            }
            if let Some(place) = &failure.evidence {
                say!("  explained in {}", place.join("report.html").display());
            }
        }
        let unlisted = found.failing() - found.failures.len() as u64;
        if unlisted > 0 {
            say!("\n{unlisted} more seeds fail");
        }
        self.tell_reach(found);
        if let Some(why) = found.proves_little() {
            say!("\nthe profile proves little: {why}");
        }
        let frames: u64 = found.runs.values().map(|one| one.frames).sum();
        say!(
            "\n{:.1} s of processor time, {:.1} s of real time; {} frames in the median run, {:.0} frames per second of processor time",
            found.cpu,
            found.wall.as_secs_f64(),
            found.frames_median(),
            frames as f64 / found.cpu.max(0.01)
        );
    }
}

/// Where the search has been.
impl Sweep {
    fn tell_reach(&self, found: &Found) {
        let reach = found.reach();
        let (never, reached): (Vec<_>, Vec<_>) = reach.into_iter().partition(|(_, seeds)| *seeds == 0);
        say!("\n{} of {} dangerous corners reached", reached.len(), Corner::ALL.len());
        let mut rare: Vec<_> = reached.into_iter().filter(|(_, seeds)| seeds * RARE < found.runs.len() as u64).collect();
        rare.sort_by_key(|(_, seeds)| *seeds);
        for (corner, seeds) in rare.iter().take(RARE_LISTED_MAX) {
            say!("  in {seeds:>4} seeds only: {}", corner.about());
        }
        for (corner, _) in never {
            say!("  never: {} ({})", corner.about(), corner.name());
        }
        say!("{} abstract states of partitions", found.coverage.states(self.first_seed, self.seeds));
        for block in found.blocks().filter(|_| found.runs.len() > 1000) {
            say!("  seeds {}..{}: {} new", block.from, block.from + block.seeds, block.new_states);
        }
    }
}

/// In a random profile a seed that proves nothing is no failure; too many of them are, see [`Found::exit`].
fn is_failure(scenario: &Scenario, brought: &Brought) -> bool {
    let proves_nothing = scenario.chaos.is_some() && brought.verdict == Verdict::Unknown;
    brought.exit != Exit::GOOD && !proves_nothing
}

impl Found {
    fn verdicts(&self) -> Vec<(Verdict, u64)> {
        let count = |verdict| self.runs.values().filter(|one| one.verdict == verdict).count() as u64;
        Verdict::ALL.into_iter().map(|verdict| (verdict, count(verdict))).collect()
    }

    fn failing(&self) -> u64 {
        self.runs.values().filter(|one| is_failure(&self.scenario, one)).count() as u64
    }

    fn is_confirmed(&self, failure: &Failure) -> bool {
        failure.again.as_ref().is_ok_and(|hash| *hash == self.runs[&failure.seed].hash.to_string())
    }

    fn nondeterministic(&self) -> impl Iterator<Item = &Failure> {
        self.failures.iter().filter(|failure| !self.is_confirmed(failure))
    }

    /// The gravest: nondeterminism, then the gravest verdict that failed, then a missed expectation, then a profile that proves little.
    fn exit(&self) -> Exit {
        if self.nondeterministic().next().is_some() {
            return Exit::NONDETERMINISM;
        }
        let failing = self.runs.values().filter(|one| is_failure(&self.scenario, one));
        let (missed, graver): (Vec<&Brought>, Vec<&Brought>) = failing.partition(|one| one.exit == Exit::MISSED);
        if let Some(gravest) = graver.iter().max_by_key(|one| one.verdict) {
            return gravest.exit;
        }
        if !missed.is_empty() {
            return Exit::MISSED;
        }
        if self.proves_little().is_some() { Exit(Verdict::Unknown.exit_code()) } else { Exit::GOOD }
    }

    /// Why a random profile as a whole proves little, if it does: too many seeds prove nothing. A few seeds do not tell their share.
    fn proves_little(&self) -> Option<String> {
        let runs = self.runs.len();
        if self.scenario.chaos.is_none() || runs < SHARES_FROM {
            return None;
        }
        let share = |verdicts: &[Verdict]| {
            let found = self.runs.values().filter(|one| verdicts.contains(&one.verdict)).count();
            100.0 * found as f64 / runs as f64
        };
        let excused = share(&[Verdict::Sanctioned, Verdict::BeyondTolerance]);
        let unknown = share(&[Verdict::Unknown]);
        if unknown >= UNKNOWN_PERCENT {
            Some(format!("UNKNOWN is {unknown:.1} % of the seeds, and below {UNKNOWN_PERCENT} % was to be"))
        } else if excused >= EXCUSED_PERCENT {
            Some(format!(
                "SANCTIONED and BEYOND_TOLERANCE are {excused:.1} % of the seeds, and below {EXCUSED_PERCENT} % was to be"
            ))
        } else {
            None
        }
    }

    fn frames_median(&self) -> u64 {
        let mut frames: Vec<u64> = self.runs.values().map(|one| one.frames).collect();
        frames.sort_unstable();
        frames.get(frames.len() / 2).copied().unwrap_or(0)
    }

    /// In how many seeds each corner was reached.
    fn reach(&self) -> Vec<(Corner, u64)> {
        let seeds = |corner: Corner| self.runs.values().filter(|one| one.corners.contains(corner)).count() as u64;
        Corner::ALL.iter().map(|corner| (*corner, seeds(*corner))).collect()
    }

    /// New states per thousand seeds, as far as the sweep got.
    fn blocks(&self) -> impl Iterator<Item = Block> {
        let ends = self.runs.first_key_value().zip(self.runs.last_key_value()).map(|((first, _), (last, _))| (*first, *last));
        let blocks = ends.map(|(first, last)| self.coverage.blocks(first, last - first + 1));
        blocks.into_iter().flatten()
    }

    /// One hash over the hashes of all seeds: two sweeps can be compared at a glance.
    fn digest(&self) -> String {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for (seed, one) in &self.runs {
            hash.update(&seed.to_le_bytes());
            hash.update(&one.hash.0.to_le_bytes());
        }
        format!("{:032x}", hash.digest128())
    }
}

fn hash_of(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().ok_or_else(|| format!("it said nothing ({})", output.status))?;
    let json: Value = serde_json::from_str(last).map_err(|error| error.to_string())?;
    json["hash"].as_str().map(str::to_string).ok_or_else(|| "it named no hash".into())
}

/// Progress on standard error: a bar on a terminal, else a line now and then.
struct Shown {
    bar: ProgressBar,
    lines: bool,
    last_line: Instant,
    failing: u64,
}

impl Shown {
    fn new(seeds: u64) -> Shown {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {per_sec}, {eta} left {msg}");
        let bar = ProgressBar::new(seeds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Shown { bar, lines: !std::io::stderr().is_terminal(), last_line: now(), failing: 0 }
    }

    fn progress(&mut self, scenario: &Scenario, progress: &Progress<'_, Brought>) {
        self.bar.set_position(progress.done);
        if progress.latest.is_some_and(|(_, brought)| is_failure(scenario, brought)) {
            self.failing += 1;
            self.bar.set_message(format!("({} failing)", self.failing));
        }
        if let Some((seed, since)) = progress.slowest
            && since > WATCHDOG
        {
            eprintln!("seed {seed} has been running for {} s of real time: it hangs inside a step", since.as_secs());
            std::process::exit(i32::from(Verdict::Hang.exit_code()));
        }
        if self.lines && self.last_line.elapsed() > LINE_EVERY {
            self.last_line = now();
            eprintln!("{} seeds done, {} failing", progress.done, self.failing);
        }
    }
}

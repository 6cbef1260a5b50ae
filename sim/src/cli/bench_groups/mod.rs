//! `brokerlab bench groups`: what many members cost their coordinator.
//!
//! ```text
//!   one-group     a thousand members of one group         every join and every sync concerns all of them
//!   many-groups   a thousand groups of three members      all in one partition of __consumer_offsets
//! ```
//!
//! Measured is the coordinator alone (`brokerlab::group`, one shard), with members of the classic protocol that do as consumers do. Time is
//! simulated: a request or an answer is a millisecond on its way, a record is committed two milliseconds after it was written, and
//! computing takes no time at all, so what is told of simulated time is what the *protocol* makes members wait (`group.initial.rebalance.delay.ms`,
//! heartbeats that bring the news of a rebalance). What the coordinator computes is told apart, as processor time. Sockets, frames and the log itself
//! are not in it: records are encoded and counted, not kept.
//!
//! When all is stable one more member joins the first group: its fellows hear of it with their next heartbeat, and join again.
//!
//! A part runs in a process of its own, so its peak of memory is its own: the coordinator with its groups, and the members as far as they are
//! simulated (an id each). The system counts processor time in hundredths of a second, so what is short is repeated: heartbeats are handled many at
//! once, made before, and the way to the stable state is gone again and again, members included.

mod members;

use std::process::Command;

use brokerlab::types::Duration;
use clap::ValueEnum;
use miette::{IntoDiagnostic, miette};
use serde_json::{Map, Value, json};

use self::members::Stage;
use super::Exit;
use super::machine::{cpu_seconds, megabytes_of, peak_megabytes};
use super::output::say;
use crate::scenario::units;

/// Members of each of many groups.
const FEW: usize = 3;
/// Heartbeats that are made before they are measured.
const BATCH: usize = 50_000;
/// Processor time that is spent on what is repeated, in seconds.
const ENOUGH_S: f64 = 1.0;
/// At most so often, however fast it is.
const REPEATED_MAX: u32 = 1_000;

/// Measure what many members and many groups cost their coordinator
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Simulated time is what the protocol makes members wait; processor time is what the coordinator computes, without network \
and log."
)]
pub struct BenchGroups {
    /// Members of the one group, and groups of three where there are many
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    number: u32,
    /// The members start spread over this time
    #[arg(long, default_value = "1s", value_name = "DURATION", value_parser = span)]
    over: Duration,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Measure only this, in this process
    #[arg(long)]
    only: Option<Part>,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Part {
    /// Many members of one group
    OneGroup,
    /// Many groups of three members
    ManyGroups,
}

impl Part {
    const ALL: [Part; 2] = [Part::OneGroup, Part::ManyGroups];

    fn name(self) -> &'static str {
        match self {
            Part::OneGroup => "one-group",
            Part::ManyGroups => "many-groups",
        }
    }
}

fn span(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| format!("it is {}", units::DURATION_FORM))
}

impl BenchGroups {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        let mut measured = Map::new();
        match self.only {
            Some(part) => drop(measured.insert(part.name().to_owned(), self.measure(part)?)),
            None => {
                for part in Part::ALL {
                    eprintln!("{} ...", part.name());
                    measured.insert(part.name().to_owned(), self.in_a_process(part)?);
                }
                measured.insert("build".to_owned(), json!(super::build_id()));
            }
        }
        if self.json {
            say!("{}", Value::Object(measured));
        } else {
            tell(&measured);
        }
        Ok(Exit::GOOD)
    }

    fn in_a_process(&self, part: Part) -> miette::Result<Value> {
        let mut command = Command::new(std::env::current_exe().into_diagnostic()?);
        let over = format!("{}ns", self.over.0);
        command.args(["bench", "groups", "--json", "--only", part.name(), "--number", &self.number.to_string(), "--over", &over]);
        super::bench::measured_by(&mut command, part.name())
    }

    fn measure(&self, part: Part) -> miette::Result<Value> {
        let number = self.number as usize;
        let (groups, members) = match part {
            Part::OneGroup => (1, number),
            Part::ManyGroups => (number, FEW),
        };
        let before_mb = megabytes_of(std::process::id(), "VmRSS:");
        let mut stage = Stage::new(groups, members, self.over);
        let stable = stage.until_stable().ok_or_else(never)?;
        let (first, peak_mb) = (stage.counts(), peak_megabytes());
        stage.one_more();
        let again = stage.until_stable().ok_or_else(never)?;
        let more = stage.counts().since(first);
        let (beats, us_per_heartbeat) = beat(&mut stage)?;
        Ok(json!({
            "groups": groups, "members": groups * members, "started_over_s": seconds(self.over),
            "stable_after_s": seconds(stable), "rebalances": first.generations,
            "joins": first.joins, "syncs": first.syncs, "heartbeats": first.heartbeats,
            "one_more": {
                "stable_after_s": seconds(again), "rebalances": more.generations,
                "joins": more.joins, "syncs": more.syncs, "heartbeats": more.heartbeats,
            },
            "cpu_ms_until_stable": rounded(self.cpu_ms_until_stable(groups, members)),
            "records": first.records, "record_bytes": first.record_bytes,
            "memory_mb_before": before_mb, "peak_mb": peak_mb,
            "measured_heartbeats": beats, "cpu_us_per_heartbeat": rounded(us_per_heartbeat),
        }))
    }

    /// Processor time of the way to the stable state, in milliseconds.
    fn cpu_ms_until_stable(&self, groups: usize, members: usize) -> f64 {
        let (cpu, mut times) = (cpu_seconds(), 0);
        while times < REPEATED_MAX && cpu_seconds() - cpu < ENOUGH_S {
            std::hint::black_box(Stage::new(groups, members, self.over).until_stable());
            times += 1;
        }
        (cpu_seconds() - cpu) * 1e3 / f64::from(times)
    }
}

fn never() -> miette::Report {
    miette!("not all groups became stable within an hour of simulated time")
}

/// How many heartbeats were handled, and the processor time of each in microseconds.
fn beat(stage: &mut Stage) -> miette::Result<(u64, f64)> {
    let (mut beats, mut spent) = (0, 0.0);
    for _ in 0..REPEATED_MAX {
        let requests = stage.heartbeats(BATCH);
        let asked = requests.len() as u64;
        let cpu = cpu_seconds();
        let good = stage.handle(requests);
        spent += cpu_seconds() - cpu;
        beats += asked;
        if good != asked {
            return Err(miette!("{} of {asked} heartbeats were refused, so nothing is measured", asked - good));
        }
        if spent >= ENOUGH_S {
            break;
        }
    }
    Ok((beats, spent * 1e6 / beats as f64))
}

fn seconds(duration: Duration) -> f64 {
    rounded(duration.0 as f64 / 1e9)
}

/// Three digits behind the point.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

fn tell(measured: &Map<String, Value>) {
    for (name, one) in measured.iter().filter(|(_, one)| one.is_object()) {
        say!("{name}: {} group(s), {} members who start over {} s", one["groups"], one["members"], one["started_over_s"]);
        say!("  all stable after {} s simulated, {} rebalance(s)", one["stable_after_s"], one["rebalances"]);
        say!("  handled meanwhile: {} JoinGroup, {} SyncGroup, {} Heartbeat", one["joins"], one["syncs"], one["heartbeats"]);
        let more = &one["one_more"];
        say!(
            "  one more member: stable again after {} s, {} JoinGroup, {} SyncGroup, {} Heartbeat",
            more["stable_after_s"],
            more["joins"],
            more["syncs"],
            more["heartbeats"]
        );
        say!(
            "  processor: {} ms until stable (members included), then {} us a heartbeat (of {})",
            one["cpu_ms_until_stable"],
            one["cpu_us_per_heartbeat"],
            one["measured_heartbeats"]
        );
        say!(
            "  memory: {} MB at most, {} MB before; log: {} records, {} bytes",
            one["peak_mb"],
            one["memory_mb_before"],
            one["records"],
            one["record_bytes"]
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_become_stable_and_their_heartbeats_are_answered_with_good_news() {
        for (groups, members) in [(1, 12), (5, 3)] {
            let mut stage = Stage::new(groups, members, Duration::millis(500));
            let stable = stage.until_stable().expect("nothing is in the way");
            let counts = stage.counts();
            // The first rebalance waits three seconds for more members, and as long again because some came; so it takes in all of them.
            assert!(stable >= Duration::secs(6) && stable < Duration::secs(7), "{stable:?}");
            let all = (groups * members) as u64;
            assert_eq!((counts.generations, counts.joins, counts.syncs), (groups as u64, 2 * all, all));
            stage.one_more();
            let again = stage.until_stable().expect("nothing is in the way");
            assert!(again < Duration::secs(4), "its fellows hear of it with their next heartbeat: {again:?}");
            let more = stage.counts().since(counts);
            let all = members as u64 + 1;
            assert_eq!((more.generations, more.joins, more.syncs), (1, all + 1, all));
            let requests = stage.heartbeats(30);
            assert!(requests.len() >= 30);
            assert_eq!(stage.handle(requests.clone()), requests.len() as u64, "every one of them is told that all is well");
        }
    }

    #[test]
    fn members_that_come_late_cause_more_rebalances() {
        let mut stage = Stage::new(1, 12, Duration::secs(60));
        let stable = stage.until_stable().expect("nothing is in the way");
        assert!(stable > Duration::secs(55), "{stable:?}");
        assert!(stage.counts().generations > 1, "{:?}", stage.counts());
    }
}

//! `brokerlab show`: a recorded run, told again without running anything.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use brokerlab_reports::event::Event;
use brokerlab_reports::recording::{Footer, Recording, RunHeader};
use miette::{IntoDiagnostic, WrapErr};
use serde_json::json;

use super::output::say;
use super::timeline::{is_notable, timeline};
use super::{Exit, evidence};

/// Tell what happened in a recorded run
#[derive(clap::Args, Debug)]
pub struct Show {
    /// A file written by `run --record`
    recording: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write a report there instead: one HTML file that explains the run
    #[arg(long, value_name = "OUT", conflicts_with_all = ["json", "events"])]
    report: Option<PathBuf>,
    /// Print every event, not only the notable ones
    #[arg(long)]
    events: bool,
}

impl Show {
    pub(super) fn carry_out(&self) -> miette::Result<Exit> {
        if let Some(report) = &self.report {
            evidence::report(&self.recording, report)?;
            return Ok(Exit::GOOD);
        }
        let path = self.recording.display();
        let file = File::open(&self.recording).into_diagnostic().wrap_err_with(|| format!("cannot read {path}"))?;
        let mut recording =
            Recording::open(BufReader::new(file)).into_diagnostic().wrap_err_with(|| format!("cannot show {path}"))?;
        let mut notable = Vec::new();
        while let Some(event) = recording.next_event().into_diagnostic().wrap_err_with(|| format!("cannot show {path}"))? {
            if self.events {
                say!("{}", one_line(&event, &recording.header.nodes));
            }
            if is_notable(&event.what) {
                notable.push(event);
            }
        }
        let footer = recording.footer().expect("read after the last event");
        if self.json {
            say!("{}", json(&recording.header, footer));
        } else {
            tell(&recording.header, footer, &notable);
        }
        Ok(Exit::GOOD)
    }
}

fn one_line(event: &Event, nodes: &[String]) -> String {
    let node = event.node.and_then(|node| nodes.get(usize::from(node.0))).map_or("-", String::as_str);
    let cause = if event.cause.0 > 0 { format!(" <- {}", event.cause.0) } else { String::new() };
    format!("{:>7}{cause:<11} {:>12.6} s  {node:<4} {:?}", event.id.0, event.at.0 as f64 / 1e9, event.what)
}

fn tell(header: &RunHeader, footer: &Footer, notable: &[Event]) {
    say!("scenario {}, seed {}, recorded by {}\n", header.scenario, header.seed, header.build);
    timeline(notable, &header.nodes).iter().for_each(|line| say!("{line}"));
    say!();
    for finding in footer.judgement.findings.iter().take(20) {
        say!("  {} at event {}: {}", finding.check, finding.event.0, finding.text);
    }
    say!("{}  {}", footer.judgement.verdict, footer.judgement.sentence);
    say!("hash {}   {} events", footer.hash, footer.events);
}

fn json(header: &RunHeader, footer: &Footer) -> serde_json::Value {
    let judgement = &footer.judgement;
    let finding = |one: &brokerlab_reports::verdict::Finding| json!({"check": one.check, "event": one.event.0, "verdict": one.verdict.name(), "text": one.text});
    let check = |one: &brokerlab_reports::verdict::CheckReport| json!({"id": one.id, "claim": one.claim, "evaluated": one.evaluated, "exercised": one.exercised, "violated": one.violated});
    json!({
        "scenario": header.scenario,
        "seed": header.seed.to_string(),
        "build": header.build,
        "nodes": header.nodes,
        "verdict": judgement.verdict.name(),
        "property": judgement.property,
        "sentence": judgement.sentence,
        "hash": footer.hash.to_string(),
        "events": footer.events,
        "checks": judgement.checks.iter().map(check).collect::<Vec<_>>(),
        "findings": judgement.findings.iter().map(finding).collect::<Vec<_>>(),
        "counts": judgement.counts.iter().map(|(name, count)| (name.clone(), json!(count))).collect::<serde_json::Map<_, _>>(),
    })
}

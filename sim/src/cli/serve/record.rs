//! `serve --record FILE`: a real cluster under the eyes of the inner checks.
//!
//! Every fact of every node is numbered, written down and judged as it is stated, in an order in which causes come before effects (see
//! [`brokerlab::node::witness`]). What only a simulated world can know is missing: frames as they were carried, audits of disks. So there is nothing
//! about durability here, nor about what was promised to whom, and the checks that need it have nothing to see. The judgement covers
//! leaders, logs, high watermarks and the ISR.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use brokerlab::node::witness::{Happening, Witness};
use brokerlab::types::{BrokerId, Time};
use brokerlab_reports::event::{Event, EventId, NodeId, What, WorldFact};
use brokerlab_reports::recording::{FORMAT, Recorder, RunHeader};
use brokerlab_reports::verdict::Verdict;
use miette::{IntoDiagnostic, WrapErr, miette};

use crate::check::{Judge, NodeKind, NodeSetup, Setup};
use crate::cli::machine::now;
use crate::cli::{Exit, build_id};

/// Findings told at the end.
const TOLD_MAX: usize = 20;

/// A recording while it is made.
#[derive(Clone)]
pub struct Record(Arc<Mutex<Option<Making>>>);

struct Making {
    recorder: Recorder,
    judge: Judge,
    lives: Vec<u32>,
    events: u64,
    begun: Instant,
}

impl Record {
    /// A recording of a cluster that is new: of logs that are there already nobody knows what is in them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(path: &Path, brokers: u16) -> miette::Result<Record> {
        let file = File::create(path).into_diagnostic().wrap_err_with(|| format!("cannot write {}", path.display()))?;
        let mut nodes = vec![NodeSetup::new("c1", NodeKind::Controller)];
        nodes.extend((1..=brokers).map(|id| NodeSetup::new(&format!("b{id}"), NodeKind::Broker(BrokerId(i32::from(id))))));
        let header = RunHeader {
            format: FORMAT,
            build: build_id(),
            scenario: "serve".into(),
            seed: 0,
            plan: String::new(),
            nodes: nodes.iter().map(|node| node.name.clone()).collect(),
        };
        let recorder = Recorder::writing(Box::new(BufWriter::new(file)), &header).into_diagnostic()?;
        let lives = vec![0; nodes.len()];
        let judge = Judge::new(Setup { nodes, must_exercise: Vec::new(), enabled: true });
        Ok(Record(Arc::new(Mutex::new(Some(Making { recorder, judge, lives, events: 0, begun: now() })))))
    }

    /// Who hears for the recording.
    pub fn witness(&self) -> Witness {
        let record = self.clone();
        Witness::new(move |node, happening| {
            if let Some(making) = record.lock().as_mut() {
                making.note(node, happening);
            }
        })
    }

    /// Ends the recording and tells how it was judged.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn finish(&self) -> miette::Result<Exit> {
        let Some(making) = self.lock().take() else { return Err(miette!("the recording was ended already")) };
        let judgement = making.judge.finish();
        let (verdict, sentence) = (judgement.verdict, judgement.sentence.clone());
        for finding in judgement.findings.iter().take(TOLD_MAX) {
            eprintln!("  {} at event {}: {}", finding.check, finding.event.0, finding.text);
        }
        let footer = making.recorder.finish(judgement).into_diagnostic().wrap_err("the recording could not be written")?;
        eprintln!("recorded {} facts: {verdict}  {sentence}", footer.events);
        Ok(if verdict == Verdict::Violation { Exit(1) } else { Exit::GOOD })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Making>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Making {
    fn note(&mut self, node: usize, happening: Happening<'_>) {
        let what = match happening {
            Happening::Started => {
                self.lives[node] += 1;
                What::World(WorldFact::NodeStarted { life: self.lives[node] })
            }
            Happening::Stopped => What::World(WorldFact::NodeStopped),
            Happening::Killed => What::World(WorldFact::ProcessCrashed),
            Happening::Fact(fact) => What::Fact(fact.clone()),
        };
        self.events += 1;
        let at = Time(u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let node = u16::try_from(node).ok().map(NodeId);
        let event = Event { id: EventId(self.events), at, node, cause: EventId::NONE, also: EventId::NONE, what };
        self.recorder.push(&event);
        self.judge.observe(&event);
    }
}

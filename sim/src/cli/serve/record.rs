//! `serve --record FILE`: a real cluster under the eyes of the inner checks.
//!
//! Every fact of every node, and every fetch of a follower as it comes in, is numbered, written down and judged as it happens, in an order in
//! which causes come before effects (see [`brokerlab::node::witness`]). What only a simulated world can know is missing: answers as they were
//! carried, audits of disks. So there is nothing about durability here, nor about what was promised to whom, and the checks that need it
//! have nothing to see. The judgement covers leaders, logs, high watermarks and the ISR.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use brokerlab::node::witness::{Happening, Witness};
use brokerlab::types::{BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionId, Time, Uuid};
use brokerlab::wire::fetch_request::FetchPartition;
use brokerlab::wire::{ApiKey, Request, decode_request};
use brokerlab_reports::event::{Event, EventId, NodeId, Tap, What, WorldFact};
use brokerlab_reports::recording::{FORMAT, Recorder, RunHeader};
use brokerlab_reports::verdict::Verdict;
use bytes::Bytes;
use miette::{IntoDiagnostic, WrapErr, miette};

use crate::check::{Dating, Judge, NodeKind, NodeSetup, Setup};
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
        let (must_exercise, groups) = (Vec::new(), Vec::new());
        let judge = Judge::new(Setup { nodes, must_exercise, enabled: true, dating: Dating::ANY, pace: None, groups });
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
        match happening {
            Happening::Started => {
                self.lives[node] += 1;
                self.take(node, What::World(WorldFact::NodeStarted { life: self.lives[node] }));
            }
            Happening::Stopped => self.take(node, What::World(WorldFact::NodeStopped)),
            Happening::Killed => self.take(node, What::World(WorldFact::ProcessCrashed)),
            Happening::Fact(fact) => self.take(node, What::Fact(fact.clone())),
            // The controller's followers are observers of its own log, which is no partition.
            Happening::Request(frame) if node > 0 => fetches(frame).into_iter().for_each(|tap| self.take(node, What::Tap(tap))),
            Happening::Request(_) => {}
        }
    }

    fn take(&mut self, node: usize, what: What) {
        self.events += 1;
        let at = Time(u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let node = u16::try_from(node).ok().map(NodeId);
        let event = Event { id: EventId(self.events), at, node, cause: EventId::NONE, also: EventId::NONE, what };
        self.recorder.push(&event);
        self.judge.observe(&event);
    }
}

/// What a follower asks for, partition by partition; nothing for any other request. Our followers name topics by id.
fn fetches(frame: &Bytes) -> Vec<Tap> {
    let is_fetch = frame.first_chunk().is_some_and(|key| i16::from_be_bytes(*key) == ApiKey::Fetch.code());
    let Some((_, Request::Fetch(fetch))) = is_fetch.then(|| decode_request(frame).ok()).flatten() else { return Vec::new() };
    let follower = fetch.replica_id.max(fetch.replica_state.replica_id);
    if follower < 0 {
        return Vec::new();
    }
    let asked = fetch.topics.iter().flat_map(|topic| topic.partitions.iter().map(|partition| (topic.topic_id, partition)));
    let tap = |(topic, asked): (Uuid, &FetchPartition)| Tap::FollowerFetch {
        partition: PartitionId { topic, index: asked.partition },
        follower: BrokerId(follower),
        broker_epoch: BrokerEpoch(fetch.replica_state.replica_epoch),
        fetch_offset: Offset(asked.fetch_offset),
        leader_epoch: LeaderEpoch(asked.current_leader_epoch),
        last_fetched_epoch: LeaderEpoch(asked.last_fetched_epoch),
    };
    asked.map(tap).collect()
}

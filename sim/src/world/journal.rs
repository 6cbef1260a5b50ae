//! The record of the run: numbers every event, hashes it, shows it to the judge and to whoever watches.

use std::io::{self, Write};

use brokerlab::types::Time;
use brokerlab_reports::event::{Event, EventId, NodeId, What, WorldFact};
use brokerlab_reports::recording::{Footer, Recorder, RunHeader};
use brokerlab_reports::verdict::Judgement;

use crate::check::{Judge, NodeSetup, Symptom};
use crate::reach::{Reach, Reached};

/// Sees every event as it happens; must not change anything.
pub type Observer = Box<dyn FnMut(&Event) + Send>;

/// The record of one run.
pub struct Journal {
    recorder: Recorder,
    judge: Judge,
    reach: Option<Reach>,
    observer: Option<Observer>,
    counts: Vec<(&'static str, u64)>,
    timeline: Option<Vec<Event>>,
    last: u64,
}

/// No more events than this are kept for the timeline.
const TIMELINE_MAX: usize = 4096;

impl Journal {
    /// A record that is judged, and kept in `sink` if there is one.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn open(header: &RunHeader, sink: Option<Box<dyn Write + Send>>, judge: Judge) -> io::Result<Journal> {
        let recorder = match sink {
            Some(sink) => Recorder::writing(sink, header)?,
            None => Recorder::hashing(),
        };
        Ok(Journal { recorder, judge, reach: None, observer: None, counts: Vec::new(), timeline: None, last: 0 })
    }

    /// Keeps notable events for a timeline.
    pub fn keep_timeline(&mut self) {
        self.timeline = Some(Vec::new());
    }

    /// Notes which corners and states are reached.
    pub fn explore(&mut self, nodes: &[NodeSetup]) {
        self.reach = Some(Reach::new(nodes));
    }

    /// Shows every event to `observer` too.
    pub fn watch(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// Takes down one event and gives it its number.
    pub fn note(&mut self, at: Time, node: Option<NodeId>, cause: EventId, also: EventId, what: What) -> EventId {
        self.last += 1;
        let id = EventId(self.last);
        let event = Event { id, at, node, cause, also, what };
        self.recorder.push(&event);
        self.judge.observe(&event);
        self.count(&event.what);
        if let Some(reach) = &mut self.reach {
            reach.observe(&event);
        }
        if let Some(observer) = &mut self.observer {
            observer(&event);
        }
        if let Some(timeline) = &mut self.timeline
            && timeline.len() < TIMELINE_MAX
            && is_notable(&event.what)
        {
            timeline.push(event);
        }
        id
    }

    /// Events so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.last
    }

    /// The judge, to be asked what is still owed.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Ends the record.
    ///
    /// # Errors
    /// The first error of the sink.
    pub fn close(self) -> io::Result<Closed> {
        let sighted = self.judge.sighted().cloned();
        let (judgement, symptom) = self.judge.conclude();
        let footer = self.recorder.finish(judgement.clone())?;
        let mut counts = self.counts;
        counts.sort_unstable();
        let reached = self.reach.map(Reach::finish).unwrap_or_default();
        Ok(Closed { judgement, symptom, sighted, footer, counts, reached, timeline: self.timeline.unwrap_or_default() })
    }

    fn count(&mut self, what: &What) {
        let name = match what {
            What::Fact(fact) => fact.name(),
            What::World(fact) => world_fact_name(fact),
            What::Delivered(_) | What::Tap(_) | What::Audit(_) | What::Invoked(_) | What::Completed(_) => return,
        };
        match self.counts.iter_mut().find(|(known, _)| std::ptr::eq(*known, name) || *known == name) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((name, 1)),
        }
    }
}

/// What is left of a record.
pub struct Closed {
    /// The judgement.
    pub judgement: Judgement,
    /// How the run fails.
    pub symptom: Option<Symptom>,
    /// The first violation that was seen while it went on.
    pub sighted: Option<Symptom>,
    /// Hash and ladder.
    pub footer: Footer,
    /// Facts and world facts by name, sorted.
    pub counts: Vec<(&'static str, u64)>,
    /// Corners and states, if they were looked for.
    pub reached: Reached,
    /// Notable events, if they were kept.
    pub timeline: Vec<Event>,
}

/// What a person wants to see scroll by: life and death, leaders, the ISR, cuts of logs.
fn is_notable(what: &What) -> bool {
    use brokerlab::fact::{Fact, GroupFact};
    match what {
        What::World(fact) => !matches!(fact, WorldFact::Processed { .. }),
        What::Fact(fact) => matches!(
            fact,
            Fact::BrokerStarted { .. }
                | Fact::ControllerActivated { .. }
                | Fact::BrokerFenced { .. }
                | Fact::BrokerUnfenced { .. }
                | Fact::TopicCreated { .. }
                | Fact::LeaderElected { .. }
                | Fact::IsrShrunk { .. }
                | Fact::IsrExpanded { .. }
                | Fact::LogTruncated { .. }
                | Fact::LogFailed { .. }
                | Fact::CorruptionFound { .. }
                | Fact::MutantActed { .. }
                | Fact::Group(
                    GroupFact::AssignmentDecided { .. }
                        | GroupFact::MemberRemoved { .. }
                        | GroupFact::MemberFenced { .. }
                        | GroupFact::PartitionsLost { .. }
                        | GroupFact::CoordinatorLoaded { .. }
                )
        ),
        What::Delivered(_) | What::Tap(_) | What::Audit(_) | What::Invoked(_) | What::Completed(_) => false,
    }
}

/// The name of the variant: what scenarios `expect`.
#[must_use]
pub fn world_fact_name(fact: &WorldFact) -> &'static str {
    match fact {
        WorldFact::NodeStarted { .. } => "NodeStarted",
        WorldFact::ProcessCrashed => "ProcessCrashed",
        WorldFact::PowerLost { .. } => "PowerLost",
        WorldFact::NodeStopped => "NodeStopped",
        WorldFact::Paused => "Paused",
        WorldFact::Resumed => "Resumed",
        WorldFact::FaultBegan { .. } => "FaultBegan",
        WorldFact::FaultEnded { .. } => "FaultEnded",
        WorldFact::FaultSkipped { .. } => "FaultSkipped",
        WorldFact::FrameStruck { .. } => "FrameStruck",
        WorldFact::SettleBegan => "SettleBegan",
        WorldFact::Settled => "Settled",
        WorldFact::SettleFailed { .. } => "SettleFailed",
        WorldFact::Panicked { .. } => "Panicked",
        WorldFact::Processed { .. } => "Processed",
    }
}

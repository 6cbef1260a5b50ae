//! The story: what a person who watched the cluster would tell, as numbered beats.
//!
//! A beat has a moment, the nodes concerned, what changed, and what it follows from: the event whose step brought it about, and the
//! last beat before it on the chain of causes. What the same step did to several partitions is one beat. When there are more beats than
//! anybody reads, the weightiest are told in full and the page says how many are not.

use brokerlab::fact::{Fact, PartitionState, TruncationReason};

use crate::event::{Delivery, Event, EventId, What, WorldFact};
use crate::verdict::{Finding, Judgement};

use super::group_words;
use super::names::{Names, api};
use super::roots::Roots;

/// Beats that are remembered; the first of so many explain more than the rest.
const REMEMBERED_MAX: usize = 4096;
/// Beats that are told.
const TOLD_MAX: usize = 48;
/// Before the cluster is up only what weighs more is told.
const START: u8 = 4;
/// Weight of what should not be.
const FINDING: u8 = 12;
/// Events that a beat names.
const EVENTS_MAX: usize = 4;

/// What a beat is about; shown as a word beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Theme {
    /// What the plan does.
    Fault,
    /// Processes that begin and end.
    Life,
    /// Who leads, who counts.
    Leadership,
    /// What happens to a log.
    Log,
    /// Consumer groups.
    Group,
    /// Topics, phases.
    Course,
    /// What a check found.
    Finding,
}

impl Theme {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Theme::Fault => "fault",
            Theme::Life => "process",
            Theme::Leadership => "leadership",
            Theme::Log => "log",
            Theme::Group => "group",
            Theme::Course => "course",
            Theme::Finding => "finding",
        }
    }
}

/// One beat.
#[derive(Clone, Debug)]
pub struct Beat {
    /// When.
    pub at: u64,
    /// Whose doing, or whose fate; empty for the whole world.
    pub nodes: Vec<String>,
    /// About what.
    pub theme: Theme,
    /// How much the story would miss it.
    pub weight: u8,
    /// Partitions that it is about.
    pub partitions: Vec<String>,
    /// What changed.
    pub text: String,
    /// The events that it tells, the first few of them.
    pub events: Vec<EventId>,
    /// How many events it tells.
    pub times: u64,
    /// The event that brought it about, and what that was.
    pub because: Option<(EventId, String)>,
    /// The last beat on the chain of causes (an index into all beats).
    pub follows: Option<usize>,
}

/// Beats as far as the recording was read.
#[derive(Debug, Default)]
pub struct Beats {
    all: Vec<Beat>,
    untold: u64,
    roots: Roots,
    /// The first topic exists: before it, everybody starts, and that is no story.
    begun: bool,
    /// The last thing each node was given: facts follow it at once.
    given: Vec<Option<(EventId, String)>>,
}

/// The beats that are told.
#[derive(Clone, Debug)]
pub struct Story {
    /// In order; `follows` is an index into them.
    pub beats: Vec<Beat>,
    /// How many smaller ones are left out.
    pub untold: u64,
}

impl Story {
    /// The first thing that a check found, or that ended the run badly.
    #[must_use]
    pub fn first_finding(&self) -> Option<&Beat> {
        self.beats.iter().find(|beat| beat.theme == Theme::Finding && beat.weight >= FINDING)
    }
}

impl Beats {
    /// Takes in an event.
    pub fn observe(&mut self, event: &Event, names: &Names) {
        if let (What::Delivered(delivery), Some(node)) = (&event.what, event.node) {
            let at = usize::from(node.0);
            if self.given.len() <= at {
                self.given.resize(at + 1, None);
            }
            self.given[at] = Some((event.id, given(delivery, names)));
        }
        self.begun |= matches!(&event.what, What::Fact(Fact::TopicCreated { .. }));
        let told = tell(event, names).filter(|told| self.begun || told.weight > START);
        let beat = told.and_then(|told| self.add(event, told, names));
        let cause = if event.cause == EventId::NONE { event.also } else { event.cause };
        self.roots.push(event.at.0, cause, beat);
    }

    /// Nothing more will come; what the checks found joins the story.
    #[must_use]
    pub fn finish(mut self, judgement: &Judgement) -> Story {
        let mut findings: Vec<&Finding> = judgement.findings.iter().collect();
        findings.sort_by_key(|finding| finding.event);
        let mut checks: Vec<&str> = Vec::new();
        for finding in findings {
            // The first finding of each check is a beat; all of them stand in a list of their own.
            if checks.contains(&finding.check.as_str()) || finding.verdict.exit_code() == 0 {
                continue;
            }
            checks.push(&finding.check);
            let follows = self.roots.of(finding.event);
            let (at, text) = (self.roots.moment(finding.event), format!("{} fails: {}", finding.check, finding.text));
            let at = follows.map_or(at, |beat| at.max(self.all[beat].at));
            let place = self.all.partition_point(|beat| beat.at <= at);
            self.insert(place, Beat { follows, ..finding_beat(at, text, finding.event) });
        }
        chosen(self.all, self.untold)
    }

    fn insert(&mut self, place: usize, beat: Beat) {
        self.all.insert(place, beat);
        // What came behind it has moved by one.
        let moved = |follows: &mut Option<usize>| *follows = follows.map(|at| if at >= place { at + 1 } else { at });
        self.all.iter_mut().enumerate().filter(|(at, _)| *at != place).for_each(|(_, beat)| moved(&mut beat.follows));
        self.roots.shift(place);
    }

    fn add(&mut self, event: &Event, told: Told, names: &Names) -> Option<usize> {
        let because = self.because(event);
        if let Some(at) = self.alike(&told, because.as_ref().map(|(cause, _)| *cause)) {
            let beat = &mut self.all[at];
            beat.partitions.extend(told.partition.filter(|partition| !beat.partitions.contains(partition)));
            beat.times += 1;
            if beat.events.len() < EVENTS_MAX {
                beat.events.push(event.id);
            }
            return Some(at);
        }
        if self.all.len() >= REMEMBERED_MAX {
            self.untold += 1;
            return None;
        }
        let cause = if event.cause == EventId::NONE { event.also } else { event.cause };
        self.all.push(Beat {
            at: event.at.0,
            nodes: told.nodes.unwrap_or_else(|| event.node.map(|node| names.node(node)).into_iter().collect()),
            theme: told.theme,
            weight: told.weight,
            partitions: told.partition.into_iter().collect(),
            text: told.text,
            events: vec![event.id],
            times: 1,
            because,
            follows: self.roots.of(cause),
        });
        Some(self.all.len() - 1)
    }

    /// A beat that says the same: of the same step, or at any time for what is said only once.
    fn alike(&self, told: &Told, cause: Option<EventId>) -> Option<usize> {
        if told.theme == Theme::Finding {
            return self.all.iter().position(|beat| beat.text == told.text);
        }
        let recent = self.all.len().saturating_sub(8);
        let alike =
            |beat: &Beat| beat.text == told.text && cause.is_some() && beat.because.as_ref().map(|(cause, _)| *cause) == cause;
        self.all[recent..].iter().position(alike).map(|at| recent + at)
    }

    fn because(&self, event: &Event) -> Option<(EventId, String)> {
        let cause = if event.cause == EventId::NONE { event.also } else { event.cause };
        if cause == EventId::NONE {
            return None;
        }
        let given = event.node.and_then(|node| self.given.get(usize::from(node.0))?.as_ref());
        match given {
            Some((id, what)) if *id == cause => Some((cause, what.clone())),
            Some(_) | None => {
                let told = self.roots.of(cause).and_then(|beat| self.all.get(beat));
                let what = told.map_or_else(|| "an earlier event".into(), subject);
                Some((cause, what))
            }
        }
    }
}

/// A few words for a beat that another one follows from.
fn subject(beat: &Beat) -> String {
    let short: String = beat.text.chars().take(60).collect();
    if short.len() < beat.text.len() { format!("{short}…") } else { short }
}

fn finding_beat(at: u64, text: String, event: EventId) -> Beat {
    Beat {
        at,
        nodes: Vec::new(),
        theme: Theme::Finding,
        weight: FINDING,
        partitions: Vec::new(),
        text,
        events: vec![event],
        times: 1,
        because: None,
        follows: None,
    }
}

/// Keeps the weightiest, in order.
fn chosen(all: Vec<Beat>, untold: u64) -> Story {
    let mut weights: Vec<u8> = all.iter().map(|beat| beat.weight).collect();
    weights.sort_unstable_by(|one, other| other.cmp(one));
    let least = weights.get(TOLD_MAX).copied().unwrap_or(0);
    // Of the lightest that are told, the first ones.
    let mut room = TOLD_MAX.saturating_sub(all.iter().filter(|beat| beat.weight > least).count());
    let mut place = vec![None; all.len()];
    let mut beats: Vec<Beat> = Vec::new();
    let count = all.len();
    for (at, mut beat) in all.into_iter().enumerate() {
        let is_told = beat.weight > least || (beat.weight == least && room > 0);
        if !is_told {
            continue;
        }
        room -= usize::from(beat.weight == least);
        beat.follows = beat.follows.and_then(|at| place.get(at).copied().flatten());
        place[at] = Some(beats.len());
        beats.push(beat);
    }
    let untold = untold + (count - beats.len()) as u64;
    Story { beats, untold }
}

/// What a node was given, in words that follow "because of".
fn given(delivery: &Delivery, names: &Names) -> String {
    match delivery {
        Delivery::Frame(frame) => {
            let what = if frame.response { "response" } else { "request" };
            format!("{} {what} from {}", api(frame.api_key), names.node(frame.from))
        }
        Delivery::Opened { peer, .. } => format!("connection with {} opened", names.node(*peer)),
        Delivery::Closed { peer, .. } => format!("connection with {} lost", names.node(*peer)),
        Delivery::Synced { .. } => "a sync that ended".into(),
        Delivery::ReadDone { .. } => "a read that ended".into(),
        Delivery::Woken => "its own timer".into(),
    }
}

/// A beat before it has its place.
struct Told {
    theme: Theme,
    weight: u8,
    partition: Option<String>,
    text: String,
    /// Instead of the node of the event.
    nodes: Option<Vec<String>>,
}

fn told(theme: Theme, weight: u8, text: impl Into<String>) -> Told {
    Told { theme, weight, partition: None, text: text.into(), nodes: None }
}

fn tell(event: &Event, names: &Names) -> Option<Told> {
    match &event.what {
        What::World(fact) => tell_world(fact, names),
        What::Fact(fact) => {
            let told = tell_fact(fact, names)?;
            Some(Told { partition: fact.partition().map(|partition| names.partition(partition)), ..told })
        }
        What::Delivered(_) | What::Tap(_) | What::Audit(_) | What::Invoked(_) | What::Completed(_) => None,
    }
}

fn tell_world(fact: &WorldFact, names: &Names) -> Option<Told> {
    Some(match fact {
        WorldFact::NodeStarted { life: 1 } | WorldFact::Processed { .. } => return None,
        WorldFact::NodeStarted { life } => told(Theme::Life, 5, format!("is started again (life {life} of its process)")),
        WorldFact::ProcessCrashed => told(Theme::Life, 8, "its process dies (kill -9); kernel and page cache live on"),
        WorldFact::PowerLost { sectors_lost, sectors_kept } => told(
            Theme::Life,
            9,
            format!("loses power: {sectors_lost} unsynced sectors are gone, {sectors_kept} reached the medium"),
        ),
        WorldFact::NodeStopped => told(Theme::Life, 5, "has shut down in order"),
        WorldFact::Paused => told(Theme::Life, 7, "its process is frozen; its kernel still takes in bytes"),
        WorldFact::Resumed => told(Theme::Life, 5, "its process goes on"),
        WorldFact::FaultBegan { fault, kind, nodes } => {
            let nodes = nodes.iter().map(|node| names.node(*node)).collect();
            Told { nodes: Some(nodes), ..told(Theme::Fault, 9, format!("fault {fault} begins: {kind}")) }
        }
        WorldFact::FaultEnded { fault } => told(Theme::Fault, 3, format!("fault {fault} is over")),
        WorldFact::FaultSkipped { fault, reason } => told(Theme::Fault, 2, format!("fault {fault} finds no target: {reason}")),
        WorldFact::FrameStruck { fault, fate, to, api_key, response, .. } => {
            let part = if *response { "response" } else { "request" };
            let (api, to) = (api(*api_key), names.node(*to));
            told(Theme::Fault, 8, format!("fault {fault} strikes its {api} {part} to {to}: {fate}"))
        }
        WorldFact::SettleBegan => {
            told(Theme::Course, 10, "all faults are over, producers stop: from here on the cluster must come to rest")
        }
        WorldFact::Settled => told(Theme::Course, 10, "every obligation is met; the run ends"),
        WorldFact::SettleFailed { reasons } => {
            told(Theme::Finding, FINDING, format!("the cluster did not come to rest: {}", reasons.join("; ")))
        }
        WorldFact::Panicked { message } => told(Theme::Finding, FINDING, format!("PANICS: {message}")),
    })
}

#[allow(clippy::wildcard_enum_match_arm, reason = "everything else happens too often to be told")]
fn tell_fact(fact: &Fact, names: &Names) -> Option<Told> {
    Some(match fact {
        Fact::LeaderElected { state, unclean, .. } => {
            let how = if *unclean { " UNCLEANLY, from outside the ISR: what only the ISR had is lost" } else { "" };
            let leader = state.leader.map_or_else(
                || "there is no leader any more".to_string(),
                |leader| format!("{} becomes leader{how}", names.broker(leader)),
            );
            told(Theme::Leadership, if *unclean { 11 } else { 10 }, format!("{leader} ({})", epoch_and_isr(state, names)))
        }
        Fact::IsrShrunk { state, .. } => told(
            Theme::Leadership,
            8,
            format!("the ISR shrinks to {} (leader epoch {})", names.brokers(&state.isr), state.leader_epoch),
        ),
        Fact::IsrExpanded { state, .. } => told(
            Theme::Leadership,
            7,
            format!("the ISR grows to {} (leader epoch {})", names.brokers(&state.isr), state.leader_epoch),
        ),
        Fact::AlterPartitionRefused { broker, code, .. } => {
            told(Theme::Leadership, 5, format!("refuses the ISR that {} asks for (error {code})", names.broker(*broker)))
        }
        Fact::LogTruncated { from, to, reason, .. } => {
            let why = match reason {
                TruncationReason::Diverged => "there its leader's history parts from its own",
                TruncationReason::BeyondLeaderEnd => "there its leader's log ends",
                TruncationReason::BelowLeaderStart => "its leader's log starts above",
                TruncationReason::ToHighWatermark => "that is its own high watermark",
            };
            told(Theme::Log, 9, format!("truncates its log from {from} to {to}: {why}"))
        }
        Fact::LogOpened { log_end, cut_bytes: cut @ 1.., .. } => {
            told(Theme::Log, 8, format!("recovery cuts {cut} torn bytes; the log ends at {log_end}"))
        }
        Fact::CorruptionFound { at, below_recovery_point, .. } => {
            let below = if *below_recovery_point { ", below the recovery point" } else { "" };
            told(Theme::Log, 9, format!("finds corruption at {at}{below}"))
        }
        Fact::LogFailed { error, .. } => told(Theme::Log, 9, format!("its disk fails: {error}")),
        Fact::LogRemoved { .. } => told(Theme::Log, 4, "removes the log"),
        Fact::BrokerStarted { clean, .. } => {
            let how = if *clean { "a clean" } else { "an unclean" };
            told(Theme::Life, 4, format!("has recovered its logs after {how} shutdown"))
        }
        Fact::ControllerActivated { controller_epoch, .. } => {
            told(Theme::Leadership, 4, format!("is the active controller (epoch {controller_epoch})"))
        }
        Fact::BrokerFenced { broker, .. } => {
            told(Theme::Leadership, 7, format!("fences {}: it may not lead nor be in an ISR", names.broker(*broker)))
        }
        Fact::BrokerUnfenced { broker, .. } => told(Theme::Leadership, 3, format!("unfences {}", names.broker(*broker))),
        Fact::TopicCreated { name, min_isr, .. } => {
            told(Theme::Course, 10, format!("the cluster is up; topic {name} is created (min ISR {min_isr})"))
        }
        Fact::TopicDeleted { .. } => told(Theme::Course, 6, "a topic is deleted"),
        Fact::Group(fact) => {
            let (weight, text) = group_words::told(fact)?;
            told(Theme::Group, weight, text)
        }
        Fact::MutantActed { mutant } => told(Theme::Finding, 6, format!("the planted bug acts: {mutant:?}")),
        _ => return None,
    })
}

fn epoch_and_isr(state: &PartitionState, names: &Names) -> String {
    format!("leader epoch {}, ISR {}", state.leader_epoch, names.brokers(&state.isr))
}

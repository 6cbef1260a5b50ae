//! A run in some twenty lines: what a person who watched the cluster would tell.
//!
//! Every notable event becomes a line with a weight. If there are too many, the lightest go, and a line says how many went; what the
//! chaos did and what the protocol answered stays.

use std::collections::BTreeMap;

use brokerlab::fact::{Fact, PartitionState, TruncationReason};
use brokerlab::types::{BrokerId, PartitionId, Time, TopicId};
use brokerlab::wire::ApiKey;
use brokerlab_reports::event::{Event, What, WorldFact};
use brokerlab_reports::report::group_words;

/// Lines in a story.
const LINES_MAX: usize = 26;

/// Whether an event can be part of a story.
#[must_use]
pub fn is_notable(what: &What) -> bool {
    match what {
        What::World(fact) => !matches!(fact, WorldFact::Processed { .. }),
        What::Fact(fact) => weight_of_fact(fact) > 0,
        What::Delivered(_) | What::Tap(_) | What::Audit(_) | What::Invoked(_) | What::Completed(_) => false,
    }
}

/// One line of a story before it is written out.
struct Line {
    weight: u8,
    at: Time,
    node: String,
    text: String,
    /// Equal things that happened at the same moment in other partitions.
    more: usize,
    /// What makes two lines equal in that sense.
    alike: &'static str,
}

impl Line {
    fn text(&self) -> String {
        let more = if self.more > 0 { format!(" (likewise {} more)", self.more) } else { String::new() };
        format!("{:>9.3} s  {:<3} {}{more}", self.at.0 as f64 / 1e9, self.node, self.text)
    }
}

/// The story of these events.
#[must_use]
pub fn timeline(events: &[Event], nodes: &[String]) -> Vec<String> {
    let mut words = Words { nodes, topics: BTreeMap::new() };
    let mut lines: Vec<Line> = Vec::new();
    let created = events.iter().position(|event| matches!(event.what, What::Fact(Fact::TopicCreated { .. })));
    for event in &events[created.unwrap_or(0)..] {
        let Some((weight, text)) = words.tell(event) else { continue };
        let node = event.node.map_or(String::new(), |node| words.node(node.0));
        let alike = if let What::Fact(fact) = &event.what { fact.name() } else { "" };
        match lines.last_mut().filter(|last| !alike.is_empty() && last.alike == alike && last.at == event.at && last.node == node)
        {
            Some(last) => last.more += 1,
            None => lines.push(Line { weight, at: event.at, node, text, more: 0, alike }),
        }
    }
    shortened(lines.iter().map(|line| (line.weight, line.text())).collect())
}

/// Keeps the heaviest lines, in order.
fn shortened(mut lines: Vec<(u8, String)>) -> Vec<String> {
    let all = lines.len();
    for weight in 1..u8::MAX {
        if lines.len() <= LINES_MAX {
            break;
        }
        let heavier = lines.iter().filter(|line| line.0 > weight).count();
        if heavier >= LINES_MAX / 2 {
            lines.retain(|line| line.0 > weight);
        } else {
            // The last of this weight are told least: beginnings explain more than repetitions.
            let mut room = LINES_MAX - heavier;
            lines.retain(|line| {
                let kept = line.0 > weight || room > 0;
                room -= usize::from(line.0 <= weight && kept);
                kept
            });
        }
    }
    lines.truncate(LINES_MAX * 4);
    let left_out = all - lines.len();
    let mut told: Vec<String> = lines.into_iter().map(|(_, text)| text).collect();
    if left_out > 0 {
        told.push(format!("             ({left_out} smaller events not told)"));
    }
    told
}

struct Words<'w> {
    nodes: &'w [String],
    topics: BTreeMap<TopicId, String>,
}

impl Words<'_> {
    fn node(&self, node: u16) -> String {
        self.nodes.get(usize::from(node)).cloned().unwrap_or_else(|| format!("node {node}"))
    }

    fn partition(&self, partition: PartitionId) -> String {
        match self.topics.get(&partition.topic) {
            Some(name) => format!("{name}-{}", partition.index),
            None => partition_text(partition),
        }
    }

    fn tell(&mut self, event: &Event) -> Option<(u8, String)> {
        match &event.what {
            What::World(fact) => self.tell_world(fact),
            What::Fact(fact) => {
                if let Fact::TopicCreated { topic, name, .. } = fact {
                    self.topics.insert(*topic, name.clone());
                }
                let weight = weight_of_fact(fact);
                (weight > 0).then(|| (weight, self.tell_fact(fact)))
            }
            What::Delivered(_) | What::Tap(_) | What::Audit(_) | What::Invoked(_) | What::Completed(_) => None,
        }
    }

    fn tell_world(&self, fact: &WorldFact) -> Option<(u8, String)> {
        Some(match fact {
            WorldFact::NodeStarted { life: 1 } | WorldFact::Processed { .. } => return None,
            WorldFact::NodeStarted { life } => (6, format!("is started again (life {life})")),
            WorldFact::ProcessCrashed => (7, "its process dies (kill -9)".into()),
            WorldFact::PowerLost { sectors_lost, sectors_kept } => {
                (9, format!("loses power: {sectors_lost} unsynced sectors are gone, {sectors_kept} survived"))
            }
            WorldFact::NodeStopped => (5, "has shut down in order".into()),
            WorldFact::Paused => (7, "is frozen".into()),
            WorldFact::Resumed => (5, "goes on".into()),
            WorldFact::FaultBegan { fault, kind, nodes } => {
                let nodes: Vec<String> = nodes.iter().map(|node| self.node(node.0)).collect();
                (9, format!("fault {fault}: {kind} {}", nodes.join(", ")))
            }
            WorldFact::FaultEnded { fault } => (3, format!("fault {fault} is over")),
            WorldFact::FaultSkipped { fault, reason } => (4, format!("fault {fault} finds no target: {reason}")),
            WorldFact::FrameStruck { fault, fate, to, api_key, response, .. } => {
                let api = ApiKey::from_code(*api_key).map_or("frame", ApiKey::name);
                let part = if *response { "response" } else { "request" };
                (8, format!("fault {fault}: {fate} for its {api} {part} to {}", self.node(to.0)))
            }
            WorldFact::SettleBegan => (10, "all faults are over, producers stop: the cluster must come to rest".into()),
            WorldFact::Settled => (10, "every obligation is met".into()),
            WorldFact::SettleFailed { reasons } => (11, format!("the cluster did not come to rest: {}", reasons.join("; "))),
            WorldFact::Panicked { message } => (11, format!("PANICS: {message}")),
        })
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "what has no weight is not told")]
    fn tell_fact(&self, fact: &Fact) -> String {
        match fact {
            Fact::LeaderElected { partition, state, unclean } => {
                let how = if *unclean { " UNCLEANLY, from outside the ISR," } else { "" };
                format!("{}: {}{how} {}", self.partition(*partition), leader(state), epoch_and_isr(state))
            }
            Fact::IsrShrunk { partition, state } => {
                format!("{}: the ISR shrinks to {}", self.partition(*partition), brokers(&state.isr))
            }
            Fact::IsrExpanded { partition, state } => {
                format!("{}: the ISR grows to {}", self.partition(*partition), brokers(&state.isr))
            }
            Fact::LogTruncated { partition, from, to, reason, .. } => {
                let why = match reason {
                    TruncationReason::Diverged => "its leader's epochs part there",
                    TruncationReason::BeyondLeaderEnd => "its leader's log ends there",
                    TruncationReason::BelowLeaderStart => "its leader's log starts above",
                    TruncationReason::ToHighWatermark => "that is its own high watermark",
                };
                format!("{}: truncates its log from {from} to {to}: {why}", self.partition(*partition))
            }
            Fact::BrokerStarted { clean, .. } => {
                format!("has recovered its logs after {} shutdown", if *clean { "a clean" } else { "an unclean" })
            }
            Fact::TopicCreated { name, .. } => format!("the cluster is up, topic {name} is created"),
            Fact::BrokerFenced { broker, .. } => format!("fences {broker:?}"),
            Fact::BrokerUnfenced { broker, .. } => format!("unfences {broker:?}"),
            Fact::LogOpened { partition, log_end, cut_bytes, .. } => {
                format!("{}: recovery cuts {cut_bytes} torn bytes, the log ends at {log_end}", self.partition(*partition))
            }
            Fact::CorruptionFound { partition, at, .. } => format!("{}: finds corruption at {at}", self.partition(*partition)),
            Fact::LogFailed { error, .. } => format!("its disk fails: {error}"),
            Fact::ControllerActivated { controller_epoch, .. } => format!("is the active controller (epoch {controller_epoch})"),
            Fact::Group(fact) => group_words::told(fact).map_or_else(|| fact.name().to_string(), |(_, text)| text),
            Fact::MutantActed { mutant } => format!("the planted bug acts: {mutant:?}"),
            other => other.name().to_string(),
        }
    }
}

/// How much a story would miss it; 0: it is not told.
#[allow(clippy::wildcard_enum_match_arm, reason = "everything else happens too often to be told")]
fn weight_of_fact(fact: &Fact) -> u8 {
    match fact {
        Fact::LeaderElected { unclean: true, .. } => 10,
        Fact::LeaderElected { .. } | Fact::CorruptionFound { .. } | Fact::LogFailed { .. } => 9,
        Fact::LogTruncated { .. } => 8,
        Fact::IsrShrunk { .. } | Fact::IsrExpanded { .. } => 7,
        Fact::LogOpened { cut_bytes: 1.., .. } => 7,
        Fact::Group(fact) => group_words::told(fact).map_or(0, |(weight, _)| weight),
        Fact::MutantActed { .. } => 6,
        Fact::BrokerFenced { .. } => 6,
        Fact::BrokerStarted { .. } | Fact::ControllerActivated { .. } => 4,
        Fact::BrokerUnfenced { .. } => 3,
        Fact::TopicCreated { .. } => 10,
        _ => 0,
    }
}

fn leader(state: &PartitionState) -> String {
    match state.leader {
        Some(leader) => format!("{leader:?} becomes leader"),
        None => "there is no leader".into(),
    }
}

fn epoch_and_isr(state: &PartitionState) -> String {
    format!("(leader epoch {}, ISR {})", state.leader_epoch, brokers(&state.isr))
}

fn brokers(brokers: &[BrokerId]) -> String {
    let names: Vec<String> = brokers.iter().map(|broker| format!("{broker:?}")).collect();
    if names.is_empty() { "nobody".into() } else { names.join(" ") }
}

fn partition_text(partition: PartitionId) -> String {
    format!("{partition:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_stories_keep_what_is_heavy() {
        let mut lines: Vec<(u8, String)> = (0..100).map(|n| (3, format!("small {n}"))).collect();
        lines.insert(50, (9, "an election".into()));
        let told = shortened(lines);
        assert!(told.len() <= LINES_MAX + 1 && told.contains(&"an election".to_string()));
        assert!(told.last().is_some_and(|line| line.contains("75 smaller events")), "{told:?}");
    }

    #[test]
    fn short_stories_are_told_whole() {
        let told = shortened(vec![(1, "a".into()), (9, "b".into())]);
        assert_eq!(told, ["a", "b"]);
    }
}

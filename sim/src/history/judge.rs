//! From lines to a judgement.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};
use std::sync::Arc;

use brokerlab::operation::{Certainty, Command, Completion, Operation, OperationId, Outcome, PolledRecord, Position};
use brokerlab::types::{LeaderEpoch, Offset, Timestamp, TopicPartition};
use brokerlab_reports::event::{What, WorldFact};
use bytes::Bytes;

use super::{Line, Place};
use crate::check::outer::{OuterJudge, OuterJudgement};
use crate::check::setup::Reset;
use crate::check::{Dating, NodeKind, NodeSetup, Setup};

/// Why a history cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// It cannot be read.
    #[error("line {line}: {error}")]
    Unreadable {
        /// Where.
        line: usize,
        /// Why not.
        error: io::Error,
    },
    /// A line is no event.
    #[error("line {line}: {error}")]
    Malformed {
        /// Where.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// A line does not fit those before it.
    #[error("line {line}: {message}")]
    Misplaced {
        /// Where.
        line: usize,
        /// Why not.
        message: String,
    },
}

/// Judges a history.
///
/// # Errors
/// The first line that cannot be understood, or that speaks of something that was not begun.
pub fn judge(history: impl BufRead) -> Result<OuterJudgement, HistoryError> {
    let lines = read(history)?;
    let cast = Cast::of(&lines)?;
    let mut judge = OuterJudge::new(&cast.setup, &cast.partitions);
    let mut told = Told::default();
    for (number, line) in &lines {
        told.take(line, &cast, &mut judge).map_err(|message| HistoryError::Misplaced { line: *number, message })?;
    }
    Ok(judge.finish())
}

fn read(history: impl BufRead) -> Result<Vec<(usize, Line)>, HistoryError> {
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(history.lines()) {
        let text = text.map_err(|error| HistoryError::Unreadable { line: number, error })?;
        if !text.trim().is_empty() {
            let line = serde_json::from_str(&text).map_err(|error| HistoryError::Malformed { line: number, error })?;
            lines.push((number, line));
        }
    }
    Ok(lines)
}

/// Who takes part, and which partitions are named.
struct Cast {
    setup: Setup,
    nodes: BTreeMap<String, usize>,
    partitions: Vec<TopicPartition>,
}

impl Cast {
    fn of(lines: &[(usize, Line)]) -> Result<Cast, HistoryError> {
        let finals: BTreeSet<&str> =
            lines.iter().filter(|(_, line)| matches!(line, Line::Final { .. })).filter_map(|(_, line)| line.client()).collect();
        let (mut setups, mut nodes) = (Vec::new(), BTreeMap::new());
        let mut topics: BTreeMap<(&str, u64), &str> = BTreeMap::new();
        let mut named: BTreeSet<(&str, i32)> = BTreeSet::new();
        for (number, line) in lines {
            let kind = match line {
                Line::Producer { acks, idempotence, max_in_flight, .. } => {
                    Some(NodeKind::Producer { acks: acks.code(), idempotent: *idempotence, in_flight: *max_in_flight })
                }
                Line::Consumer { client } => {
                    Some(NodeKind::Consumer { laboratory: finals.contains(&**client), reset: Reset::Earliest })
                }
                Line::Send { client, op, topic, .. } => {
                    topics.insert((client, *op), topic);
                    None
                }
                Line::Sent { client, op, partition, .. } => {
                    named.extend(topics.get(&(&**client, *op)).map(|topic| (*topic, *partition)));
                    None
                }
                Line::Read { topic, partition, .. }
                | Line::MustRead { topic, partition, .. }
                | Line::AskEnd { topic, partition, .. } => {
                    named.insert((topic, *partition));
                    None
                }
                Line::Assign { partitions, .. } => {
                    named.extend(partitions.iter().map(|place| (&*place.topic, place.partition)));
                    None
                }
                Line::Failed { .. } | Line::Unknown { .. } | Line::Gone { .. } | Line::End { .. } | Line::Final { .. } => None,
            };
            let Some(client) = line.client() else { continue };
            match kind {
                Some(_) if nodes.contains_key(client) => {
                    return Err(HistoryError::Misplaced { line: *number, message: format!("{client} takes part already") });
                }
                Some(kind) => {
                    nodes.insert(client.to_owned(), setups.len());
                    setups.push(NodeSetup::new(client, kind));
                }
                None if !nodes.contains_key(client) => {
                    let message =
                        format!("{client} was not introduced: a line {{\"event\":\"producer\" or \"consumer\"}} comes first");
                    return Err(HistoryError::Misplaced { line: *number, message });
                }
                None => {}
            }
        }
        let partitions = named.into_iter().map(|(topic, index)| TopicPartition { topic: topic.into(), index }).collect();
        Ok(Cast {
            setup: Setup {
                nodes: setups,
                must_exercise: Vec::new(),
                enabled: true,
                dating: Dating::ANY,
                pace: None,
                groups: Vec::new(),
            },
            nodes,
            partitions,
        })
    }

    fn node(&self, client: &str) -> usize {
        self.nodes[client]
    }
}

/// What has been begun so far.
#[derive(Default)]
struct Told {
    /// Topic of each record on its way.
    open: BTreeMap<(usize, u64), Arc<str>>,
    /// Partition of each question that is not answered.
    asked: BTreeMap<(usize, u64), TopicPartition>,
    /// Reads and assignments have no number of their own.
    unnumbered: u64,
    settling: bool,
}

impl Told {
    fn take(&mut self, line: &Line, cast: &Cast, judge: &mut OuterJudge) -> Result<(), String> {
        let node = line.client().map(|client| cast.node(client));
        match (line, node) {
            (Line::Producer { .. } | Line::Consumer { .. }, _) => {}
            (Line::MustRead { topic, partition, offset }, _) => judge.must_read(name(topic, *partition), Offset(*offset)),
            (Line::Gone { .. }, Some(node)) => {
                self.open.retain(|(owner, _), _| *owner != node);
                judge.gone(node);
            }
            (Line::Final { .. }, _) => {
                if !std::mem::replace(&mut self.settling, true) {
                    judge.observe(None, What::World(WorldFact::SettleBegan));
                }
            }
            (Line::Send { op, topic, value, .. }, Some(node)) => {
                let topic: Arc<str> = topic.as_str().into();
                if self.open.insert((node, *op), topic.clone()).is_some() {
                    return Err(format!("record {op} of this producer is on its way already"));
                }
                let value = Bytes::copy_from_slice(value.as_bytes());
                invoke(judge, node, *op, Operation::Produce { topic, partition: None, key: None, value });
            }
            (Line::Sent { op, partition, offset, .. }, Some(node)) => {
                let partition = TopicPartition { topic: self.close(node, *op)?, index: *partition };
                complete(judge, node, *op, Outcome::Produced { partition, offset: offset.map(Offset) });
            }
            (Line::Failed { op, .. }, Some(node)) => self.fail(judge, node, *op, Certainty::Definite)?,
            (Line::Unknown { op, .. }, Some(node)) => self.fail(judge, node, *op, Certainty::Indefinite)?,
            (Line::Assign { partitions, .. }, Some(node)) => {
                let number = self.number();
                let partitions = partitions.iter().map(|place| (name(&place.topic, place.partition), position(place))).collect();
                invoke(judge, node, number, Operation::Assign { partitions });
                complete(judge, node, number, Outcome::Assigned);
            }
            (Line::Read { topic, partition, records, .. }, Some(node)) => {
                let number = self.number();
                let partition = name(topic, *partition);
                let records = records.iter().map(|(offset, value)| polled(&partition, *offset, value.as_deref())).collect();
                complete(judge, node, number, Outcome::Polled { records });
            }
            (Line::AskEnd { op, topic, partition, .. }, Some(node)) => {
                self.asked.insert((node, *op), name(topic, *partition));
                let operation = Operation::ListOffset { partition: name(topic, *partition), position: Position::End };
                invoke(judge, node, *op, operation);
            }
            (Line::End { op, offset, .. }, Some(node)) => {
                let partition = self.asked.remove(&(node, *op)).ok_or_else(|| format!("question {op} was not asked"))?;
                complete(judge, node, *op, Outcome::Offset { partition, offset: Offset(*offset) });
            }
            (_, None) => {}
        }
        Ok(())
    }

    fn close(&mut self, node: usize, op: u64) -> Result<Arc<str>, String> {
        self.open.remove(&(node, op)).ok_or_else(|| format!("record {op} of this producer is not on its way"))
    }

    fn fail(&mut self, judge: &mut OuterJudge, node: usize, op: u64, certainty: Certainty) -> Result<(), String> {
        self.close(node, op)?;
        complete(judge, node, op, Outcome::Failed { code: 0, certainty });
        Ok(())
    }

    /// Numbers of records begin low; these begin high.
    fn number(&mut self) -> u64 {
        self.unnumbered += 1;
        u64::MAX - self.unnumbered
    }
}

fn name(topic: &str, index: i32) -> TopicPartition {
    TopicPartition { topic: topic.into(), index }
}

fn position(place: &Place) -> Position {
    place.from.map_or(Position::Beginning, |offset| Position::At(Offset(offset)))
}

fn polled(partition: &TopicPartition, offset: i64, value: Option<&str>) -> PolledRecord {
    let value = value.map(|value| Bytes::copy_from_slice(value.as_bytes()));
    let (leader_epoch, timestamp) = (LeaderEpoch::NONE, Timestamp(-1));
    PolledRecord { partition: partition.clone(), offset: Offset(offset), leader_epoch, timestamp, key: None, value }
}

fn invoke(judge: &mut OuterJudge, node: usize, id: u64, operation: Operation) {
    judge.observe(Some(node), What::Invoked(Command { id: OperationId(id), operation }));
}

fn complete(judge: &mut OuterJudge, node: usize, id: u64, outcome: Outcome) {
    judge.observe(Some(node), What::Completed(Completion { id: OperationId(id), outcome }));
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
